//! Whether Redis lost acknowledged entries, or would at its next restart.

use serde::Serialize;
use tokio_postgres::Client;
use votestream_schema::db::positions::{self, Regression};
use votestream_schema::poll::now_ms;
use votestream_service::replay::ReplayRights;

use crate::error::Error;
use crate::servers::Redis;

/// Streams that lost entries, and whether a restart would lose more.
#[derive(Debug, Serialize)]
pub struct Streams {
    /// Streams that went back, and of which no operator has taken note.
    pub regressions: Vec<Regression>,
    /// Whether a restart of Redis keeps the entries that wait: `yes`, `no` or `unknown`.
    pub survives_restart: &'static str,
    /// Why a restart would lose ballots, or why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How many streams that went back were taken note of now, if that was asked for.
    #[serde(skip)]
    pub acknowledged: Option<u64>,
}

/// Compares the streams with the positions that were seen before, and stores the result, as consumers do every
/// second: an audit while no consumer runs finds a loss, too.
pub(super) async fn check(
    postgres: &Client,
    redis: &mut Redis,
    acknowledge: bool,
) -> Result<Streams, Error> {
    let before = positions::seen(postgres).await?;
    let now = redis.positions().await?;
    positions::advance(postgres, &before, &now, now_ms()).await?;
    let acknowledged = match acknowledge {
        true => Some(positions::acknowledge_regressions(postgres, now_ms()).await?),
        false => None,
    };
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
    Ok(Streams { regressions, survives_restart, why, acknowledged })
}

impl Streams {
    /// Whether no stream went back.
    pub fn is_ok(&self) -> bool {
        self.regressions.is_empty()
    }
}
