//! Errors of operations.

use redis::RedisError;
use votestream_schema::poll::{PollState, rfc3339};
use votestream_schema::{Slug, db};

use crate::letter_id::LetterId;
use crate::unsettled::Unsettled;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Redis refused a command, or does not answer.
    #[error("redis: {0}")]
    Redis(#[from] RedisError),
    /// Postgres refused a statement, or does not answer.
    #[error("postgres: {}{}", db::describe(.0), advice(.0))]
    Postgres(tokio_postgres::Error),
    /// The database holds no deployment, or one that this release cannot use.
    #[error(transparent)]
    Database(db::Error),
    /// An address or a certificate of a server cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The two servers hold different deployments.
    #[error(
        "redis was set up with {redis} partitions and postgres with {postgres}: they do not belong \
         together; check REDIS_URL, KEY_PREFIX and DATABASE_URL"
    )]
    OtherDeployment {
        /// Partitions by Redis, as it holds the number.
        redis: String,
        /// Partitions by Postgres.
        postgres: u16,
    },
    /// One of the servers was restored to an earlier state.
    #[error(transparent)]
    OtherTime(#[from] votestream_schema::projection::epoch::Mismatch),
    /// Redis is of a release that lacks commands which we need.
    #[error("redis {0} is too old: Votestream needs Redis 7.0 or newer, or Valkey")]
    RedisTooOld(String),
    /// The database has another encoding than UTF8.
    #[error(
        "the database has the encoding {0}, in which titles and labels would be damaged; create it with \
         `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`"
    )]
    NotUtf8(String),
    /// Redis would lose ballots when it restarts.
    #[error(
        "redis would lose all ballots that wait, and the register, when it restarts: it replays its \
         append-only file with the rights of its default user, who may not run {}; put `{}` into its \
         access list and reload it (ACL LOAD), nobody can log in as that user",
        .0.join(", "), votestream_schema::replay::CURE
    )]
    LosesBallotsAtRestart(Vec<String>),
    /// Redis answered a question for a stream's last ID with another text.
    #[error("redis gave the last ID of a stream: {0}")]
    NotAnEntryId(votestream_schema::ids::Error),
    /// A role that rights are to be granted to does not exist.
    #[error("postgres has no role `{0}`; create it first: CREATE ROLE … LOGIN PASSWORD …")]
    NoSuchRole(String),
    /// There is no poll with this slug.
    #[error("there is no poll `{0}`; `votectl poll list --all` shows all")]
    NoSuchPoll(Slug),
    /// The poll has no option with this slug.
    #[error("poll `{poll}` has no option `{option}`; `votectl poll show {poll}` lists them")]
    NoSuchOption {
        /// The poll.
        poll: Slug,
        /// The slug that none of its options has.
        option: Slug,
    },
    /// There is no organiser with this name who may still do something.
    #[error("there is no organiser `{0}`; `votectl organisers list` shows all")]
    NoSuchOrganiser(Slug),
    /// A title or a label breaks a rule.
    #[error(transparent)]
    BadText(#[from] votestream_schema::poll::Invalid),
    /// The poll's state or settings do not allow the operation.
    #[error("poll `{slug}` {reason}")]
    PollRefuses {
        /// The poll.
        slug: Slug,
        /// Why it refuses.
        reason: Refusal,
    },
    /// Anybody may vote in the poll, so voting codes would mean nothing.
    #[error(
        "anybody may vote in poll `{0}`: only a poll created with --voter-policy code takes codes"
    )]
    TakesNoCodes(Slug),
    /// Redis learnt no closing time before it was reached, in any of the attempts.
    #[error(
        "redis is too slow to learn a closing time before it is reached ({0} attempts); run this \
         command again"
    )]
    RedisTooSlow(u32),
    /// There is no dead letter with this name.
    #[error("there is no dead letter {0}; `votectl dead-letters list` shows all")]
    NoSuchLetter(LetterId),
    /// An operation stopped half-way, or the cause needs an explanation.
    #[error("{cause}; {advice}")]
    Explained {
        /// Why it stopped.
        cause: Box<Error>,
        /// The state now, and the next step.
        advice: String,
    },
}

