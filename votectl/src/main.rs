//! `votectl`: what an operator does to a deployment.
//!
//! One file a subcommand. Exit codes: 0 done; 1 refused, not found, or an audit found a difference;
//! 2 wrong usage; 3 a server is away. Results go to standard output, everything else to standard
//! error. Passwords are never printed.

mod audit;
mod codes;
mod dead_letters;
mod entries;
mod failure;
mod migrate;
mod output;
mod poll;
mod servers;
mod under_way;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use votestream_service::config::{PostgresArgs, RedisArgs};

use failure::Failure;
use output::Output;
use servers::Servers;

/// Looks after a Votestream deployment: its polls, voting codes, dead letters and books.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 refused or not found or the audit finds a \
    difference, 2 wrong usage, 3 a server is away."
)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

/// Taken by every subcommand.
#[derive(Args)]
#[command(next_help_heading = "Settings of every command")]
struct Settings {
    #[command(flatten)]
    redis: RedisArgs,
    #[command(flatten)]
    postgres: PostgresArgs,
    /// Wait until Redis and Postgres can be used, for this many seconds at most
    #[arg(long, env = "WAIT_S", value_name = "SECONDS", default_value_t = 0)]
    wait_for_servers: u32,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    Migrate(migrate::Args),
    #[command(subcommand)]
    Poll(poll::Command),
    #[command(subcommand)]
    Codes(codes::Command),
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    Audit(audit::Args),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let command = Cli::command().mut_args(|arg| arg.global(true));
    let cli = Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    let output = Output::new(cli.settings.json);
    let servers = {
        let wait = Duration::from_secs(cli.settings.wait_for_servers.into());
        Servers::new(cli.settings.redis, cli.settings.postgres, wait)
    };
    match run(cli.command, &servers, &output).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("votectl: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn run(command: Command, servers: &Servers, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Migrate(args) => migrate::run(&args, servers, output).await,
        Command::Poll(command) => Box::pin(poll::run(command, servers, output)).await,
        Command::Codes(command) => codes::run(command, servers, output).await,
        Command::DeadLetters(command) => dead_letters::run(command, servers, output).await,
        Command::Audit(args) => audit::run(&args, servers, output).await,
    }
}
