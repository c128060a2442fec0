//! `votectl poll close`.

use std::time::Duration;

use votestream_schema::Slug;
use votestream_schema::poll::rfc3339;
use votestream_votectl::operations::polls::{self, Closed};
use votestream_votectl::{InFlight, Moment, Servers};

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl poll close cats-vs-dogs
  votectl poll close cats-vs-dogs --wait
  votectl poll close finale --at 2026-03-01T20:15:00Z

Ballots that were accepted before the closing time are counted, even if that takes longer.";

/// Close an open poll for good, now or at a time
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// When it closes: RFC 3339, `+10m`, `+2h`; half a second from now when absent
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
    /// Wait until every ballot is counted, for so many seconds at most
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60",
          value_parser = clap::value_parser!(u32).range(1..))]
    wait: Option<u32>,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let wait = args.wait.map(|seconds| Duration::from_secs(seconds.into()));
    let closed = polls::close(servers, &args.slug, args.at, wait).await?;
    output.print(&closed, || describe(&closed))?;
    match (&closed.in_flight, args.wait) {
        (Some(in_flight), Some(_)) if !in_flight.is_none() => Err(CliError::Refused(
            "not all ballots are counted yet: look whether the consumers run, then run this command again",
        )),
        _ => Ok(()),
    }
}

fn describe(closed: &Closed) -> String {
    let slug = &closed.poll.slug;
    let at = rfc3339(closed.poll.closes_at_ms.unwrap_or_default());
    match &closed.in_flight {
        None => format!("poll `{slug}` closes at {at}"),
        Some(in_flight) if in_flight.is_none() => {
            format!("poll `{slug}` is closed since {at}; every ballot is counted")
        }
        Some(InFlight { ballots, complete }) => {
            let about = if *complete { "" } else { "at least " };
            format!(
                "poll `{slug}` is closed since {at}; {about}{ballots} ballots are still to be counted"
            )
        }
    }
}
