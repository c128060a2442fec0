//! `votectl organisers`.

mod add;
mod link;
mod list;
mod revoke;

use clap::Subcommand;
use votestream_votectl::Servers;

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl organisers add anna --role admin
  votectl organisers add ben --role host --poll lunch --poll dinner
  votectl organisers link anna --url https://host.example
  votectl organisers revoke ben
  votectl organisers list";

/// Adds, lists and revokes the people who may change polls through the host's service
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    Add(add::Args),
    Link(link::Args),
    List(list::Args),
    Revoke(revoke::Args),
}

/// Runs the command.
pub async fn run(command: Command, servers: &Servers, output: &Output) -> Result<(), CliError> {
    match command {
        Command::Add(args) => add::run(&args, servers, output).await,
        Command::Link(args) => link::run(&args, servers, output).await,
        Command::List(list::Args {}) => list::run(servers, output).await,
        Command::Revoke(args) => revoke::run(&args, servers, output).await,
    }
}
