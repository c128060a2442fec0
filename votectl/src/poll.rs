//! `votectl poll`: everything about the polls themselves.

mod archive;
mod close;
mod create;
mod export;
mod list;
mod open;
mod publish;
mod show;
mod times;

use clap::Subcommand;
use tokio_postgres::GenericClient;
use votestream_schema::{Poll, PollState, Slug, db};

use crate::failure::Failure;
use crate::output::Output;
use crate::servers::Servers;

/// Creates, opens, closes and shows polls.
#[derive(Subcommand)]
pub enum Command {
    Create(Box<create::Args>),
    Open(open::Args),
    Close(close::Args),
    Archive(archive::Args),
    List(list::Args),
    Show(show::Args),
    Export(export::Args),
}

/// How close a poll's opening or closing may be while it is still changed, in milliseconds: longer
/// than it takes to tell every consumer.
const TOO_CLOSE_MS: i64 = 5_000;

/// Runs the subcommand.
pub async fn run(command: Command, servers: &Servers, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Create(args) => create::run(&args, servers, output).await,
        Command::Open(args) => open::run(&args, servers, output).await,
        Command::Close(args) => close::run(&args, servers, output).await,
        Command::Archive(args) => archive::run(&args, servers, output).await,
        Command::List(args) => list::run(&args, servers, output).await,
        Command::Show(args) => show::run(&args, servers, output).await,
        Command::Export(args) => export::run(&args, servers, output).await,
    }
}

/// The poll of this name.
pub async fn find(client: &impl GenericClient, slug: &Slug) -> Result<Poll, Failure> {
    found(slug, db::polls::by_slug(client, slug).await?)
}

/// The poll of this name, which nobody else changes until the transaction ends.
async fn find_and_lock(
    transaction: &tokio_postgres::Transaction<'_>,
    slug: &Slug,
) -> Result<Poll, Failure> {
    found(slug, db::polls::lock(transaction, slug).await?)
}

fn found(slug: &Slug, poll: Option<Poll>) -> Result<Poll, Failure> {
    poll.ok_or_else(|| {
        Failure::refused(format!("there is no poll `{slug}`; `votectl poll list --all` shows all"))
    })
}

/// "draft", "open since …": a state with the time that explains it.
fn state_in_words(poll: &Poll, now_ms: i64) -> String {
    let state = poll.state(now_ms);
    let since = match state {
        PollState::Draft => None,
        PollState::Scheduled => poll.opens_at_ms.map(|ms| format!("opens at {}", times::shown(ms))),
        PollState::Open => poll.closes_at_ms.map(|ms| format!("closes at {}", times::shown(ms))),
        PollState::Closed => poll.closes_at_ms.map(|ms| format!("since {}", times::shown(ms))),
        PollState::Archived => poll.archived_at_ms.map(|ms| format!("since {}", times::shown(ms))),
    };
    since.map_or_else(|| state.to_string(), |since| format!("{state}, {since}"))
}
