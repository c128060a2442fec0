//! `votectl poll list`.

use serde::Serialize;
use votestream_schema::poll::{Visibility, VoterPolicy, now_ms, rfc3339};
use votestream_schema::{Poll, PollState, Slug, db};

use super::times::shown_or_dash;
use crate::failure::Failure;
use crate::output::{Output, table};
use crate::servers::Servers;

const EXAMPLES: &str = "Examples:
  votectl poll list
  votectl poll list --all --json";

/// Lists polls
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Archived polls, too
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Listed {
    slug: Slug,
    title: String,
    state: PollState,
    voters: i64,
    voter_policy: VoterPolicy,
    visibility: Visibility,
    opens_at: Option<String>,
    closes_at: Option<String>,
    #[serde(skip)]
    times_ms: (Option<i64>, Option<i64>),
}

/// Runs the subcommand.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), Failure> {
    let postgres = servers.postgres().await?;
    let now_ms = now_ms();
    let mut listed = Vec::new();
    let stored = db::polls::all(&postgres).await?;
    for unreadable in &stored.unreadable {
        eprintln!("votectl: {unreadable}");
    }
    for poll in stored.readable {
        if args.all || poll.state(now_ms) != PollState::Archived {
            let voters = db::results::tally(&postgres, poll.id).await?.voters;
            listed.push(line(poll, voters, now_ms));
        }
    }
    output.print(&listed, || match listed.as_slice() {
        [] => "there are no polls; `votectl poll create --help` tells how to make one".to_owned(),
        listed => in_columns(listed),
    })
}

fn line(poll: Poll, voters: i64, now_ms: i64) -> Listed {
    Listed {
        state: poll.state(now_ms),
        slug: poll.slug,
        title: poll.title,
        voters,
        voter_policy: poll.voter_policy,
        visibility: poll.visibility,
        opens_at: poll.opens_at_ms.map(rfc3339),
        closes_at: poll.closes_at_ms.map(rfc3339),
        times_ms: (poll.opens_at_ms, poll.closes_at_ms),
    }
}

fn in_columns(listed: &[Listed]) -> String {
    let cells = |poll: &Listed| {
        [
            poll.slug.to_string(),
            poll.state.to_string(),
            poll.voters.to_string(),
            poll.voter_policy.to_string(),
            poll.visibility.to_string(),
            shown_or_dash(poll.times_ms.0),
            shown_or_dash(poll.times_ms.1),
            poll.title.clone(),
        ]
    };
    let rows: Vec<_> = listed.iter().map(cells).collect();
    let header = ["POLL", "STATE", "VOTERS", "WHO VOTES", "RESULTS", "OPENS", "CLOSES", "TITLE"];
    table(header, &[2], &rows)
}
