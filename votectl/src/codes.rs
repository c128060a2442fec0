//! `votectl codes`: one-time voting codes.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use tokio_postgres::{Client, GenericClient};
use uuid::Uuid;
use votestream_schema::code::Code;
use votestream_schema::poll::{VoterPolicy, now_ms};
use votestream_schema::{Poll, PollState, Slug, VoterId};

use crate::failure::Failure;
use crate::output::Output;
use crate::poll;
use crate::servers::{Redis, Servers};

/// Voters sent in one command, to either server.
const AT_ONCE: usize = 10_000;

const EXAMPLES: &str = "Examples:
  votectl codes issue members-vote --count 500 --output codes.csv
  votectl codes count members-vote

Only hashes of codes are stored: a code that is lost cannot be shown again, but more can be issued.";

/// One-time voting codes, for polls with the voter policy `code`
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// Makes new codes and prints them, one a line
    #[command(after_help = EXAMPLES)]
    Issue {
        /// The poll
        slug: Slug,
        /// How many
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        count: u32,
        /// A new file for the codes, readable by you alone, instead of standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Tells how many codes were issued, and how many have voted
    #[command(after_help = EXAMPLES)]
    Count {
        /// The poll
        slug: Slug,
    },
}

/// Runs the subcommand.
pub async fn run(command: Command, servers: &Servers, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Issue { slug, count, output: file } => {
            issue(&slug, count as usize, file.as_deref(), servers, output).await
        }
        Command::Count { slug } => count(&slug, servers, output).await,
    }
}

#[derive(Serialize)]
struct Issued<'a> {
    poll: &'a Slug,
    issued: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
}

async fn issue(
    slug: &Slug,
    count: usize,
    file: Option<&Path>,
    servers: &Servers,
    output: &Output,
) -> Result<(), Failure> {
    let (mut postgres, mut redis) = servers.both().await?;
    let poll = poll::find(&postgres, slug).await?;
    check_takes_codes(&poll)?;
    // Made before the codes are stored: a path that cannot be written costs none.
    let mut target = file.map(create_private).transpose()?;
    let (codes, voters) = generate(&poll, count);
    // Redis first: a code in somebody's hands is known there. What only Redis knows, nobody holds.
    for partition in 0..redis.partitions {
        let here = voters.iter().copied();
        let here: Vec<_> =
            here.filter(|voter| voter.partition(redis.partitions) == partition).collect();
        tell(&mut redis, &poll, partition, &here).await?;
    }
    if let Err(failure) = store(&mut postgres, &poll, &voters).await {
        return Err(failure.and("no code was issued; run the command again"));
    }
    let printed: Vec<String> = codes.iter().map(Code::printed).collect();
    if let Some(target) = &mut target {
        target.write_all((printed.join("\n") + "\n").as_bytes())?;
        target.sync_all()?;
    }
    let text = printed.join("\n");
    let codes = target.is_none().then_some(printed);
    let issued = Issued { poll: slug, issued: count, codes, file };
    output.print(&issued, || match file {
        Some(file) => format!("{count} codes for poll `{slug}` are in {}", file.display()),
        None => text,
    })
}

fn check_takes_codes(poll: &Poll) -> Result<(), Failure> {
    let slug = &poll.slug;
    if poll.voter_policy != VoterPolicy::Code {
        return Err(Failure::refused(format!(
            "anybody may vote in poll `{slug}`: only a poll created with --voter-policy code takes codes"
        )));
    }
    match poll.state(now_ms()) {
        state @ (PollState::Closed | PollState::Archived) => {
            Err(Failure::refused(format!("poll `{slug}` is {state}: nobody could use a code")))
        }
        _ => Ok(()),
    }
}

fn create_private(path: &Path) -> Result<std::fs::File, Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| Failure::refused(format!("{}: {error}", path.display())))
}

fn generate(poll: &Poll, count: usize) -> (Vec<Code>, Vec<VoterId>) {
    let mut seen = HashSet::with_capacity(count);
    let mut codes = Vec::with_capacity(count);
    while codes.len() < count {
        let code = Code::generate();
        if seen.insert(code.voter(poll.id)) {
            codes.push(code);
        }
    }
    let voters = codes.iter().map(|code| code.voter(poll.id)).collect();
    (codes, voters)
}

async fn tell(
    redis: &mut Redis,
    poll: &Poll,
    partition: u16,
    voters: &[VoterId],
) -> Result<(), Failure> {
    for some in voters.chunks(AT_ONCE) {
        let mut add = redis::cmd("SADD");
        add.arg(redis.keys.codes(partition, poll.id));
        for voter in some {
            add.arg(voter.0.as_bytes().as_slice());
        }
        redis.ask::<i64>(&add).await?;
    }
    Ok(())
}

async fn store(postgres: &mut Client, poll: &Poll, voters: &[VoterId]) -> Result<(), Failure> {
    let transaction = postgres.transaction().await?;
    for some in voters.chunks(AT_ONCE) {
        let voters: Vec<Uuid> = some.iter().map(|voter| voter.0).collect();
        let sql = "INSERT INTO codes (poll_id, voter) SELECT $1, unnest($2::uuid[])";
        transaction.execute(sql, &[&poll.id.0, &voters]).await?;
    }
    Ok(transaction.commit().await?)
}

/// Tells one partition of all its codes again, after Redis lost them.
pub async fn restore(
    postgres: &impl GenericClient,
    redis: &mut Redis,
    poll: &Poll,
    partition: u16,
) -> Result<(), Failure> {
    let sql = "SELECT voter FROM codes WHERE poll_id = $1";
    let rows = postgres.query(sql, &[&poll.id.0]).await?;
    let voters = rows.iter().map(|row| VoterId(row.get(0)));
    let voters: Vec<_> =
        voters.filter(|voter| voter.partition(redis.partitions) == partition).collect();
    tell(redis, poll, partition, &voters).await
}

#[derive(Serialize)]
struct Counted<'a> {
    poll: &'a Slug,
    issued: i64,
    voted: i64,
}

async fn count(slug: &Slug, servers: &Servers, output: &Output) -> Result<(), Failure> {
    let postgres = servers.postgres().await?;
    let poll = poll::find(&postgres, slug).await?;
    let sql = include_str!("../sql/count_codes.sql");
    let row = postgres.query_one(sql, &[&poll.id.0]).await?;
    let counted = Counted { poll: slug, issued: row.get(0), voted: row.get(1) };
    output.print(&counted, || {
        format!("poll `{slug}`: {} codes issued, {} have voted", counted.issued, counted.voted)
    })
}
