//! Reads votes and tallies from the database of the deployment.
//!
//! Invariant: rows and tally are read in one snapshot. Absent on purpose: writing. A role that may
//! only read is enough.

use std::collections::HashSet;
use std::path::Path;
use std::pin::pin;

use anyhow::{Context as _, bail};
use futures_util::TryStreamExt as _;
use tokio_postgres::{Client, IsolationLevel, NoTls};
use uuid::Uuid;
use votestream_schema::poll::secrecy::VoterKeys;
use votestream_schema::poll::voter_key::PollSecret;

use crate::poll::{Counting, Poll, VoterPolicy};

/// A connection to the database, for one poll.
pub(crate) struct Database {
    client: Client,
    poll_id: i32,
    keys: VoterKeys,
    /// Whether this release stores how far counting has come, and our role may read it.
    has_progress: bool,
}

/// The votes of a poll and its tally, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredVotes {
    /// How the poll names its voters in the rows.
    pub(crate) keys: VoterKeys,
    /// The voter's key and the choices (bit mask by option position) of every row.
    pub(crate) rows: Vec<(u128, u64)>,
    /// Votes in the tally, by option position.
    pub(crate) votes: Vec<u64>,
    /// The number of voters in the tally.
    pub(crate) voters: u64,
    /// How far counting has come.
    pub(crate) counting: Counting,
}

impl Default for StoredVotes {
    fn default() -> Self {
        Self {
            keys: VoterKeys::Ids,
            rows: Vec::new(),
            votes: Vec::new(),
            voters: 0,
            counting: Counting::Unstated,
        }
    }
}

impl Database {
    /// Connects to the database. Uses TLS unless the address says `sslmode=disable`, or says
    /// nothing about TLS.
    ///
    /// # Errors
    /// Returns an error if the database cannot be reached, has no such poll, or does not tell how the poll names its
    /// voters.
    pub(crate) async fn open(
        url: &str,
        ca_file: Option<&Path>,
        poll: &Poll,
    ) -> anyhow::Result<Self> {
        // The driver knows the modes disable, prefer and require. With TLS we verify the
        // certificate in every case.
        let plain = url.contains("sslmode=disable") || !url.contains("sslmode=");
        let known = url
            .replace("sslmode=verify-full", "sslmode=require")
            .replace("sslmode=verify-ca", "sslmode=require");
        let mut config: tokio_postgres::Config = known.parse().context(
            "the address of the database is malformed: write postgres://user:password@host/db",
        )?;
        config.connect_timeout(std::time::Duration::from_secs(5));
        let client = if plain {
            let (client, connection) =
                config.connect(NoTls).await.context("cannot reach the database")?;
            tokio::spawn(connection);
            client
        } else {
            let roots = crate::http::endpoint::tls_roots(ca_file)?;
            let tls = tokio_postgres_rustls::MakeRustlsConnect::new((*roots).clone());
            let (client, connection) =
                config.connect(tls).await.context("cannot reach the database")?;
            tokio::spawn(connection);
            client
        };
        let sql = "SELECT id, voter_policy LIKE 'keyed%' FROM polls WHERE slug = $1";
        let row = client.query_opt(sql, &[&poll.slug]).await;
        let Some(row) = row.context("the database has no readable table of polls")? else {
            bail!("the database has no poll '{}'", poll.slug);
        };
        let (poll_id, is_keyed) = (row.get(0), row.get(1));
        let keys = if is_keyed { secret(&client, poll_id).await? } else { VoterKeys::Ids };
        let sql = "SELECT coalesce(has_table_privilege(to_regclass('progress'), 'SELECT'), false)";
        let has_progress = client.query_one(sql, &[]).await?.get(0);
        Ok(Self { client, poll_id, keys, has_progress })
    }

