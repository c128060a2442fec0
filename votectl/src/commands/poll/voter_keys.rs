//! `votectl poll voter-keys`.

use std::io::Read;

use uuid::Uuid;
use votestream_schema::{Slug, VoterId};
use votestream_votectl::Servers;
use votestream_votectl::operations::polls;

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  echo 0190c42ab6f87abc8def0123456789ab | votectl poll voter-keys cats-vs-dogs

The id of a voter is the second part of the cookie, between the first two dots. Votes are stored and
exported under keys; this command finds the vote of a voter who asks for it. Each line of standard
input is an id, and each line of the output is its key. After `votectl poll seal` nobody can compute
the keys of a poll.";

/// Compute the keys under which a poll stores voters, for ids on standard input
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| CliError::File { path: "standard input".to_owned(), error })?;
    let read = |line: &str| Uuid::try_parse(line).map(VoterId);
    let voters: Result<Vec<_>, _> = text.split_whitespace().map(read).collect();
    let voters = voters.map_err(|_| {
        CliError::Refused(
            "standard input has a line that is not the id of a voter: 32 hexadecimal digits",
        )
    })?;
    let keys = polls::voter_keys(servers, &args.slug, &voters).await?;
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    output.print(&keys, || keys.join("\n"))
}
