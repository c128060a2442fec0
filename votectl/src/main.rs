//! `votectl`: the operator's command line.
//!
//! Each command has a file in `commands/`; the operations that they call are in the library (`lib.rs`).
//! Exit codes: 0 done; 1 refused, not found, or an audit found a difference; 2 wrong usage; 3 a
//! server is away; `votectl verify` ends with 0, 1 or 2 as its help says. Results go to standard output, everything else to standard error. Passwords are never
//! printed.

mod cli_error;
mod commands;
mod output;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser};
use votestream_service::config::{PostgresArgs, RedisArgs};
use votestream_votectl::Servers;

use output::Output;

/// Looks after a Votestream deployment: its polls, voting codes, dead letters and audit
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 refused or not found or the audit finds a \
    difference, 2 wrong usage, 3 a server is away. `votectl verify` has its own."
)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: commands::Command,
}

/// Settings that every command takes.
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let code = run().await;
    output::show_exit_code(code);
    ExitCode::from(code)
}

/// Runs the command of the arguments, and returns the exit code.
async fn run() -> u8 {
    let command = Cli::command().mut_args(|arg| arg.global(true));
    let parsed = command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody can be notified if the output is closed.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(u8::MAX);
        }
    };
    let output = Output::new(cli.settings.json);
    let wait = Duration::from_secs(cli.settings.wait_for_servers.into());
    let servers = Servers::new(cli.settings.redis, cli.settings.postgres, wait, output::note);
    match commands::run(cli.command, &servers, &output).await {
        Ok(()) => 0,
        Err(error) => {
            output::note(&error.to_string());
            error.exit_code()
        }
    }
}
