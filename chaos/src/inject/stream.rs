//! Changes that an operator can make to the data in Redis, on purpose or by mistake.

use std::time::{Duration, Instant};

use anyhow::ensure;
use redis::Script;
use redis::aio::MultiplexedConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use votestream_schema::keys::GROUP;
use votestream_schema::{Ballot, BallotId, Choices, EntryId, PollId, VoterKey, codec};

use super::cure::{Cure, Injection};
use crate::connection::redis_connection;
use crate::testbed::{POLL, Testbed};
use testkit::proxy::Mode;

const DRAINED_WITHIN: Duration = Duration::from_secs(30);
/// The time after which a producer has answered all ballots that it had read.
const ANSWERED_AFTER: Duration = Duration::from_millis(300);
/// The number of ballots in one Redis pipeline.
const PIPELINE: usize = 500;
/// The number of malformed entries that are added at once. After these, one is added at a time: about 1 % of two hundred
/// ballots a second.
const BURST: u64 = 50;
const POISON_EVERY: Duration = Duration::from_millis(500);

/// Destroys the consumer group of every stream.
pub(super) async fn delete_groups(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let mut redis = testbed.redis().await?;
    for partition in 0..testbed.partitions {
        let stream = testbed.keys.stream(partition);
        redis::cmd("XGROUP").arg("DESTROY").arg(stream).arg(GROUP).exec_async(&mut redis).await?;
    }
    Injection::by(Cure::Itself)
}

/// Deletes the register of voters, which producers use to refuse second ballots.
pub(super) async fn delete_register(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let mut redis = testbed.redis().await?;
    let poll = poll_id(testbed).await?;
    let mut deleted = 0;
    for partition in 0..testbed.partitions {
        let first = testbed.keys.register_bucket(partition, poll, 0);
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
    Injection::noting(Cure::Itself, format!("{deleted} buckets of the register deleted"))
}

/// Deletes every stream once it is empty. Voters cannot connect meanwhile: ballots in a deleted stream would be lost, and
/// nothing promises otherwise.
pub(super) async fn delete_drained(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let mut redis = testbed.redis().await?;
    testbed.vote_proxy.set(Mode::Cut);
    let deleted = delete_when_empty(testbed, &mut redis).await;
    testbed.vote_proxy.set(Mode::Pass);
    Injection::noting(Cure::Itself, format!("{} streams deleted", deleted?))
}

async fn delete_when_empty(
    testbed: &mut Testbed,
    redis: &mut MultiplexedConnection,
) -> anyhow::Result<u64> {
    let deadline = Instant::now() + DRAINED_WITHIN;
    let mut deleted = 0;
    // One script checks and deletes, so that no ballot arrives in between.
    let script = Script::new(
        "if redis.call('XLEN', KEYS[1]) > 0 then return 0 end return redis.call('DEL', KEYS[1])",
    );
    for partition in 0..testbed.partitions {
        loop {
            testbed.pause(ANSWERED_AFTER).await?;
            let gone: u64 = script.key(testbed.keys.stream(partition)).invoke_async(redis).await?;
            if gone > 0 {
                deleted += gone;
                break;
            }
            ensure!(Instant::now() < deadline, "the streams are not empty after 30 s");
        }
    }
    Ok(deleted)
}

/// Appends every counted ballot to its stream again. The row of a vote holds all fields of its entry.
pub(super) async fn replay(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let client = testbed.sql().await?;
    let mut redis = testbed.redis().await?;
    let rows = "SELECT poll_id, voter, choices, entry_ms, entry_seq, ballot FROM votes";
    let rows = client.query(rows, &[]).await?;
    for (chunk, rows) in rows.chunks(PIPELINE).enumerate() {
        let mut pipeline = redis::pipe();
        for (nth, row) in rows.iter().enumerate() {
            let voter = VoterKey(row.get::<_, Uuid>(1));
            let choices = Choices::from_mask(row.get(2));
            let ballot = Ballot {
                poll: PollId(row.get(0)),
                voter,
                choices: choices
                    .ok_or_else(|| anyhow::anyhow!("Postgres has a vote without choices"))?,
                id: BallotId(row.get(5)),
            };
            let add =
                pipeline.cmd("XADD").arg(testbed.keys.stream(voter.partition(testbed.partitions)));
            add.arg("*").arg(codec::FIELD_BALLOT).arg(codec::encode(&ballot));
            if (chunk * PIPELINE + nth).is_multiple_of(2) {
                let entry = EntryId { ms: row.get(3), seq: row.get(4) };
                add.arg(codec::FIELD_ORIGIN).arg(entry.to_string());
            }
            add.ignore();
        }
        pipeline.exec_async(&mut redis).await?;
    }
    Injection::noting(Cure::Itself, format!("{} ballots appended again", rows.len()))
}

/// Adds malformed entries of every kind, until the fault is healed.
pub(super) fn poison(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let (stop, keys, url) = (CancellationToken::new(), testbed.keys.clone(), testbed.redis.url());
    let (stopped, partitions) = (stop.clone(), u64::from(testbed.partitions));
    let task = tokio::spawn(async move {
        let mut redis = redis_connection(&url).await?;
        let mut added = 0;
        while added < BURST || !stopped.is_cancelled() {
            let (field, value) = malformed_entry(added);
            let stream = keys.stream((added % partitions) as u16);
            let mut add = redis::cmd("XADD");
            add.arg(stream).arg("*").arg(field).arg(value);
            // A call that fails may have added its entry, so it is not repeated.
            add.exec_async(&mut redis).await?;
            added += 1;
            if added >= BURST {
                tokio::time::sleep(POISON_EVERY).await;
            }
        }
        Ok(added)
    });
    Injection::by(Cure::Antidote(stop, task))
}

/// Returns the field and the value of a malformed entry; the kinds take turns.
fn malformed_entry(nth: u64) -> (&'static str, Vec<u8>) {
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

/// Returns the id of the poll in which the load votes.
async fn poll_id(testbed: &Testbed) -> anyhow::Result<PollId> {
    let sql = "SELECT id FROM polls WHERE slug = $1";
    Ok(PollId(testbed.sql().await?.query_one(sql, &[&POLL]).await?.get(0)))
}
