//! Recounts all votes, and checks that every accepted ballot is accounted for.
//!
//! Redis is read first, then Postgres, then Redis' counters once more. A ballot leaves the streams
//! only after it was counted, so every ballot accepted before the first reading is found in one of the
//! two, and nothing is found that was not accepted before the last. That makes the balance hold at
//! any moment, under load too: exactly when nothing came in meanwhile, else within the number of ballots that came in.
//! Sums can agree over a loss and a forgery. So the register is also compared with the votes, voter by voter.

mod balance;
mod contents;
mod recount;
mod report;
mod stream_counts;
mod streams;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use votestream_schema::db::polls::StoredPolls;
use votestream_schema::{Poll, PollId, Slug, db};
use votestream_service::postgres::Session;

use super::polls;
use crate::error::Error;
use crate::servers::{Redis, Servers};
use stream_counts::{Counters, StreamCounts};

pub use balance::{Balance, BalanceCheck, CheckOutcome};
pub use contents::ContentsCheck;
pub use report::{Check, PollReport, Report};
pub use streams::Streams;

/// How long to wait between two looks whether the streams are empty.
const EMPTY_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// The choices of an operator who audits.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The one poll to audit; all polls if `None`.
    pub slug: Option<Slug>,
    /// How long to wait first until the streams are empty.
    pub wait: Duration,
    /// Whether to take note of all streams that went back, so that they no longer fail the audit.
    pub acknowledge_regressions: bool,
}

/// Audits the polls and the streams.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], or the error of the server that failed. An audit that finds a difference
/// is no error; see [`Report::ok`].
pub async fn audit(servers: &Servers, options: &Options) -> Result<Report, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    wait_until_empty(&mut redis, options.wait).await?;
    let streams = streams::check(&postgres, &mut redis, options.acknowledge_regressions).await?;
    audit_polls(&mut postgres, &mut redis, options.slug.as_ref(), streams).await
}

async fn wait_until_empty(redis: &mut Redis, at_most: Duration) -> Result<(), Error> {
    let since = Instant::now();
    while since.elapsed() < at_most && stream_counts::entries(redis).await? > 0 {
        tokio::time::sleep(EMPTY_CHECK_INTERVAL).await;
    }
    Ok(())
}

async fn audit_polls(
    postgres: &mut Session,
    redis: &mut Redis,
    slug: Option<&Slug>,
    streams: Streams,
) -> Result<Report, Error> {
    // Redis, before Postgres.
    let before = Counters::read(redis).await?;
    let all = db::polls::all(postgres).await?;
    let counts = StreamCounts::read(redis, &all.readable).await?;

    // Postgres, at one moment.
    // Recounting millions of votes takes longer than any other statement may.
    let moment = postgres.begin_snapshot(Duration::ZERO).await?;
    let StoredPolls { readable: audited, unreadable } = match slug {
        Some(slug) => StoredPolls {
            readable: vec![polls::find(&moment, slug).await?],
            unreadable: Vec::new(),
        },
        None => db::polls::all(&moment).await?,
    };
    let mut recounts = Vec::new();
    for poll in &audited {
        recounts.push(recount::of_poll(&moment, poll, redis.partitions).await?);
    }
    let in_streams = recount::uncounted(&moment, &counts.in_streams).await?;
    let in_dead_letters = recount::uncounted(&moment, &counts.in_dead_letters).await?;
    let sql = include_str!("../../sql/audit_total.sql");
    let known_total: i64 = moment.query_typed_one(sql, &[]).await?.get(0);
    moment.commit().await?;

    // Redis' counters, after Postgres.
    let after = Counters::read(redis).await?;
    let lost = after.lost(known_total);
    let balance = |(poll, recount): (&Poll, &recount::Recount)| {
        let of = |ballots: &HashMap<PollId, i64>| ballots.get(&poll.id).copied().unwrap_or(0);
        let balance = Balance {
            accepted: (before.accepted(poll.id), after.accepted(poll.id)),
            counted: recount.voters(),
            superseded: recount.superseded,
            out_of_time: recount.out_of_time,
            dead: of(&in_dead_letters),
            dropped: after.dropped(poll.id),
            in_flight: of(&in_streams),
            unread: counts.unread,
        };
        balance.check(after.lost_of(poll, &recount.partitions).or_else(|| lost.clone()))
    };
    let balances: Vec<_> = audited.iter().zip(&recounts).map(balance).collect();
    let mut reports = Vec::new();
    for ((poll, recount), balance) in audited.iter().zip(&recounts).zip(balances) {
        let dropped = after.dropped(poll.id);
        let contents = contents::of_poll(postgres, redis, poll, dropped).await?;
        reports.push(PollReport::new(poll, recount, balance, contents));
    }
    Ok(Report::new(reports, &unreadable, &counts, streams))
}
