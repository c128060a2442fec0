//! Shows a poll with its results.

use serde::Serialize;
use votestream_schema::poll::now_ms;
use votestream_schema::tally::Tally;
use votestream_schema::{Poll, PollOption, PollState, Slug, db};

use super::stored::find;
use crate::error::Error;
use crate::servers::Servers;

/// The results of a poll, by option.
#[derive(Debug, Serialize)]
pub struct Results {
    /// A number that grows with every change of the tally.
    pub version: i64,
    /// People counted; where several choices are allowed, the votes add up to more.
    pub voters: i64,
    /// The results of the options, in the order shown to voters.
    pub options: Vec<OptionResult>,
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
}

impl Results {
    /// The results of this poll by this tally.
    pub fn new(poll: &Poll, tally: &Tally) -> Self {
        let option = |(position, option): (usize, &PollOption)| OptionResult {
            slug: option.slug.clone(),
            label: option.label.clone(),
            votes: tally.votes.get(position).copied().unwrap_or(0),
            share_percent: tally.share_percent(position),
        };
        let options = poll.options.iter().enumerate().map(option).collect();
        Self { version: tally.version, voters: tally.voters, options }
    }
}

/// A poll with its state and its results.
#[derive(Debug, Serialize)]
pub struct PollWithResults {
    /// The poll.
    #[serde(flatten)]
    pub poll: Poll,
    /// Its state when it was read.
    pub state: PollState,
    /// Its results, whatever its visibility: that binds pages and APIs, not the operator.
    pub results: Results,
}

/// Reads a poll and its results. Needs Postgres alone.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], or the error of Postgres.
pub async fn show(servers: &Servers, slug: &Slug) -> Result<PollWithResults, Error> {
    let postgres = servers.postgres().await?;
    let poll = find(&postgres, slug).await?;
    let tally = db::results::tally(&postgres, poll.id).await?;
    let results = Results::new(&poll, &tally);
    Ok(PollWithResults { state: poll.state(now_ms()), poll, results })
}
