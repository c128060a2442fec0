//! `votectl forget`.

use votestream_schema::Slug;
use votestream_votectl::Servers;
use votestream_votectl::operations::polls::{self, Due, Erased};

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl forget --dry-run
  votectl forget
  votectl forget board-election --now

A poll states with keep_votes_days how long its votes are kept after its closing time. Run this
command once a day, for instance by cron. Only archived polls are erased. The results stay.";

/// Delete the votes of polls that keep them no longer; the results stay
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Delete the votes of this poll, whether it still keeps them or not; needs --now
    #[arg(requires = "now")]
    slug: Option<Slug>,
    /// Delete at once the votes of the poll that is named
    #[arg(long, requires = "slug")]
    now: bool,
    /// Show which votes would be deleted, and delete none
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub async fn run(args: Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let due = args.slug.map_or(Due::Expired, Due::Now);
    let erased = polls::erase(servers, &due, args.dry_run).await?;
    output.print(&erased, || describe(&erased, args.dry_run))?;
    match erased.iter().any(|poll| poll.refused.is_some()) {
        true => {
            Err(CliError::Refused("some polls could not be erased; the output has the reasons"))
        }
        false => Ok(()),
    }
}

fn describe(erased: &[Erased], dry_run: bool) -> String {
    if erased.is_empty() {
        return "no poll has votes that are no longer kept".to_owned();
    }
    let verb = if dry_run { "would be deleted" } else { "are deleted; the results stay" };
    let line = |poll: &Erased| match &poll.refused {
        Some(reason) => format!("nothing deleted: {reason}"),
        None => format!("poll `{}`: {} votes {verb}", poll.poll, poll.votes),
    };
    erased.iter().map(line).collect::<Vec<_>>().join("\n")
}
