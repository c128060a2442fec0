//! `votectl audit`: recounts, and balances the books.
//!
//! Redis is read first, then Postgres, then Redis' counters once more. A ballot leaves the streams
//! only after it was counted, so every ballot accepted before the first look is found in one of the
//! two, and nothing is found that was not accepted before the last. That makes the balance hold at
//! any moment, under load too: exactly when nothing came in meanwhile, else within what came in.

mod balance;
mod books;
mod recount;
mod report;
mod streams;

use std::time::{Duration, Instant};

use tokio_postgres::{Client, IsolationLevel};
use votestream_schema::{Poll, Slug, db};

use crate::failure::Failure;
use crate::output::Output;
use crate::poll;
use crate::servers::{Redis, Servers};
use balance::Balance;
use books::{Books, Counters};
use report::{PollReport, Report};
use streams::Streams;

/// How often it is looked whether the streams are empty.
const LOOK_EVERY: Duration = Duration::from_millis(200);

const EXAMPLES: &str = "Examples:
  votectl audit
  votectl audit cats-vs-dogs --wait 30 --json

Recounts every vote and compares it with tally, number of voters and series; then balances
  accepted = counted + superseded + out of time + dead + dropped + under way.
Also says which streams in redis went back behind a position that they had reached before, which means that redis lost
acknowledged entries, and whether the next restart of redis would lose any.
Exit code 1 when anything is DIFFERENT, or a stream went back. UNPROVED means that redis lost the counters of what was
accepted: the recount still holds, but nobody can tell any more whether a ballot was lost.";

/// Recounts all votes, and checks that every accepted ballot is accounted for
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// This poll alone
    slug: Option<Slug>,
    /// First wait until the streams are empty, for so many seconds at most
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u32,
    /// Take note of all streams that went back, so that they no longer fail the audit and the alert ends
    #[arg(long)]
    acknowledge_regressions: bool,
}

/// Runs the subcommand.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), Failure> {
    let (mut postgres, mut redis) = servers.both().await?;
    // Recounting millions of votes takes longer than any other statement may.
    postgres.batch_execute("SET statement_timeout = 0").await?;
    wait_until_empty(&mut redis, Duration::from_secs(args.wait.into())).await?;
    let streams = streams::look(&postgres, &mut redis, args.acknowledge_regressions).await?;
    let report = audit(&mut postgres, &mut redis, args.slug.as_ref(), streams).await?;
    output.print(&report, || report.describe())?;
    match report.ok {
        true => Ok(()),
        false => Err(Failure::refused(
            "the audit found a difference; keep both servers' data for whoever looks into it",
        )),
    }
}

async fn wait_until_empty(redis: &mut Redis, at_most: Duration) -> Result<(), Failure> {
    let since = Instant::now();
    while since.elapsed() < at_most && books::entries(redis).await? > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn audit(
    postgres: &mut Client,
    redis: &mut Redis,
    slug: Option<&Slug>,
    streams: Streams,
) -> Result<Report, Failure> {
    let before = Counters::read(redis).await?;
    let stored = db::polls::all(postgres).await?;
    // What cannot be read cannot be audited, so it is not passed over in silence.
    if let Some(unreadable) = stored.unreadable.first() {
        return Err(Failure::refused(format!("{unreadable}; the audit needs every poll")));
    }
    let all = stored.readable;
    let books = Books::read(redis, &all).await?;
    let moment = postgres.build_transaction();
    let moment = moment.isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let moment = moment.start().await?;
    let audited = match slug {
        Some(slug) => vec![poll::find(&moment, slug).await?],
        None => db::polls::all(&moment).await?.readable,
    };
    let mut recounts = Vec::new();
    for poll in &audited {
        recounts.push(recount::of_poll(&moment, poll, redis.partitions).await?);
    }
    let in_streams = recount::uncounted(&moment, &books.in_streams).await?;
    let in_dead_letters = recount::uncounted(&moment, &books.in_dead_letters).await?;
    let known_total: i64 =
        moment.query_one(include_str!("../sql/audit_total.sql"), &[]).await?.get(0);
    moment.commit().await?;
    let after = Counters::read(redis).await?;

    let lost = after.lost(known_total);
    let balance = |(poll, recount): (&Poll, &recount::Recount)| {
        let of = |ballots: &std::collections::HashMap<_, i64>| {
            ballots.get(&poll.id).copied().unwrap_or(0)
        };
        let balance = Balance {
            accepted: (before.accepted(poll.id), after.accepted(poll.id)),
            counted: recount.recounted.voters,
            superseded: recount.superseded,
            out_of_time: recount.out_of_time,
            dead: of(&in_dead_letters),
            dropped: after.dropped(poll.id),
            under_way: of(&in_streams),
            unread: books.unread,
        };
        balance.judged(after.lost_of(poll, &recount.partitions).or_else(|| lost.clone()))
    };
    let polls = audited.iter().zip(&recounts);
    let polls = polls.map(|pair| PollReport::new(pair.0, pair.1, balance(pair))).collect();
    Ok(Report::new(polls, &books, streams))
}
