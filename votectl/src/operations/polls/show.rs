//! Shows a poll with its results.

use serde::Serialize;
use votestream_schema::db::poll_changes::PollChange;
use votestream_schema::db::watermarks::Progress;
use votestream_schema::poll::now_ms;
use votestream_schema::tally::{Share, Tally};
use votestream_schema::{Poll, PollOption, PollState, Slug, db};

use super::stored::find;
use crate::error::Error;
use crate::servers::Servers;

impl Results {
    /// Says in words how complete the results are, for people who read or pass them on.
    pub fn completeness(&self, state: PollState) -> String {
        let waiting = match self.waiting {
            Some(waiting) => format!("{waiting} accepted ballots are not counted yet"),
            None => "how many accepted ballots are not counted yet is not known".to_owned(),
        };
        match state {
            PollState::Draft | PollState::Scheduled => "the poll has not opened".to_owned(),
            PollState::Open => format!("NOT FINAL: the poll is open; {waiting}"),
            _ if self.is_final => "final: every accepted ballot is counted".to_owned(),
            _ => format!("NOT FINAL: the last ballots are being counted; {waiting}"),
        }
    }
}

/// The results of a poll, by option.
#[derive(Debug, Serialize)]
pub struct Results {
    /// A number that grows with every change of the tally.
    pub version: i64,
    /// People counted; where several choices are allowed, the votes add up to more.
    pub voters: i64,
    /// The results of the options, in the order shown to voters.
    pub options: Vec<OptionResult>,
    /// Whether the result is complete and cannot change any more.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Every ballot that came in before this time is settled, in milliseconds since the epoch; `None` if not known.
    pub complete_to_ms: Option<i64>,
    /// Ballots that were accepted and are not settled; `None` if not known.
    pub waiting: Option<i64>,
}

/// The result of one option.
#[derive(Debug, Serialize)]
pub struct OptionResult {
    /// The option's name in URLs and JSON.
    pub slug: Slug,
    /// The text that voters read.
    pub label: String,
    /// People who chose it.
    pub votes: i64,
    /// Its share of all people counted, in percent; 0 while nobody has voted.
    pub share_percent: f64,
    /// The same as pages show it.
    #[serde(skip)]
    pub share: String,
}

impl Results {
    /// The results of this poll by this tally. `progress` was read before the tally, or in the same snapshot.
    pub fn new(poll: &Poll, tally: &Tally, progress: Progress) -> Self {
        let shares = tally.shares();
        let option = |(position, option): (usize, &PollOption)| OptionResult {
            slug: option.slug.clone(),
            label: option.label.clone(),
            votes: tally.votes.get(position).copied().unwrap_or(0),
            share_percent: tally.share_percent(position),
            share: shares.get(position).map_or_else(String::new, Share::to_string),
        };
        let options = poll.options.iter().enumerate().map(option).collect();
        Self {
            version: tally.version,
            voters: tally.voters,
            options,
            is_final: poll.is_final(progress.complete_to_ms, now_ms()),
            complete_to_ms: progress.complete_to_ms,
            waiting: progress.waiting,
        }
    }
}

/// A poll with its state, its results and its changes.
#[derive(Debug, Serialize)]
pub struct PollWithResults {
    /// The poll.
    #[serde(flatten)]
    pub poll: Poll,
    /// Its state when it was read.
    pub state: PollState,
    /// Its results, whatever its visibility: that binds pages and APIs, not the operator.
    pub results: Results,
    /// What was changed in it, the oldest change first.
    pub changes: Vec<PollChange>,
}

/// Reads a poll and its results. Needs Postgres alone.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], or the error of Postgres.
pub async fn show(servers: &Servers, slug: &Slug) -> Result<PollWithResults, Error> {
    let postgres = servers.postgres().await?;
    let poll = find(&postgres, slug).await?;
    // The progress first: what it calls complete is in the tally.
    let progress = db::watermarks::progress(&postgres, poll.id).await?;
    let tally = db::results::tally(&postgres, poll.id).await?;
    let results = Results::new(&poll, &tally, progress);
    let changes = db::poll_changes::of(&postgres, poll.id).await?;
    Ok(PollWithResults { state: poll.state(now_ms()), poll, results, changes })
}
