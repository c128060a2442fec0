//! Whether Redis lost acknowledged entries, or would at its next restart.

use serde::Serialize;
use tokio_postgres::Client;
use votestream_schema::db::positions::{self, Regression};
use votestream_schema::poll::now_ms;
use votestream_service::replay::ReplayRights;

use crate::failure::Failure;
use crate::servers::Redis;

/// What is known of the streams beside their entries.
#[derive(Debug, Serialize)]
pub struct Streams {
    /// Streams that went back, and of which no operator has taken note.
    pub regressions: Vec<Regression>,
    /// Whether a restart of Redis keeps what waits: `yes`, `no` or `unknown`.
    pub survives_restart: &'static str,
    /// Why a restart would lose ballots, or why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Compares the streams with the positions that were seen before, and stores what was found, as consumers do every
/// second: an audit while no consumer runs finds a loss, too.
pub async fn look(
    postgres: &Client,
    redis: &mut Redis,
    acknowledge: bool,
) -> Result<Streams, Failure> {
    let before = positions::seen(postgres).await?;
    let now = redis.positions().await?;
    positions::advance(postgres, &before, &now, now_ms()).await?;
    if acknowledge {
        let noted = positions::acknowledge_regressions(postgres, now_ms()).await?;
        eprintln!("votectl: took note of {noted} streams that went back");
    }
    let regressions = positions::regressions(postgres).await?;
    let (survives_restart, why) = match redis.replay_rights().await? {
        ReplayRights::Complete => ("yes", None),
        ReplayRights::NotNeeded => {
            ("no", Some("the append-only file is off (appendonly no)".to_owned()))
        }
        ReplayRights::Missing(commands) => {
            let why = format!("the default user of redis may not run {}", commands.join(", "));
            ("no", Some(why))
        }
        ReplayRights::Unknown(reason) => ("unknown", Some(reason)),
    };
    Ok(Streams { regressions, survives_restart, why })
}

impl Streams {
    /// Whether no stream went back.
    pub fn is_ok(&self) -> bool {
        self.regressions.is_empty()
    }

    /// One line for each loss, and one when a restart would lose ballots or nobody knows.
    pub fn describe(&self) -> Vec<String> {
        let loss = |regression: &Regression| {
            let found = jiff::Timestamp::from_millisecond(regression.found_at_ms);
            format!(
                "REDIS LOST ENTRIES of partition {}, found at {}: last ID {} before and {} after, entries ever \
                 added {} before and {} after; `votectl audit --acknowledge-regressions` when you have taken note",
                regression.partition,
                found.map_or_else(|_| regression.found_at_ms.to_string(), |time| time.to_string()),
                regression.last_before,
                regression.last_after,
                regression.added_before,
                regression.added_after,
            )
        };
        let restart = self.why.as_ref().map(|why| match self.survives_restart {
            "no" => format!("A RESTART OF REDIS WOULD LOSE BALLOTS that wait: {why}"),
            _ => format!("whether a restart of redis keeps what waits is not known: {why}"),
        });
        self.regressions.iter().map(loss).chain(restart).collect()
    }
}
