//! Copies poll definitions from Postgres to Redis, and repairs them there.
//!
//! Every replica looks once a second whether there may be something to do, and writes only the parts that differ: when a poll
//! changed in Postgres, when somebody counted a change in Redis ([`Keys::polls_revision`]), and every five seconds, when one
//! replica compares everything for all. Postgres alone decides: a copy that is
//! older is replaced, and so is one that Postgres does not know. The latter may also be a change that `votectl` has
//! written to Redis and not committed yet. So it is repaired only under the lock that `votectl` shares, and compared
//! with polls that are read under that lock ([`votestream_schema::db::locks`]).
//!
//! Invariant: rules never return to an older revision, because the script refuses that. So a replica that was paused in
//! the middle of copying does no harm.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::RedisError;
use votestream_schema::code::CodeHash;
use votestream_schema::poll_copy::{self, cmd};
use votestream_schema::projection::{self, Rules, functions};
use votestream_schema::{Keys, Poll, PollId, db};
use votestream_service::postgres;
use votestream_service::redis::functions::load_missing;
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::error::ServerError;
use crate::metrics;
use crate::polls::Polls;

/// Copies the polls of one deployment from Postgres to Redis; cheap to clone.
#[derive(Clone, Debug)]
pub struct Projector {
    redis: Pool,
    postgres: postgres::Pool,
    keys: Keys,
    partitions: u16,
    /// The partitions whose master servers get functions; one alone on a plain server.
    masters: u16,
    /// Time between two comparisons while nothing changes.
    compare_every: Duration,
    last: Arc<Mutex<Option<Comparison>>>,
}

/// A comparison of everything, after which the copies were right.
#[derive(Clone, Debug)]
struct Comparison {
    polls: Arc<Polls>,
    /// The number of changes of definitions in Redis.
    revision: Option<i64>,
}

/// The word for rules in logs and metrics.
const RULES: &str = "rules";

/// The fields of a hash in Redis. Names and values may be anything, since others may have written them.
type Fields = HashMap<Vec<u8>, Vec<u8>>;

impl Projector {
    /// Creates a projector for a deployment with this many partitions, which compares everything this often. The masters of the
    /// first `masters` partitions get functions.
    pub fn new(
        redis: Pool,
        postgres: postgres::Pool,
        keys: Keys,
        (partitions, masters): (u16, u16),
        compare_every: Duration,
    ) -> Self {
        let last = Arc::default();
        Self { redis, postgres, keys, partitions, masters, compare_every, last }
    }

    /// Copies these polls to Redis once, wherever Redis differs, if it may differ.
    ///
    /// # Errors
    /// Returns the error of the server that failed, or [`ServerError::OtherDeployment`] when Redis holds another number
    /// of partitions.
    pub async fn project(&self, polls: &Arc<Polls>) -> Result<(), ServerError> {
        let connection = self.redis.get().await;
        let mut connection =
            connection.map_err(|e| ServerError::RedisCheckout(describe_checkout(e)))?;
        self.partitions(&mut connection).await?;
        // A poll that cannot be copied must not keep the functions away from all others, nor the other way round.
        let functions = self.functions(&mut connection).await;
        self.copy(&mut connection, polls).await?;
        functions
    }

    /// Copies definitions and rules wherever Redis differs, if it may differ.
    async fn copy(
        &self,
        connection: &mut Connection,
        polls: &Arc<Polls>,
    ) -> Result<(), ServerError> {
        let revision = self.revision(connection).await?;
        if self.is_as_compared(polls, revision) && !self.is_due(connection).await {
            return Ok(());
        }
        // A comparison that fails is made again.
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut is_unknown = self.definitions(connection, polls).await?;
        for partition in 0..self.partitions {
            is_unknown |= self.rules(connection, polls, partition).await?;
        }
        if is_unknown {
            self.repair(connection).await?;
        }
        // From now on changes are counted.
        if revision.is_none() {
            poll_copy::definitions_changed(connection, &self.keys).await?;
        }
        // The number from before: what others changed meanwhile is compared again.
        let compared = Comparison { polls: polls.clone(), revision };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(compared);
        Ok(())
    }