    /// Returns how the database describes the poll, if that differs from `poll`. Then it belongs to
    /// another deployment.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub(crate) async fn difference(&self, poll: &Poll) -> anyhow::Result<Option<String>> {
        let sql = "SELECT title, vote_policy, replace(voter_policy, 'keyed_', ''), choices_min::int4, choices_max::int4, \
                   array(SELECT slug FROM options WHERE poll_id = id ORDER BY position) FROM polls WHERE id = $1";
        let row = self.client.query_one(sql, &[&self.poll_id]).await?;
        let texts = [0, 1, 2].map(|at| row.get::<_, String>(at));
        let described =
            |title: &str, vote: &str, voter: &str, min: i64, max: i64, options: &str| {
                format!(
                    "'{title}' with the options {options}, {min} to {max} choices, {vote}, {voter}"
                )
            };
        let stored = described(
            &texts[0],
            &texts[1],
            &texts[2],
            row.get::<_, i32>(3).into(),
            row.get::<_, i32>(4).into(),
            &row.get::<_, Vec<String>>(5).join(", "),
        );
        let options: Vec<&str> = poll.options.iter().map(|option| option.slug.as_str()).collect();
        let voter_policy = match poll.voter_policy {
            VoterPolicy::Open => "open",
            VoterPolicy::Code => "code",
        };
        let vote_policy = if poll.vote_policy.replaces() { "replace" } else { "keep_first" };
        let served = described(
            &poll.title,
            vote_policy,
            voter_policy,
            poll.choices_min.into(),
            poll.choices_max.into(),
            &options.join(", "),
        );
        Ok((stored != served)
            .then(|| format!("the database has the poll {stored}; the target has {served}")))
    }

    /// Returns the keys of all voters who have a row now.
    pub(crate) async fn voters(&self) -> anyhow::Result<HashSet<u128>> {
        let sql = "SELECT voter FROM votes WHERE poll_id = $1";
        let mut rows = pin!(self.client.query_raw(sql, [self.poll_id]).await?);
        let mut voters = HashSet::new();
        while let Some(row) = rows.try_next().await? {
            voters.insert(row.get::<_, Uuid>(0).as_u128());
        }
        Ok(voters)
    }

    /// Reads the rows and the tally of the poll in one snapshot.
    pub(crate) async fn stored_votes(&mut self, poll: &Poll) -> anyhow::Result<StoredVotes> {
        let id = self.poll_id;
        let snapshot = self
            .client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true);
        let snapshot = snapshot.start().await?;
        let mut stored = StoredVotes {
            votes: vec![0; poll.options.len()],
            keys: self.keys.clone(),
            ..StoredVotes::default()
        };
        {
            // The rows are read one by one, because a poll may have millions.
            let sql = "SELECT voter, choices FROM votes WHERE poll_id = $1";
            let mut rows = pin!(snapshot.query_raw(sql, [id]).await?);
            while let Some(row) = rows.try_next().await? {
                let voter = row.get::<_, Uuid>(0).as_u128();
                stored.rows.push((voter, row.get::<_, i64>(1).cast_unsigned()));
            }
        }
        let sql = "SELECT o.slug, t.votes::int8 FROM tally t JOIN options o USING (poll_id, position) WHERE t.poll_id = $1";
        for row in snapshot.query(sql, &[&id]).await? {
            let slug: &str = row.get(0);
            if let Some(at) = poll.options.iter().position(|option| option.slug == slug) {
                stored.votes[at] = unsigned(row.get(1));
            }
        }
        let sql = "SELECT voters::int8 FROM poll_tally WHERE poll_id = $1";
        if let Some(row) = snapshot.query_opt(sql, &[&id]).await? {
            stored.voters = unsigned(row.get(0));
        }
        if self.has_progress {
            let sql = "SELECT CASE WHEN waiting_by_poll IS NOT NULL \
                       THEN coalesce((waiting_by_poll ->> $1::int4::text)::int8, 0) END FROM progress";
            stored.counting = match snapshot.query_one(sql, &[&id]).await?.get::<_, Option<i64>>(0)
            {
                Some(0) => Counting::Settled,
                Some(waiting) => Counting::Waiting(unsigned(waiting)),
                None => Counting::Unknown,
            };
        }
        Ok(stored)
    }
}

/// Reads the secret with which the poll makes the keys of its voters.
async fn secret(client: &Client, poll_id: i32) -> anyhow::Result<VoterKeys> {
    let sql = "SELECT secret FROM poll_secrets WHERE poll_id = $1";
    let row = client.query_opt(sql, &[&poll_id]).await.context(
        "cannot compare voters by name: the role in the database's address may not read the table poll_secrets",
    )?;
    let row = row.context("cannot compare voters by name: the poll is sealed")?;
    let secret = PollSecret::read(row.get(0)).context("the poll's secret has a wrong length")?;
    Ok(VoterKeys::Secret(secret))
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
