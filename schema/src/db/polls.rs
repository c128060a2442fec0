//! Poll definitions as rows.
//!
//! Invariant: a row that this release cannot read (a newer one wrote it, or somebody by hand) hides no
//! other poll. [`all`] returns it beside the others, for the log and a metric.
//!
//! Absent on purpose: the secrets of polls, which not every role may read ([`super::secrets`]).

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::error::{Error, UnreadablePoll};
use super::{locks, secrets};
use crate::poll::results_key::ResultsKey;
use crate::poll::secrecy::{Secrecy, VoterKeys};
use crate::poll::stored_voter_policy::StoredVoterPolicy;
use crate::poll::translations::{LanguageTag, Translations};
use crate::poll::{Definition, Invalid, Poll, PollOption, Visibility};
use crate::{PollId, Slug};

/// All polls of a database, archived ones too, ordered by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredPolls {
    /// The polls that this release can read.
    pub readable: Vec<Poll>,
    /// The rows that it cannot read.
    pub unreadable: Vec<UnreadablePoll>,
}

/// All polls, archived ones too, ordered by number. A row that cannot be read is returned in
/// [`StoredPolls::unreadable`].
///
/// # Errors
/// Returns the database's error.
pub async fn all(client: &Client) -> Result<StoredPolls, Error> {
    let rows = client
        .query_typed(include_str!("../../sql/polls.sql"), &[(&None::<&str>, Type::TEXT)])
        .await?;
    let mut polls = StoredPolls::default();
    for row in &rows {
        match poll(row) {
            Ok(poll) => polls.readable.push(poll),
            Err(unreadable) => polls.unreadable.push(unreadable),
        }
    }
    Ok(polls)
}

/// How often the log names polls that stay unreadable.
const LOG_UNREADABLE_EVERY: Duration = Duration::from_secs(60);

/// Names unreadable polls in the log: at once when they change, then once a minute. For a service
/// that reads all polls every second.
#[derive(Debug, Default)]
pub struct UnreadableLog {
    logged: Vec<UnreadablePoll>,
    logged_at: Option<Instant>,
}

impl UnreadableLog {
    /// Logs the polls that cannot be read, as [`all`] returned them, if it is time to.
    pub fn report(&mut self, unreadable: &[UnreadablePoll]) {
        let recently = self.logged_at.is_some_and(|at| at.elapsed() < LOG_UNREADABLE_EVERY);
        if unreadable == self.logged && recently {
            return;
        }
        for UnreadablePoll { id, slug, reason } in unreadable {
            tracing::error!(
                poll = id.0,
                slug,
                reason,
                "cannot read this poll, so it takes no part here; other polls go on. \
                 If a newer release wrote it, update this service"
            );
        }
        self.logged.clear();
        self.logged.extend_from_slice(unreadable);
        self.logged_at = Some(Instant::now());
    }
}

/// Reads the poll with this slug.
///
/// # Errors
/// Returns [`Error::UnreadablePoll`] when the row breaks the model, else the database's error.
pub async fn by_slug(client: &Client, slug: &Slug) -> Result<Option<Poll>, Error> {
    let row = client
        .query_typed_opt(include_str!("../../sql/polls.sql"), &[(&slug.as_str(), Type::TEXT)])
        .await?;
    Ok(row.as_ref().map(poll).transpose()?)
}

/// Reads the poll with this slug, and keeps others from changing it until the transaction ends, and consumers from
/// repairing the copies in Redis. Votes are counted meanwhile.
///
/// # Errors
/// As [`by_slug`].
pub async fn lock(tx: &Client, slug: &Slug) -> Result<Option<Poll>, Error> {
    locks::share_copies(tx).await?;
    let sql = "SELECT FROM polls WHERE slug = $1 FOR NO KEY UPDATE";
    match tx.query_typed_opt(sql, &[(&slug.as_str(), Type::TEXT)]).await? {
        Some(_) => with_secret(tx, slug).await,
        None => Ok(None),
    }
}