    /// Loads the functions that the producers of this release call into each master that lacks them.
    async fn functions(&self, connection: &mut Connection) -> Result<(), ServerError> {
        let library = functions::library();
        for partition in 0..self.masters {
            let at = self.keys.stream(partition);
            if load_missing(connection, &at, &library.name, &library.text).await? {
                let (name, partition) = (library.name.as_str(), partition);
                tracing::info!(
                    partition,
                    library = name,
                    "loaded the functions `{name}`, which producers call, into redis"
                );
            }
        }
        Ok(())
    }

    async fn revision(&self, connection: &mut Connection) -> Result<Option<i64>, RedisError> {
        poll_copy::cmd(&projection::polls_revision(&self.keys)).query_async(connection).await
    }

    /// Whether neither these polls nor the number of changes in Redis differ from those of the last comparison.
    fn is_as_compared(&self, polls: &Arc<Polls>, revision: Option<i64>) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |last: &Comparison| last.revision == revision && last.polls == *polls;
        revision.is_some() && last.as_ref().is_some_and(same)
    }

    /// Whether it is time for a comparison although nothing is known to have changed. Of all replicas, one is told so.
    async fn is_due(&self, connection: &mut Connection) -> bool {
        let mut claim = redis::cmd("SET");
        claim.arg(self.keys.polls_compared()).arg(1).arg("NX");
        claim.arg("PX").arg(self.compare_every.as_millis() as u64);
        // A Redis that refuses this is compared; whatever is wrong shows there.
        let claimed: Result<Option<String>, RedisError> = claim.query_async(connection).await;
        !matches!(claimed, Ok(None))
    }

    /// Stores the number of partitions in Redis if it is missing, and fails if Redis holds another one: then one of the
    /// two server addresses is wrong.
    async fn partitions(&self, connection: &mut Connection) -> Result<(), ServerError> {
        let mut get = redis::cmd("HGET");
        get.arg(self.keys.meta()).arg("partitions");
        let mut known: Option<u16> = get.query_async(connection).await?;
        if known.is_none() {
            let set = cmd(&projection::partitions(&self.keys, self.partitions));
            set.exec_async(connection).await?;
            known = get.query_async(connection).await?;
        }
        let known = known.unwrap_or_default();
        if known == self.partitions {
            return Ok(());
        }
        Err(ServerError::OtherDeployment { redis: known, postgres: self.partitions })
    }

    /// Writes the definitions that differ; pages read them. Returns whether Redis has one that these polls have not: of another
    /// poll, or of a later revision.
    async fn definitions(
        &self,
        connection: &mut Connection,
        polls: &Polls,
    ) -> Result<bool, RedisError> {
        let known = fields(connection, &self.keys.polls()).await?;
        let drafts = self.drafts(connection).await?;
        let (mut ours, mut our_drafts, mut is_unknown) = (0, 0, false);
        for poll in polls.values() {
            let command = projection::definition(&self.keys, poll);
            let slug = poll.slug.as_str().as_bytes();
            let notes = projection::draft_notes(poll);
            let noted = notes.iter().filter(|note| drafts.contains(note.as_bytes())).count();
            let is_draft = poll.opens_at_ms.is_none();
            let is_right = noted == if is_draft { notes.len() } else { 0 };
            let found = known.get(slug);
            ours += usize::from(found.is_some());
            our_drafts += noted;
            if found.is_some_and(|found| is_later(found, poll)) {
                is_unknown = true;
            } else if found.map(Vec::as_slice) != command.get(3).map(String::as_bytes) || !is_right
            {
                poll_copy::definition(connection, &self.keys, poll).await?;
            }
        }
        Ok(is_unknown || ours < known.len() || our_drafts < drafts.len())
    }

    /// Reads the notes that Redis has of drafts.
    async fn drafts(&self, connection: &mut Connection) -> Result<HashSet<Vec<u8>>, RedisError> {
        redis::cmd("SMEMBERS").arg(self.keys.drafts()).query_async(connection).await
    }

    /// Writes the rules that differ in one partition; the register function reads them. Returns whether it has rules that
    /// these polls have not: of another poll, of a later revision, or not readable.
    async fn rules(
        &self,
        connection: &mut Connection,
        polls: &Polls,
        partition: u16,
    ) -> Result<bool, ServerError> {
        let known = fields(connection, &self.keys.rules(partition)).await?;
        let (mut ours, mut is_unknown, mut failed) = (0, false, None);
        // Polls with many voting codes take long, and one that cannot be written stops no other.
        let (with_codes, others): (Vec<_>, Vec<_>) =
            polls.values().partition(|poll| poll.voter_policy.needs_code());
        for poll in others.into_iter().chain(with_codes) {
            let found = known.get(poll.id.to_string().as_bytes()).map(Vec::as_slice);
            ours += usize::from(found.is_some());
            match self.rules_of(connection, poll, partition, found).await {
                Ok(is_later) => is_unknown |= is_later,
                Err(error) => {
                    let (slug, servers) = (&poll.slug, connection.servers());
                    tracing::warn!(
                        poll = %slug,
                        partition,
                        %servers,
                        "cannot copy the rules of poll `{slug}` to redis at {servers}, trying again with the next \
                         comparison: {error}"
                    );
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            None => Ok(is_unknown || ours < known.len()),
            Some(error) => Err(error),
        }
    }

    /// Writes the rules of one poll to one partition if they differ from those that were `found` there. Returns whether
    /// those are of a later revision, or not readable.
    async fn rules_of(
        &self,
        connection: &mut Connection,
        poll: &Poll,
        partition: u16,
        found: Option<&[u8]>,
    ) -> Result<bool, ServerError> {
        let right = Rules::of(poll);
        if found == Some(right.encode().as_bytes()) {
            return Ok(false);
        }
        let revision = found.map(|found| read_rules(found).map(|rules| rules.revision));
        if revision.is_some_and(|found| found.is_none_or(|found| found > right.revision)) {
            return Ok(true);
        }
        let codes = async || self.codes(poll.id).await;
        let place = (partition, self.partitions);
        if !poll_copy::rules(connection, &self.keys, place, poll, found.is_some(), codes).await? {
            return Ok(false);
        }
        match found {
            Some(found) if revision == Some(Some(right.revision)) => {
                record_repair(RULES, &self.keys.rules(partition), found);
            }
            _ => {
                tracing::info!(poll = %poll.slug, partition, revision = poll.revision, "copied the rules of a poll to redis");
            }
        }
        Ok(false)
    }

    /// Reads all voting codes of a poll, to restore them after Redis lost its data.
    async fn codes(&self, poll: PollId) -> Result<Vec<CodeHash>, ServerError> {
        let session = self.postgres.get().await;
        let mut session =
            session.map_err(|e| ServerError::PostgresCheckout(postgres::describe_checkout(e)))?;
        session.run(async |client| Ok(poll_copy::read_codes(client, poll).await?)).await
    }

    /// Replaces all definitions and rules that differ from Postgres, whatever their revision, and removes those of polls
    /// that do not exist. Does nothing while an operator changes a poll.
    async fn repair(&self, connection: &mut Connection) -> Result<(), ServerError> {
        let session = self.postgres.get().await;
        let mut session =
            session.map_err(|e| ServerError::PostgresCheckout(postgres::describe_checkout(e)))?;
        let transaction = session.begin().await?;
        if !db::locks::take_copies(&transaction).await? {
            return Ok(());
        }
        let mut stored = db::polls::all(&transaction).await?;
        db::secrets::fill(&transaction, &mut stored.readable).await?;
        // The copies of a poll that this release cannot read are left to the release that can.
        let is_readable = |is_named: &dyn Fn(&db::UnreadablePoll) -> bool| {
            !stored.unreadable.iter().any(is_named)
        };
        let polls: HashMap<String, &Poll> =
            stored.readable.iter().map(|poll| (poll.id.to_string(), poll)).collect();
        let slugs: HashMap<&str, &Poll> =
            stored.readable.iter().map(|poll| (poll.slug.as_str(), poll)).collect();

        let key = self.keys.polls();
        let mut changed = false;
        for (slug, found) in fields(connection, &key).await? {
            let name = String::from_utf8_lossy(&slug);
            let right = slugs.get(&*name).and_then(|poll| {
                let command = projection::definition(&self.keys, poll);
                command.get(3).cloned()
            });
            if is_readable(&|poll| poll.slug == name) {
                changed |=
                    repair_field(connection, "definition", &key, &slug, &found, right).await?;
            }
        }
        for note in self.drafts(connection).await? {
            let text = String::from_utf8_lossy(&note);
            let (name, _) = projection::read_draft_note(&text);
            let is_right = slugs.get(name).is_some_and(|poll| {
                poll.opens_at_ms.is_none()
                    && projection::draft_notes(poll).iter().any(|it| *it == text)
            });
            if !is_right && is_readable(&|poll| poll.slug == name) {
                let remove = redis::cmd("SREM").arg(self.keys.drafts()).arg(&note).to_owned();
                changed |= remove.query_async::<i64>(connection).await? == 1;
            }
        }
        if changed {
            poll_copy::definitions_changed(connection, &self.keys).await?;
        }
        for partition in 0..self.partitions {
            let key = self.keys.rules(partition);
            for (id, found) in fields(connection, &key).await? {
                let name = String::from_utf8_lossy(&id);
                let right = polls.get(&*name).map(|poll| Rules::of(poll).encode());
                if is_readable(&|poll| poll.id.to_string() == name) {
                    repair_field(connection, RULES, &key, &id, &found, right).await?;
                }
            }
        }
        Ok(transaction.commit().await?)
    }
}

/// Replaces one field if it differs from `right`, and removes it if that is `None`. Returns whether it did.
async fn repair_field(
    connection: &mut Connection,
    what: &'static str,
    key: &str,
    field: &[u8],
    found: &[u8],
    right: Option<String>,
) -> Result<bool, RedisError> {
    if right.as_ref().map(String::as_bytes) == Some(found) {
        return Ok(false);
    }
    let repair = poll_copy::repair(key, field, found, right.as_deref());
    let is_repaired = repair.query_async::<i64>(connection).await? == 1;
    if is_repaired {
        record_repair(what, key, found);
    }
    Ok(is_repaired)
}

/// Counts and logs a copy that was replaced although nobody had changed the poll.
fn record_repair(what: &'static str, key: &str, found: &[u8]) {
    metrics::COPIES_REPAIRED.with([what]).increment(1);
    // A definition may hold the secret of its poll, which no log must have.
    let found: String = match what {
        RULES => String::from_utf8_lossy(found).chars().take(100).collect(),
        _ => "not shown".to_owned(),
    };
    tracing::error!(
        key,
        found,
        "repaired the {what} of a poll in redis: they were not those of postgres. Somebody else has written to redis, \
         or a change of votectl was broken off"
    );
}

async fn fields(connection: &mut Connection, key: &str) -> Result<Fields, RedisError> {
    redis::cmd("HGETALL").arg(key).query_async(connection).await
}

/// Whether a definition in Redis is of a later revision than this one, which may be of an earlier reading.
fn is_later(found: &[u8], poll: &Poll) -> bool {
    let found = str::from_utf8(found).ok().and_then(|json| projection::read_definition(json).ok());
    found.is_some_and(|found| found.revision > poll.revision)
}

fn read_rules(text: &[u8]) -> Option<Rules> {
    str::from_utf8(text).ok()?.parse().ok()
}