/// Why a poll cannot be changed as asked, as the rest of a sentence that begins with the poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A draft has no closing time to set.
    #[error("is a draft; it has not opened")]
    IsDraft,
    /// An archived poll cannot be closed.
    #[error("is archived")]
    IsArchived,
    /// A poll closes once.
    #[error("is closed already, for good")]
    IsClosed,
    /// A scheduled poll can only be given a closing time.
    #[error("has not opened; --at sets when it will close")]
    NotOpened,
    /// Its own closing time is too close to move it.
    #[error("closes by itself within seconds")]
    ClosesWithinSeconds,
    /// Its own opening time is too close to move it.
    #[error("opens by itself within seconds")]
    OpensWithinSeconds,
    /// The closing time is too close for every partition to know it before.
    #[error(
        "can close {0} ms from now at the earliest, for every partition to know it before; choose a \
         later --at, or none"
    )]
    ClosesTooEarly(i64),
    /// The closing time lies before the opening time.
    #[error("would close before it opens: choose a later closing time")]
    ClosesBeforeItOpens,
    /// An open poll cannot be opened.
    #[error("is open already; `votectl poll close SLUG --at TIME` sets its end")]
    IsOpen,
    /// A poll opens once.
    #[error("is {0}, for good; create another one")]
    IsOver(PollState),
    /// It would not open by itself.
    #[error("is a draft: it does not open by itself")]
    IsNotScheduled,
    /// It is too late to cancel it.
    #[error("has opened; `votectl poll close` ends it")]
    HasOpened,
    /// It has no closing time to move.
    #[error("has no closing time; `votectl poll close SLUG --at TIME` sets one")]
    HasNoEnd,
    /// The new closing time is no later one.
    #[error(
        "closes at {} already: choose a later time, or end it earlier with `votectl poll close SLUG --at TIME`",
        rfc3339(*.0)
    )]
    EndsLaterAlready(i64),
    /// The opening time is past.
    #[error("cannot open in the past: choose a later --at")]
    OpensInThePast,
    /// It may take ballots already.
    #[error("is {0}, or about to open: it can no longer be rewritten; create another one")]
    MayTakeBallots(PollState),
    /// Only closed polls and drafts are archived.
    #[error("is {0}; close it first, with `votectl poll close`")]
    NotClosed(PollState),
    /// Its secret has been destroyed.
    #[error("is sealed: nobody can find out any more which voter a code belongs to")]
    IsSealed,
    /// There is no secret to compute names with.
    #[error(
        "has no secret any more, or never had one: nobody can find out which networks an address lies in"
    )]
    NoSecret,
    /// Whoever archives it must be able to seal it, too.
    #[error("is sealed when it is archived, which only `votectl poll archive` can do")]
    SealsWhenArchived,
    /// Only archived polls are sealed and erased.
    #[error("is {0}; archive it first, with `votectl poll archive`")]
    NotArchived(PollState),
    /// Not every ballot is counted, or it is not known.
    #[error("has ballots that may still be counted: {0}")]
    NotFinal(Unsettled),
    /// Nobody could use a voting code any more.
    #[error("is {0}: nobody could use a code")]
    TakesNoBallots(PollState),
}

impl Error {
    /// The same error with a text that explains the state now and the next step.
    pub fn explained(self, advice: impl Into<String>) -> Self {
        Self::Explained { cause: Box::new(self), advice: advice.into() }
    }

    /// Whether a server does not answer, so that the same operation may succeed later.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Redis(error) => redis_is_away(error),
            Self::Postgres(error) => postgres_is_away(error),
            Self::RedisTooSlow(_) => true,
            Self::Explained { cause, .. } => cause.is_away(),
            _ => false,
        }
    }

    /// Whether a server refused the login, or has no such database. A new deployment makes users and
    /// database only after the server, so waiting may help there.
    pub fn is_login_refused(&self) -> bool {
        match self {
            Self::Redis(error) => {
                error.kind() == redis::ErrorKind::AuthenticationFailed
                    || error.code().is_some_and(|code| ["WRONGPASS", "NOAUTH"].contains(&code))
            }
            // Class 28 (the login), and the database that does not exist.
            Self::Postgres(error) => error
                .code()
                .is_some_and(|state| state.code().starts_with("28") || state.code() == "3D000"),
            Self::Explained { cause, .. } => cause.is_login_refused(),
            _ => false,
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Postgres(error) => Self::Postgres(error),
            other => Self::Database(other),
        }
    }
}

/// The advice for errors of Postgres that operators meet: empty, or `; ` and a next step.
fn advice(error: &tokio_postgres::Error) -> &'static str {
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("42P01") => "; run `votectl migrate` first",
        Some("42501") => "; votectl needs the role that owns the tables in DATABASE_URL",
        Some("57014") => "; raise --statement-timeout-ms",
        _ => "",
    }
}

fn postgres_is_away(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        // Classes 08 (connection), 57P (shutting down, starting up) and 53 (out of resources) pass.
        Some(state) => ["08", "57P", "53"].iter().any(|class| state.code().starts_with(class)),
        None => {
            let source = std::error::Error::source(error);
            error.is_closed()
                || source.is_some_and(|source| source.is::<std::io::Error>())
                || error.to_string().contains("timed out")
                || error.to_string().starts_with("error connecting")
        }
    }
}

fn redis_is_away(error: &RedisError) -> bool {
    let waits = ["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"];
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_connection_refusal()
        || error.is_cluster_error()
        || error.code().is_some_and(|code| waits.contains(&code))
}
