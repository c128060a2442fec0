//! `votectl poll extend`.

use std::time::Duration;

use votestream_schema::Slug;
use votestream_schema::poll::rfc3339;
use votestream_votectl::operations::polls::{self, Extension};
use votestream_votectl::{InvalidMoment, Moment, Servers};

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl poll extend finale --by 10m
  votectl poll extend finale --to \"2026-03-01 20:30 Europe/Berlin\"";

/// Let a poll close later than it would
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// How much longer it stays open, counted from its closing time: `90s`, `10m`, `1h30m`
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "to",
          required_unless_present = "to")]
    by: Option<Duration>,
    /// When it closes instead: `+10m` from now, RFC 3339, or "2026-03-01 20:30 Europe/Berlin"
    #[arg(long, value_name = "TIME")]
    to: Option<Moment>,
}

/// Reads a duration as it stands behind the `+` of a time.
fn duration(text: &str) -> Result<Duration, InvalidMoment> {
    let ms = format!("+{text}").parse::<Moment>()?.ms(0);
    Ok(Duration::from_millis(ms.unsigned_abs()))
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let extension = match (args.by, args.to) {
        (Some(by), _) => Extension::By(by),
        (None, Some(to)) => Extension::To(to),
        (None, None) => return Err(CliError::Refused("--by or --to is missing")),
    };
    let extended = polls::extend(servers, &args.slug, extension).await?;
    output.print(&extended, || {
        let closes_at = rfc3339(extended.poll.closes_at_ms.unwrap_or_default());
        format!("poll `{}` closes at {closes_at}", extended.poll.slug)
    })
}
