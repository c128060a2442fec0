//! `votectl poll at`.

use votestream_schema::Slug;
use votestream_schema::poll::now_ms;
use votestream_votectl::operations::polls::{self, PastOption, PastResult};
use votestream_votectl::{Moment, Servers};

use crate::cli_error::CliError;
use crate::output::{Output, table};

const EXAMPLES: &str = "Examples:
  votectl poll at cats-vs-dogs 2026-05-16T21:05:30Z
  votectl poll at cats-vs-dogs \"2026-05-16 23:05:30 Europe/Berlin\" --json

Adds up the public log of the poll: all ballots that came in until the end of that second, whenever they were counted. Compares
it with the series of people per second. Exit code 1 if the two differ.";

/// Show the result of a poll as it stood at a past second
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// The second: RFC 3339, or "2026-03-01 20:00 Europe/Berlin"
    #[arg(value_name = "TIME")]
    at: Moment,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let second = args.at.ms(now_ms()).div_euclid(1_000);
    let past = polls::at(servers, &args.slug, second).await?;
    output.print(&past, || describe(&past))?;
    match past.series_agrees {
        true => Ok(()),
        false => Err(CliError::Refused(
            "log and series differ; if ballots are being counted, run this again, else run `votectl audit`",
        )),
    }
}

fn describe(past: &PastResult) -> String {
    let row = |it: &PastOption| [it.slug.to_string(), it.votes.to_string(), it.label.clone()];
    let rows: Vec<_> = past.options.iter().map(row).collect();
    let (in_log, in_series) = past.standing;
    let agrees = if past.series_agrees { "as in the series" } else { "DIFFERENT" };
    format!(
        "poll {} at {}\n\n{}\n\n{} voters, from {} entries of the log\nof the votes until then {in_log} stand today, and {in_series} in the series: {agrees}",
        past.poll,
        past.at,
        table(["OPTION", "VOTES", "LABEL"], &[1], &rows),
        past.voters,
        past.entries,
    )
}