/// Reads the poll with this slug, and its secret. The role needs the right to read secrets.
///
/// # Errors
/// As [`by_slug`].
pub async fn with_secret(client: &Client, slug: &Slug) -> Result<Option<Poll>, Error> {
    let Some(mut poll) = by_slug(client, slug).await? else { return Ok(None) };
    secrets::fill(client, std::slice::from_mut(&mut poll)).await?;
    Ok(Some(poll))
}

/// Stores a new poll with an empty tally; `definition` must have been validated.
///
/// # Errors
/// Returns [`Error::SlugTaken`], or the database's error.
pub async fn create(tx: &Client, definition: &Definition) -> Result<PollId, Error> {
    let row = write(tx, include_str!("../../sql/insert_poll.sql"), definition).await;
    let id: i32 = match row {
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            return Err(Error::SlugTaken(definition.slug.to_string()));
        }
        other => other?.get(0),
    };
    let sql = "INSERT INTO poll_tally (poll_id) VALUES ($1)";
    tx.execute_typed(sql, &[(&id, Type::INT4)]).await?;
    secrets::create(tx, PollId(id)).await?;
    insert_options(tx, id, &definition.options).await?;
    Ok(PollId(id))
}

/// Rewrites a poll that has no vote yet; the caller has checked that it never opened.
///
/// # Errors
/// Returns the database's error; the database refuses once there are votes.
pub async fn update(tx: &Client, definition: &Definition) -> Result<PollId, Error> {
    let id: i32 = write(tx, include_str!("../../sql/update_poll.sql"), definition).await?.get(0);
    tx.execute_typed("DELETE FROM tally WHERE poll_id = $1", &[(&id, Type::INT4)]).await?;
    tx.execute_typed("DELETE FROM options WHERE poll_id = $1", &[(&id, Type::INT4)]).await?;
    insert_options(tx, id, &definition.options).await?;
    Ok(PollId(id))
}

/// Sets the three times of a poll and its revision as they stand in `poll`.
///
/// # Errors
/// Returns the database's error.
pub async fn set_times(client: &Client, poll: &Poll) -> Result<(), Error> {
    let sql = "UPDATE polls SET opens_at_ms = $2, closes_at_ms = $3, archived_at_ms = $4, revision = $5 WHERE id = $1";
    client
        .execute_typed(
            sql,
            &[
                (&poll.id.0, Type::INT4),
                (&poll.opens_at_ms, Type::INT8),
                (&poll.closes_at_ms, Type::INT8),
                (&poll.archived_at_ms, Type::INT8),
                (&poll.revision, Type::INT4),
            ],
        )
        .await?;
    Ok(())
}

async fn write(
    tx: &Client,
    sql: &str,
    definition: &Definition,
) -> Result<Row, tokio_postgres::Error> {
    let ms = |at: Option<jiff::Timestamp>| at.map(|at| at.as_millisecond());
    tx.query_typed_one(
        sql,
        &[
            (&definition.slug.as_str(), Type::TEXT),
            (&definition.title, Type::TEXT),
            (&i16::from(definition.choices_min), Type::INT2),
            (&i16::from(definition.choices_max), Type::INT2),
            (&definition.vote_policy.as_str(), Type::TEXT),
            (&definition.voter_policy.as_str(), Type::TEXT),
            (&definition.visibility.as_str(), Type::TEXT),
            (&ms(definition.opens_at), Type::INT8),
            (&ms(definition.closes_at), Type::INT8),
            (&definition.secret, Type::BOOL),
            (&definition.keep_votes_days.map(i32::from), Type::INT4),
            (&definition.network_limit.map(|limit| limit.to_string()), Type::TEXT),
            (&definition.shuffle, Type::BOOL),
            (&definition.listed, Type::BOOL),
            (&definition.has_receipts(), Type::BOOL),
            (&definition.lang.as_ref().map(LanguageTag::as_str), Type::TEXT),
            (&definition.titles.to_json(), Type::TEXT),
        ],
    )
    .await
}

