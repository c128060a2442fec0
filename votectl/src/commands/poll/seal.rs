//! `votectl poll seal`.

use votestream_schema::Slug;
use votestream_votectl::Servers;
use votestream_votectl::operations::polls::{self, PollNow};

use super::progress::show_progress;
use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl poll seal board-election --yes

Sealing destroys the secret with which the poll names its voters, stores the votes in random order
under random keys, and removes the time of each vote. The results stay. This cannot be undone, and
a vote can then no longer be audited by its voter. Copies from before (backups, replicas, files of
`pg_wal`, and Redis' append-only file until its next rewrite) still hold the secret and the votes:
delete the backups, and run CHECKPOINT in Postgres and BGREWRITEAOF in Redis.";

/// Destroy what tells who chose what, for an archived poll
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// Confirm it: it cannot be undone
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    if !args.yes {
        return Err(CliError::Refused(
            "nobody can find out who chose what once a poll is sealed, and it cannot be undone; add --yes if that is meant",
        ));
    }
    let sealed = polls::seal(servers, &args.slug, show_progress).await?;
    output.print(&sealed, || sealed_in_words(&sealed))
}

/// What sealing a poll has done.
pub fn sealed_in_words(sealed: &PollNow) -> String {
    let slug = &sealed.poll.slug;
    format!(
        "poll `{slug}` is sealed: its tables and its Redis no longer tell who chose what; backups from before, pg_wal and \
         Redis' append-only file still do (see --help)"
    )
}
