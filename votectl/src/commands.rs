//! The commands of `votectl`, one file each: its options, and the output that it prints.

mod audit;
mod codes;
mod dead_letters;
mod forget;
mod keygen;
mod log;
mod migrate;
mod organisers;
mod poll;
mod resync;
mod verify;

use clap::Subcommand;
use votestream_votectl::Servers;

use crate::cli_error::CliError;
use crate::output::Output;

/// The first word of a command line.
#[derive(Subcommand)]
pub enum Command {
    Migrate(migrate::Args),
    #[command(subcommand)]
    Poll(poll::Command),
    #[command(subcommand)]
    Codes(codes::Command),
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    Audit(audit::Args),
    Forget(forget::Args),
    Keygen(keygen::Args),
    Resync(resync::Args),
    Verify(verify::Args),
    #[command(subcommand)]
    Organisers(organisers::Command),
    Log(log::Args),
}

/// Runs a command, and prints its result.
pub async fn run(command: Command, servers: &Servers, output: &Output) -> Result<(), CliError> {
    match command {
        Command::Migrate(args) => migrate::run(args, servers, output).await,
        Command::Poll(command) => Box::pin(poll::run(command, servers, output)).await,
        Command::Codes(command) => codes::run(command, servers, output).await,
        Command::DeadLetters(command) => dead_letters::run(command, servers, output).await,
        Command::Resync(resync::Args {}) => resync::run(servers, output).await,
        Command::Audit(args) => audit::run(args, servers, output).await,
        Command::Verify(args) => verify::run(&args, output),
        Command::Keygen(args) => keygen::run(&args, output),
        Command::Organisers(command) => organisers::run(command, servers, output).await,
        Command::Log(args) => log::run(&args, servers, output).await,
        Command::Forget(args) => Box::pin(forget::run(args, servers, output)).await,
    }
}