async fn insert_options(tx: &Client, poll: i32, options: &[PollOption]) -> Result<(), Error> {
    let slugs: Vec<&str> = options.iter().map(|o| o.slug.as_str()).collect();
    let labels: Vec<&str> = options.iter().map(|o| o.label.as_str()).collect();
    let translated: Vec<String> = options.iter().map(|o| o.labels.to_json()).collect();
    let descriptions: Vec<Option<&str>> =
        options.iter().map(|o| o.description.as_deref()).collect();
    let colours: Vec<Option<&str>> = options.iter().map(|o| o.colour.as_deref()).collect();
    tx.execute_typed(
        include_str!("../../sql/insert_options.sql"),
        &[
            (&poll, Type::INT4),
            (&slugs, Type::TEXT_ARRAY),
            (&labels, Type::TEXT_ARRAY),
            (&descriptions, Type::TEXT_ARRAY),
            (&colours, Type::TEXT_ARRAY),
            (&translated, Type::TEXT_ARRAY),
        ],
    )
    .await?;
    tx.execute_typed(
        "INSERT INTO tally (poll_id, position) SELECT poll_id, position FROM options WHERE poll_id = $1",
        &[(&poll, Type::INT4)],
    )
    .await?;
    Ok(())
}

fn poll(row: &Row) -> Result<Poll, UnreadablePoll> {
    let id: i32 = row.get("id");
    read(row, id).map_err(|Invalid(reason)| UnreadablePoll {
        id: PollId(id),
        slug: row.get("slug"),
        reason,
    })
}

fn read(row: &Row, id: i32) -> Result<Poll, Invalid> {
    let slug = |text: &str| text.parse::<Slug>().map_err(|e| Invalid(e.to_string()));
    let slugs: Vec<&str> = row.get("slugs");
    let labels: Vec<String> = row.get("labels");
    let translated: Vec<&str> = row.get("translated");
    let descriptions: Vec<Option<String>> = row.get("descriptions");
    let colours: Vec<Option<String>> = row.get("colours");
    let options = slugs.iter().zip(labels).zip(descriptions).zip(colours).zip(translated);
    let options = options
        .map(|((((name, label), description), colour), translated)| {
            let labels = Translations::from_json(translated)?;
            Ok(PollOption { slug: slug(name)?, label, labels, description, colour })
        })
        .collect::<Result<_, Invalid>>()?;
    let voters: StoredVoterPolicy = row.get::<_, &str>("voter_policy").parse()?;
    let visibility: Visibility = row.get::<_, &str>("visibility").parse()?;
    let key = ResultsKey::read(row.get("results_key"));
    Ok(Poll {
        id: PollId(id),
        slug: slug(row.get("slug"))?,
        title: row.get("title"),
        titles: Translations::from_json(row.get("titles"))?,
        lang: row.get::<_, Option<&str>>("lang").map(str::parse).transpose()?,
        options,
        choices_min: row.get::<_, i16>("choices_min") as u8,
        choices_max: row.get::<_, i16>("choices_max") as u8,
        shuffle: row.get("shuffle"),
        vote_policy: row.get::<_, &str>("vote_policy").parse()?,
        voter_policy: voters.policy,
        visibility,
        opens_at_ms: row.get("opens_at_ms"),
        closes_at_ms: row.get("closes_at_ms"),
        archived_at_ms: row.get("archived_at_ms"),
        revision: row.get("revision"),
        network_limit: row.get::<_, Option<&str>>("network_limit").map(str::parse).transpose()?,
        listed: row.get("listed"),
        secrecy: Secrecy {
            keys: if voters.is_keyed { VoterKeys::Unknown } else { VoterKeys::Ids },
            // As the copy in Redis: no other poll needs it.
            results_key: key.filter(|_| visibility == Visibility::AfterVote),
            secret: row.get("secret"),
            receipts: row.get("receipts"),
            keep_votes_days: row.get::<_, Option<i32>>("keep_votes_days").map(|days| days as u16),
            sealed_at_ms: row.get("sealed_at_ms"),
            erased_at_ms: row.get("erased_at_ms"),
        },
    })
}
