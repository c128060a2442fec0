//! `votectl dead-letters`: entries that the consumers set aside, with their reason.
//!
//! Invariant: a letter is either in the dead letters or back in the stream, never both, never
//! neither, however often a command is run again.

mod letter;

use clap::{Args, Subcommand};
use serde::Serialize;
use votestream_schema::{PollId, keys};

use crate::entries;
use crate::failure::Failure;
use crate::output::{Output, table, visible};
use crate::servers::{Redis, Servers};
use letter::{Letter, LetterId};

const EXAMPLES: &str = "Examples:
  votectl dead-letters list
  votectl dead-letters show 3/1763912345678-0
  votectl dead-letters replay 3/1763912345678-0
  votectl dead-letters replay --all
  votectl dead-letters drop 3/1763912345678-0 --yes

Replay once the reason is gone (a poll that was missing, a consumer that was too old): a ballot
keeps the time at which it first came in. What is still wrong becomes a dead letter again.";

/// Entries that were set aside, each with its reason
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// Lists dead letters, the oldest first
    #[command(after_help = EXAMPLES)]
    List {
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Shows all that is known of one
    #[command(after_help = EXAMPLES)]
    Show {
        /// As `list` shows it: partition/entry
        id: LetterId,
    },
    /// Sends one, or all, to the consumers again
    #[command(after_help = EXAMPLES)]
    Replay(Which),
    /// Deletes one, or all; a ballot in it is never counted
    #[command(after_help = EXAMPLES)]
    Drop {
        #[command(flatten)]
        which: Which,
        /// It cannot be undone: say that it is meant
        #[arg(long)]
        yes: bool,
    },
}

/// One letter, or all.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// As `list` shows it: partition/entry
    id: Option<LetterId>,
    /// All there are when the command starts
    #[arg(long)]
    all: bool,
}

/// Runs the subcommand.
pub async fn run(command: Command, servers: &Servers, output: &Output) -> Result<(), Failure> {
    let (_, mut redis) = servers.both().await?;
    match command {
        Command::List { limit } => list(&mut redis, limit as usize, output).await,
        Command::Show { id } => {
            let letter = find(&mut redis, id).await?;
            output.print(&letter, || letter.describe())
        }
        Command::Replay(which) => replay(&mut redis, &which, output).await,
        Command::Drop { yes: false, .. } => Err(Failure::refused(
            "a dropped letter is gone for good, and a ballot in it is never counted; add --yes if \
             that is meant",
        )),
        Command::Drop { which, yes: true } => drop_letters(&mut redis, &which, output).await,
    }
}

#[derive(Serialize)]
struct Listed {
    total: u64,
    dead_letters: Vec<Letter>,
}

async fn list(redis: &mut Redis, limit: usize, output: &Output) -> Result<(), Failure> {
    let mut listed = Listed { total: 0, dead_letters: Vec::new() };
    for partition in 0..redis.partitions {
        let dead = redis.keys.dead_letters(partition);
        listed.total += redis.ask::<u64>(redis::cmd("XLEN").arg(&dead)).await?;
        entries::each(redis, &dead, limit, |id, fields| {
            listed.dead_letters.extend(Letter::read(partition, id, fields));
        })
        .await?;
    }
    listed.dead_letters.sort_by_key(|letter| letter.id.entry);
    listed.dead_letters.truncate(limit);
    output.print(&listed, || in_columns(&listed))
}

fn in_columns(listed: &Listed) -> String {
    let row = |letter: &Letter| {
        let deliveries = letter.deliveries.clone().unwrap_or_else(|| "?".to_owned());
        [letter.id.to_string(), letter.since.clone(), deliveries, visible(&letter.reason)]
    };
    let rows: Vec<_> = listed.dead_letters.iter().map(row).collect();
    let shown = rows.len() as u64;
    match listed.total {
        0 => "there are no dead letters".to_owned(),
        total => {
            let rest = if total > shown {
                format!("\n… {shown} of {total}; see --limit")
            } else {
                String::new()
            };
            table(["DEAD LETTER", "SINCE", "DELIVERIES", "REASON"], &[2], &rows) + &rest
        }
    }
}

async fn find(redis: &mut Redis, id: LetterId) -> Result<Letter, Failure> {
    let none = || {
        Failure::refused(format!(
            "there is no dead letter {id}; `votectl dead-letters list` shows all"
        ))
    };
    if id.partition >= redis.partitions {
        return Err(none());
    }
    let (dead, entry) = (redis.keys.dead_letters(id.partition), id.entry.to_string());
    let found = entries::one(redis, &dead, &entry).await?;
    found.and_then(|fields| Letter::read(id.partition, &entry, &fields)).ok_or_else(none)
}

/// The letters meant, and whose ballots they hold; for all of them, those there are now, so that
/// none is met twice.
async fn chosen(
    redis: &mut Redis,
    which: &Which,
) -> Result<Vec<(LetterId, Option<PollId>)>, Failure> {
    let meant = |letter: Letter| (letter.id, letter.poll);
    if let Some(id) = which.id {
        return Ok(vec![meant(find(redis, id).await?)]);
    }
    let mut letters = Vec::new();
    for partition in 0..redis.partitions {
        let dead = redis.keys.dead_letters(partition);
        let length: usize = redis.ask(redis::cmd("XLEN").arg(&dead)).await?;
        entries::each(redis, &dead, length, |id, fields| {
            letters.extend(Letter::read(partition, id, fields).map(meant));
        })
        .await?;
    }
    Ok(letters)
}

#[derive(Serialize)]
struct Replayed {
    letter: LetterId,
    entry: String,
}

async fn replay(redis: &mut Redis, which: &Which, output: &Output) -> Result<(), Failure> {
    let mut replayed = Vec::new();
    for (letter, _) in chosen(redis, which).await? {
        let partition = letter.partition;
        let mut eval = redis::cmd("EVAL");
        eval.arg(include_str!("dead_letters/replay.lua")).arg(2);
        eval.arg(redis.keys.dead_letters(partition)).arg(redis.keys.stream(partition));
        eval.arg(letter.entry.to_string());
        let sent: Result<Option<String>, Failure> = redis.ask(&eval).await;
        let sent = sent.map_err(|failure| failure.and(&format!("stopped at {letter}")))?;
        replayed.extend(sent.map(|entry| Replayed { letter, entry }));
    }
    output.print(&replayed, || match replayed.as_slice() {
        [] => "there are no dead letters".to_owned(),
        [one] => format!("dead letter {} travels again as entry {}", one.letter, one.entry),
        all => format!("{} dead letters travel again", all.len()),
    })
}

async fn drop_letters(redis: &mut Redis, which: &Which, output: &Output) -> Result<(), Failure> {
    let mut dropped = Vec::new();
    for (letter, poll) in chosen(redis, which).await? {
        let partition = letter.partition;
        let mut eval = redis::cmd("EVAL");
        eval.arg(include_str!("dead_letters/drop.lua")).arg(2);
        eval.arg(redis.keys.dead_letters(partition)).arg(redis.keys.accepted(partition));
        eval.arg(letter.entry.to_string());
        eval.arg(poll.map_or_else(String::new, keys::field_dropped));
        if redis.ask::<i64>(&eval).await? == 1 {
            dropped.push(letter);
        }
    }
    output.print(&dropped, || match dropped.as_slice() {
        [] => "there are no dead letters".to_owned(),
        [one] => format!("dead letter {one} is gone"),
        all => format!("{} dead letters are gone", all.len()),
    })
}
