//! `votectl poll`.

mod archive;
mod at;
mod cancel;
mod close;
mod create;
mod export;
mod extend;
mod list;
mod networks;
mod open;
mod progress;
mod seal;
mod set;
mod show;
mod state;
mod voter_keys;

use clap::Subcommand;
use votestream_votectl::Servers;

use crate::cli_error::CliError;
use crate::output::Output;

/// Create, open, change, extend, close, cancel, archive, seal, list, show and export polls
#[derive(Subcommand)]
pub enum Command {
    Create(Box<create::Args>),
    Open(open::Args),
    Extend(extend::Args),
    Set(Box<set::Args>),
    Close(close::Args),
    Cancel(cancel::Args),
    Archive(archive::Args),
    Seal(seal::Args),
    List(list::Args),
    Show(show::Args),
    At(at::Args),
    Export(export::Args),
    Networks(networks::Args),
    VoterKeys(voter_keys::Args),
}

/// Runs the command.
pub async fn run(command: Command, servers: &Servers, output: &Output) -> Result<(), CliError> {
    match command {
        Command::Create(args) => create::run(&args, servers, output).await,
        Command::Open(args) => open::run(&args, servers, output).await,
        Command::Extend(args) => extend::run(&args, servers, output).await,
        Command::Set(args) => set::run(&args, servers, output).await,
        Command::Close(args) => close::run(&args, servers, output).await,
        Command::Cancel(args) => cancel::run(&args, servers, output).await,
        Command::Archive(args) => archive::run(&args, servers, output).await,
        Command::Seal(args) => seal::run(&args, servers, output).await,
        Command::List(args) => list::run(&args, servers, output).await,
        Command::Show(args) => show::run(&args, servers, output).await,
        Command::At(args) => at::run(&args, servers, output).await,
        Command::Export(args) => export::run(&args, servers, output).await,
        Command::Networks(args) => networks::run(&args, servers, output).await,
        Command::VoterKeys(args) => voter_keys::run(&args, servers, output).await,
    }
}
