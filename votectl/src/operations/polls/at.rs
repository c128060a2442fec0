//! The result of a poll as it stood at a past second, from its public log.

use serde::Serialize;
use votestream_schema::poll::rfc3339;
use votestream_schema::{Slug, db};
use votestream_transparency::timeline::Replay;

use super::stored::find;
use crate::error::Error;
use crate::servers::Servers;

/// Bundles that are read at a time: some megabytes.
const BUNDLES: i64 = 128;

/// The votes of an option at a past second.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PastOption {
    /// The option's name in URLs and JSON.
    pub slug: Slug,
    /// The text that voters read.
    pub label: String,
    /// People whose vote for it stood.
    pub votes: i64,
}

/// A result at a past second.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PastResult {
    /// The poll.
    pub poll: Slug,
    /// The second; its ballots are included.
    pub at: String,
    /// The options, in the order shown to voters.
    pub options: Vec<PastOption>,
    /// People whose vote stood.
    pub voters: i64,
    /// The entries of the log that were read.
    pub entries: u64,
    /// Whether votes that stand today and came in until then are as many as the series has. They differ for a moment while
    /// ballots are being counted.
    pub series_agrees: bool,
    /// The votes until then that stand today: in the log, and in the series.
    pub standing: (i64, i64),
}

/// Adds up the entries of a poll's log whose ballots came in until the end of this second of Unix time. Needs Postgres alone.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::Settings`] if the log cannot be added up, or the error of Postgres.
pub async fn at(servers: &Servers, slug: &Slug, second: i64) -> Result<PastResult, Error> {
    let postgres = servers.postgres().await?;
    let poll = find(&postgres, slug).await?;
    let refused = |reason: String| Error::Settings(format!("the log of poll `{slug}` {reason}"));
    if !poll.secrecy.receipts {
        return Err(refused("does not exist: the poll gives no receipts".to_owned()));
    }
    if poll.secrecy.is_sealed() {
        return Err(refused("has no entries any more: the poll is sealed or erased".to_owned()));
    }
    let mut replay = Replay::default();
    let mut next = 0;
    loop {
        let bundles = db::log::bundles_from(&postgres, poll.id, next, BUNDLES).await?;
        for (_, bundle) in &bundles {
            replay.add_bundle(bundle).map_err(|reason| refused(reason.to_string()))?;
        }
        match bundles.last() {
            Some((index, _)) if bundles.len() as i64 == BUNDLES => next = index + 1,
            _ => break,
        }
    }
    let entries = replay.entries();
    let timeline = replay.finish();
    let (then, in_log) = (timeline.at(second), timeline.standing_today(second));
    let series = db::results::series(&postgres, poll.id).await?;
    let until = series.iter().filter(|(of, _)| *of <= second);
    let in_series = until.map(|(_, people)| people).sum();
    let options = poll.options.iter().enumerate().map(|(position, option)| PastOption {
        slug: option.slug.clone(),
        label: option.label.clone(),
        votes: then.votes(position),
    });
    Ok(PastResult {
        poll: slug.clone(),
        at: rfc3339(second * 1_000),
        options: options.collect(),
        voters: then.voters,
        entries,
        series_agrees: in_log == in_series,
        standing: (in_log, in_series),
    })
}
