//! `votectl dead-letters`.

use clap::{Args, Subcommand};
use votestream_votectl::operations::dead_letters::{self, DeadLetters, Letter, Selection};
use votestream_votectl::{LetterId, Servers};

use crate::cli_error::CliError;
use crate::output::{Output, table, visible};

const EXAMPLES: &str = "Examples:
  votectl dead-letters list
  votectl dead-letters show 3/1763912345678-0
  votectl dead-letters replay 3/1763912345678-0
  votectl dead-letters replay --all
  votectl dead-letters drop 3/1763912345678-0 --yes

Replay once the reason is gone (a poll that was missing, a consumer that was too old): a ballot
keeps the time at which it first came in. What is still wrong becomes a dead letter again.";

/// Lists, shows, replays and drops entries that were set aside, each with its reason
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List dead letters, the oldest first
    #[command(after_help = EXAMPLES)]
    List {
        /// The most letters to list
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show everything that is known of one dead letter
    #[command(after_help = EXAMPLES)]
    Show {
        /// The letter's name as `list` shows it: partition/entry
        id: LetterId,
    },
    /// Send one dead letter, or all, to the consumers again
    #[command(after_help = EXAMPLES)]
    Replay(Which),
    /// Delete one dead letter, or all; a ballot in it is never counted
    #[command(after_help = EXAMPLES)]
    Drop {
        #[command(flatten)]
        which: Which,
        /// Confirm it: it cannot be undone
        #[arg(long)]
        yes: bool,
    },
}

/// The letters that a command is for: one, or all.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The letter's name as `list` shows it: partition/entry
    id: Option<LetterId>,
    /// All letters that are there when the command starts
    #[arg(long)]
    all: bool,
}

impl Which {
    fn selection(&self) -> Selection {
        self.id.map_or(Selection::All, Selection::One)
    }
}

/// Runs the command.
pub async fn run(command: Command, servers: &Servers, output: &Output) -> Result<(), CliError> {
    match command {
        Command::List { limit } => {
            let listed = dead_letters::list(servers, limit as usize).await?;
            output.print(&listed, || in_columns(&listed))
        }
        Command::Show { id } => {
            let letter = dead_letters::show(servers, id).await?;
            output.print(&letter, || describe(&letter))
        }
        Command::Replay(which) => {
            let replayed = dead_letters::replay(servers, which.selection()).await?;
            output.print(&replayed, || match replayed.as_slice() {
                [] => "there are no dead letters".to_owned(),
                [one] => format!("dead letter {} travels again as entry {}", one.letter, one.entry),
                all => format!("{} dead letters travel again", all.len()),
            })
        }
        Command::Drop { yes: false, .. } => Err(CliError::Refused(
            "a dropped letter is gone for good, and a ballot in it is never counted; add --yes if \
             that is meant",
        )),
        Command::Drop { which, yes: true } => {
            let dropped = dead_letters::drop_letters(servers, which.selection()).await?;
            output.print(&dropped, || match dropped.as_slice() {
                [] => "there are no dead letters".to_owned(),
                [one] => format!("dead letter {one} is gone"),
                all => format!("{} dead letters are gone", all.len()),
            })
        }
    }
}

fn in_columns(listed: &DeadLetters) -> String {
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

fn describe(letter: &Letter) -> String {
    let unknown = || "?".to_owned();
    let facts = [
        ("letter", letter.id.to_string()),
        ("since", letter.since.clone()),
        ("reason", letter.reason.clone()),
        ("entry", letter.entry.clone().unwrap_or_else(unknown)),
        ("deliveries", letter.deliveries.clone().unwrap_or_else(unknown)),
    ];
    let facts = facts.map(|(name, value)| format!("{name:<12}{}", visible(&value)));
    let fields = letter.original.iter();
    let fields = fields.map(|(name, value)| format!("  {} = {}", visible(name), visible(value)));
    let fields: Vec<String> = fields.collect();
    format!("{}\noriginal fields\n{}", facts.join("\n"), fields.join("\n"))
}
