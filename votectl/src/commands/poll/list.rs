//! `votectl poll list`.

use votestream_votectl::Servers;
use votestream_votectl::operations::polls::{self, Listed};

use crate::cli_error::CliError;
use crate::output::{Output, note, table};

const EXAMPLES: &str = "Examples:
  votectl poll list
  votectl poll list --all --json";

/// List polls
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// List archived polls, too
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let list = polls::list(servers, args.all).await?;
    for unreadable in &list.unreadable {
        note(&format!("{unreadable}; if a newer release wrote it, use that release's votectl"));
    }
    output.print(&list.polls, || match list.polls.as_slice() {
        [] => "there are no polls; `votectl poll create --help` shows how to create one".to_owned(),
        listed => in_columns(listed),
    })
}

fn in_columns(listed: &[Listed]) -> String {
    let time = |time: &Option<String>| time.clone().unwrap_or_else(|| "-".to_owned());
    let cells = |poll: &Listed| {
        [
            poll.slug.to_string(),
            poll.state.to_string(),
            poll.voters.to_string(),
            poll.voter_policy.to_string(),
            poll.visibility.to_string(),
            time(&poll.opens_at),
            time(&poll.closes_at),
            poll.title.clone(),
        ]
    };
    let rows: Vec<_> = listed.iter().map(cells).collect();
    let header = ["POLL", "STATE", "VOTERS", "WHO VOTES", "RESULTS", "OPENS", "CLOSES", "TITLE"];
    table(header, &[2], &rows)
}
