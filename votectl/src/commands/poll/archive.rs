//! `votectl poll archive`.

use std::io::{IsTerminal, Write};

use votestream_schema::Slug;
use votestream_votectl::Servers;
use votestream_votectl::operations::polls;

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl poll archive cats-vs-dogs

Votes and results are kept, and `votectl poll show` and `export` go on showing them. What Redis
knows of the poll's voters is forgotten.";

/// Archive a closed poll, or a draft
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let archived = polls::archive(servers, &args.slug, show_progress).await?;
    output.print(&archived, || format!("poll `{}` is archived", archived.poll.slug))
}

/// Shows progress on standard error: on one line of a terminal, else only at the end.
fn show_progress(done: u16, partitions: u16) {
    let text = format!("forgetting voters: partition {done} of {partitions}");
    let mut stderr = std::io::stderr().lock();
    // Progress that cannot be shown is no reason to stop.
    let _ = match (stderr.is_terminal(), done == partitions) {
        (true, false) => write!(stderr, "\r{text}"),
        (true, true) => writeln!(stderr, "\r{text}"),
        (false, true) => writeln!(stderr, "{text}"),
        (false, false) => Ok(()),
    };
}
