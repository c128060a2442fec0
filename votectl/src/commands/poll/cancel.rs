//! `votectl poll cancel`.

use votestream_schema::Slug;
use votestream_votectl::Servers;
use votestream_votectl::operations::polls;

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl poll cancel finale

The poll is a draft again: it can be rewritten with `votectl poll create --update`, opened with `votectl poll open`,
or archived. A poll that has opened cannot be cancelled; close it.";

/// Cancel the opening of a scheduled poll
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let cancelled = polls::cancel(servers, &args.slug).await?;
    output.print(&cancelled, || {
        format!("poll `{}` does not open by itself any more: it is a draft", cancelled.poll.slug)
    })
}
