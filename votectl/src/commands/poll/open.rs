//! `votectl poll open`.

use votestream_schema::Slug;
use votestream_votectl::operations::polls;
use votestream_votectl::{Moment, Servers};

use super::state::{state_in_words, warn_of_late};
use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl poll open cats-vs-dogs
  votectl poll open lunch --closes-at +2h
  votectl poll open finale --at 2026-03-01T20:00:00Z --closes-at 2026-03-01T20:15:00Z";

/// Open a draft or a scheduled poll, now or at a time
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// When it opens by itself: RFC 3339, `now`, `+10m`, `+2h`
    #[arg(long, value_name = "TIME", default_value = "now")]
    at: Moment,
    /// When it closes by itself; the time that was set before when absent
    #[arg(long, value_name = "TIME")]
    closes_at: Option<Moment>,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let opened = polls::open(servers, &args.slug, args.at, args.closes_at).await?;
    warn_of_late(opened.producers.as_ref());
    let now = &opened.now;
    output.print(&opened, || {
        format!("poll `{}` is {}", now.poll.slug, state_in_words(&now.poll, now.state))
    })
}
