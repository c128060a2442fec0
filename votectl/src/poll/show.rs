//! `votectl poll show`.

use serde::Serialize;
use votestream_schema::poll::now_ms;
use votestream_schema::tally::Tally;
use votestream_schema::{Poll, PollState, Slug, db};

use super::{find, state_in_words};
use crate::failure::Failure;
use crate::output::{Output, table};
use crate::servers::Servers;

const EXAMPLES: &str = "Examples:
  votectl poll show cats-vs-dogs
  votectl poll show cats-vs-dogs --json

Results are shown whatever the poll's visibility: it binds pages and APIs, not the operator.";

/// Shows a poll and its results
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll
    slug: Slug,
}

/// A poll's results, by option.
#[derive(Serialize)]
pub struct Results {
    /// Grows with every change.
    pub version: i64,
    /// People counted.
    pub voters: i64,
    /// In the order shown.
    pub options: Vec<OptionResult>,
}

/// An option's result.
#[derive(Serialize)]
pub struct OptionResult {
    /// The option.
    pub slug: Slug,
    /// What voters read.
    pub label: String,
    /// People who chose it.
    pub votes: i64,
    /// Of all people counted.
    pub share_percent: f64,
}

impl Results {
    /// Of this poll, with this tally.
    pub fn new(poll: &Poll, tally: &Tally) -> Self {
        let option = |(position, option): (usize, &votestream_schema::PollOption)| OptionResult {
            slug: option.slug.clone(),
            label: option.label.clone(),
            votes: tally.votes.get(position).copied().unwrap_or(0),
            share_percent: tally.share_percent(position),
        };
        let options = poll.options.iter().enumerate().map(option).collect();
        Self { version: tally.version, voters: tally.voters, options }
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    poll: Poll,
    state: PollState,
    results: Results,
}

/// Runs the subcommand.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), Failure> {
    let postgres = servers.postgres().await?;
    let poll = find(&postgres, &args.slug).await?;
    let tally = db::results::tally(&postgres, poll.id).await?;
    let results = Results::new(&poll, &tally);
    let shown = Shown { state: poll.state(now_ms()), poll, results };
    output.print(&shown, || describe(&shown))
}

fn describe(shown: &Shown) -> String {
    let Shown { poll, results, .. } = shown;
    let choices = match (poll.choices_min, poll.choices_max) {
        (min, max) if min == max => format!("exactly {min}"),
        (min, max) => format!("{min} to {max}"),
    };
    let facts = [
        ("poll", poll.slug.to_string()),
        ("title", poll.title.clone()),
        ("state", state_in_words(poll, now_ms())),
        ("choices", choices),
        ("votes", poll.vote_policy.to_string()),
        ("voters", poll.voter_policy.to_string()),
        ("visibility", poll.visibility.to_string()),
        ("revision", poll.revision.to_string()),
    ];
    let facts = facts.map(|(name, value)| format!("{name:<11}{value}")).join("\n");
    let row = |option: &OptionResult| {
        let share = format!("{:.1} %", option.share_percent);
        [option.slug.to_string(), option.votes.to_string(), share, option.label.clone()]
    };
    let rows: Vec<_> = results.options.iter().map(row).collect();
    let results_table = table(["OPTION", "VOTES", "SHARE", "LABEL"], &[1, 2], &rows);
    format!(
        "{facts}\n\n{results_table}\n\n{} voters counted (version {})",
        results.voters, results.version
    )
}
