//! `votectl codes`.

mod count;
mod file;
mod handout;
mod import;
mod issue;
mod revoke;
mod sheet;

use clap::Subcommand;
use votestream_votectl::Servers;

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl codes issue members-vote --count 500 --output codes.csv --link https://vote.example/polls/members-vote
  votectl codes issue members-vote --count 80 --output codes.html --link https://vote.example/polls/members-vote
  votectl codes import members-vote codes-of-the-club.csv
  votectl codes revoke members-vote lost-codes.txt
  votectl codes count members-vote";

/// Issues, imports, revokes and counts one-time voting codes, for polls with the voter policy `code`
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    Issue(issue::Args),
    Import(import::Args),
    Revoke(revoke::Args),
    Count(count::Args),
}

/// Runs the command.
pub async fn run(command: Command, servers: &Servers, output: &Output) -> Result<(), CliError> {
    match command {
        Command::Issue(args) => issue::run(&args, servers, output).await,
        Command::Import(args) => import::run(&args, servers, output).await,
        Command::Revoke(args) => revoke::run(&args, servers, output).await,
        Command::Count(args) => count::run(&args, servers, output).await,
    }
}
