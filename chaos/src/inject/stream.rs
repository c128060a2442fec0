//! What an operator can do to what lies in Redis, knowing or not.

use std::time::{Duration, Instant};

use anyhow::ensure;
use redis::Script;
use redis::aio::MultiplexedConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use votestream_schema::keys::GROUP;
use votestream_schema::{Ballot, BallotId, Choices, EntryId, PollId, VoterId, codec};

use super::{Cure, Struck};
use crate::site::{Site, redis_connection};
use testkit::proxy::Mode;

const DRAINED_WITHIN: Duration = Duration::from_secs(30);
/// What is under way inside a producer has an answer by then.
const ANSWERED_AFTER: Duration = Duration::from_millis(300);
/// Ballots in one pipeline.
const PIPELINE: usize = 500;
/// Bad entries at once, and then one at a time: about 1 % of two hundred ballots a second.
const BURST: u64 = 50;
const POISON_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn delete_groups(site: &mut Site) -> anyhow::Result<Struck> {
    let mut redis = site.redis().await?;
    for partition in 0..site.partitions {
        let stream = site.keys.stream(partition);
        redis::cmd("XGROUP").arg("DESTROY").arg(stream).arg(GROUP).exec_async(&mut redis).await?;
    }
    Struck::by(Cure::Itself)
}

pub(super) async fn delete_register(site: &mut Site) -> anyhow::Result<Struck> {
    let mut redis = site.redis().await?;
    let poll = poll_id(site).await?;
    let mut deleted = 0;
    for partition in 0..site.partitions {
        let first = site.keys.register_bucket(partition, poll, 0);
        let pattern = format!("{}*", first.trim_end_matches('0'));
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1_000);
            let (next, keys): (u64, Vec<String>) = scan.query_async(&mut redis).await?;
            if !keys.is_empty() {
                deleted += keys.len();
                redis::cmd("DEL").arg(keys).exec_async(&mut redis).await?;
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
    }
    Struck::noting(Cure::Itself, format!("{deleted} buckets of the register deleted"))
}

/// Voters are held off at the door until all is counted: what is deleted undelivered is gone, and
/// nobody promises otherwise.
pub(super) async fn delete_drained(site: &mut Site) -> anyhow::Result<Struck> {
    let mut redis = site.redis().await?;
    site.door.set(Mode::Cut);
    let deleted = delete_when_empty(site, &mut redis).await;
    site.door.set(Mode::Pass);
    Struck::noting(Cure::Itself, format!("{} streams deleted", deleted?))
}

async fn delete_when_empty(
    site: &mut Site,
    redis: &mut MultiplexedConnection,
) -> anyhow::Result<u64> {
    let deadline = Instant::now() + DRAINED_WITHIN;
    let mut deleted = 0;
    // In one step, lest a ballot comes in between.
    let script = Script::new(
        "if redis.call('XLEN', KEYS[1]) > 0 then return 0 end return redis.call('DEL', KEYS[1])",
    );
    for partition in 0..site.partitions {
        loop {
            site.pause(ANSWERED_AFTER).await?;
            let gone: u64 = script.key(site.keys.stream(partition)).invoke_async(redis).await?;
            if gone > 0 {
                deleted += gone;
                break;
            }
            ensure!(Instant::now() < deadline, "the streams do not drain");
        }
    }
    Ok(deleted)
}

/// Rebuilds every counted ballot's entry from its row, which holds all that an entry holds.
pub(super) async fn replay(site: &mut Site) -> anyhow::Result<Struck> {
    let client = site.sql().await?;
    let mut redis = site.redis().await?;
    let rows = "SELECT poll_id, voter, choices, entry_ms, entry_seq, ballot FROM votes";
    let rows = client.query(rows, &[]).await?;
    for (chunk, rows) in rows.chunks(PIPELINE).enumerate() {
        let mut pipeline = redis::pipe();
        for (nth, row) in rows.iter().enumerate() {
            let voter = VoterId(row.get::<_, Uuid>(1));
            let choices = Choices::from_mask(row.get(2));
            let ballot = Ballot {
                poll: PollId(row.get(0)),
                voter,
                choices: choices.ok_or_else(|| anyhow::anyhow!("a vote without choices"))?,
                id: BallotId(row.get(5)),
            };
            let add = pipeline.cmd("XADD").arg(site.keys.stream(voter.partition(site.partitions)));
            add.arg("*").arg(codec::FIELD_BALLOT).arg(codec::encode(&ballot));
            if (chunk * PIPELINE + nth).is_multiple_of(2) {
                let entry = EntryId { ms: row.get(3), seq: row.get(4) };
                add.arg(codec::FIELD_ORIGIN).arg(entry.to_string());
            }
            add.ignore();
        }
        pipeline.exec_async(&mut redis).await?;
    }
    Struck::noting(Cure::Itself, format!("{} ballots appended again", rows.len()))
}

/// Entries that are no ballots, of every kind there is.
pub(super) fn poison(site: &mut Site) -> anyhow::Result<Struck> {
    let (stop, keys, url) = (CancellationToken::new(), site.keys.clone(), site.redis.url());
    let (stopped, partitions) = (stop.clone(), u64::from(site.partitions));
    let task = tokio::spawn(async move {
        let mut redis = redis_connection(&url).await?;
        let mut added = 0;
        while added < BURST || !stopped.is_cancelled() {
            let (field, value) = rubbish(added);
            let stream = keys.stream((added % partitions) as u16);
            let mut add = redis::cmd("XADD");
            add.arg(stream).arg("*").arg(field).arg(value);
            // Whether a failed call added its entry nobody knows; so there is no second attempt.
            add.exec_async(&mut redis).await?;
            added += 1;
            if added >= BURST {
                tokio::time::sleep(POISON_EVERY).await;
            }
        }
        Ok(added)
    });
    Struck::by(Cure::Antidote(stop, task))
}

fn rubbish(nth: u64) -> (&'static str, Vec<u8>) {
    let voter = "0190c42ab6f87abc8def0123456789ab";
    match nth % 8 {
        0 => ("other", b"1".to_vec()),
        1 => (codec::FIELD_BALLOT, vec![0xff, 0xfe, 0x00]),
        2 => (codec::FIELD_BALLOT, format!("99 1 1 {voter} {voter}").into_bytes()),
        3 => (codec::FIELD_BALLOT, Vec::new()),
        4 => (codec::FIELD_BALLOT, vec![b'x'; 10_000]),
        5 => (codec::FIELD_BALLOT, format!("1 999999 1 {voter} {voter}").into_bytes()),
        6 => (codec::FIELD_BALLOT, format!("1 1 1099511627776 {voter} {voter}").into_bytes()),
        _ => (codec::FIELD_BALLOT, format!("1 1 1 {voter}").into_bytes()),
    }
}

/// The number of the only poll.
async fn poll_id(site: &Site) -> anyhow::Result<PollId> {
    Ok(PollId(site.sql().await?.query_one("SELECT id FROM polls", &[]).await?.get(0)))
}
