//! `votectl poll archive`.

use std::io::{IsTerminal, Write};

use serde::Serialize;
use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, PollState, Slug, db, keys, projection};

use super::{find_and_lock, publish::publish};
use crate::failure::Failure;
use crate::output::Output;
use crate::servers::{Redis, Servers};

/// Buckets of a register forgotten with one command.
const BUCKETS_AT_ONCE: u16 = 1_024;

const EXAMPLES: &str = "Examples:
  votectl poll archive cats-vs-dogs

Votes and results are kept, and `votectl poll show` and `export` go on showing them. What Redis
knows of the poll's voters is forgotten.";

/// Puts a closed poll, or a draft, away
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll
    slug: Slug,
}

#[derive(Serialize)]
struct Done {
    poll: Poll,
    state: PollState,
}

/// Runs the subcommand. Run again, it finishes what was broken off.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), Failure> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.transaction().await?;
    let mut poll = find_and_lock(&transaction, &args.slug).await?;
    match poll.state(now_ms()) {
        PollState::Draft | PollState::Closed => {
            poll = Poll { archived_at_ms: Some(now_ms()), revision: poll.revision + 1, ..poll };
            db::polls::set_times(&transaction, &poll).await?;
            transaction.commit().await?;
        }
        PollState::Archived => drop(transaction),
        state => {
            return Err(Failure::refused(format!(
                "poll `{0}` is {state}; close it first: votectl poll close {0}",
                poll.slug
            )));
        }
    }
    let again = "the poll is archived; run this command again to tell redis";
    publish(&postgres, &mut redis, &poll).await.map_err(|failure| failure.and(again))?;
    forget(&mut redis, &poll).await.map_err(|failure| failure.and(again))?;
    let done = Done { state: poll.state(now_ms()), poll };
    output.print(&done, || format!("poll `{}` is archived", done.poll.slug))
}

async fn forget(redis: &mut Redis, poll: &Poll) -> Result<(), Failure> {
    let progress = Progress { partitions: redis.partitions };
    for partition in 0..redis.partitions {
        progress.show(partition);
        for first in (0..keys::BUCKETS).step_by(usize::from(BUCKETS_AT_ONCE)) {
            let buckets = first..(first + BUCKETS_AT_ONCE).min(keys::BUCKETS);
            let command = projection::forget_register(&redis.keys, partition, poll.id, buckets);
            redis.send::<i64>(&command).await?;
        }
    }
    progress.show(redis.partitions);
    Ok(())
}

/// Told on standard error: on one line of a terminal, else only at the end.
struct Progress {
    partitions: u16,
}

impl Progress {
    fn show(&self, done: u16) {
        let end = done == self.partitions;
        let text = format!("forgetting voters: partition {done} of {}", self.partitions);
        let mut stderr = std::io::stderr().lock();
        // Progress that cannot be shown is no reason to stop.
        let _ = match (stderr.is_terminal(), end) {
            (true, false) => write!(stderr, "\r{text}"),
            (true, true) => writeln!(stderr, "\r{text}"),
            (false, true) => writeln!(stderr, "{text}"),
            (false, false) => Ok(()),
        };
    }
}
