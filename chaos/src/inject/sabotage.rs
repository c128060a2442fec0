//! Fraud that the audit has to find: it shows that a run can fail.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{Cure, Struck};
use crate::site::Site;

const ENTRY_WITHIN: Duration = Duration::from_secs(10);
/// A ballot in a stream is answered at once; its voter has read the answer by then.
const ANSWERED_AFTER: Duration = Duration::from_secs(1);

pub(super) async fn steal_vote(site: &mut Site) -> anyhow::Result<Struck> {
    let client = site.sql().await?;
    let steal = "WITH stolen AS (DELETE FROM votes WHERE ctid = (SELECT ctid FROM votes LIMIT 1)
                                 RETURNING poll_id, voter, choices),
        fewer AS (UPDATE tally t SET votes = t.votes - 1 FROM stolen s
                  WHERE t.poll_id = s.poll_id AND s.choices >> t.position & 1 = 1)
        UPDATE poll_tally p SET voters = p.voters - 1, version = p.version + 1 FROM stolen s
        WHERE p.poll_id = s.poll_id RETURNING s.voter::text";
    let row = client.query_opt(steal, &[]).await?.context("there is no vote to steal yet")?;
    Struck::noting(Cure::Itself, format!("the vote of {}", row.get::<_, &str>(0)))
}

/// Nobody counts for a moment; the first entry that waits is removed.
pub(super) async fn steal_entry(site: &mut Site) -> anyhow::Result<Struck> {
    let mut redis = site.redis().await?;
    let barrier = site.sql().await?;
    barrier.batch_execute("BEGIN; LOCK TABLE votes IN ACCESS EXCLUSIVE MODE").await?;
    site.named("consumers").into_iter().for_each(|consumer| consumer.freeze());
    let deadline = Instant::now() + ENTRY_WITHIN;
    let stolen = loop {
        ensure!(Instant::now() < deadline, "no entry came in to be stolen");
        site.pause(ANSWERED_AFTER).await?;
        let stream = site.keys.stream(0);
        // The newest is undelivered, since consumers are frozen, and its answer is out.
        let newest: Vec<(String, Vec<String>)> = redis::cmd("XREVRANGE")
            .arg(&stream)
            .arg(format!("({}", now_ms().saturating_sub(ANSWERED_AFTER.as_millis() as i64 / 2)))
            .arg("-")
            .arg("COUNT")
            .arg(1)
            .query_async(&mut redis)
            .await?;
        if let Some((id, fields)) = newest.into_iter().next() {
            redis::cmd("XDEL").arg(&stream).arg(&id).exec_async(&mut redis).await?;
            break fields.get(1).cloned().unwrap_or_default();
        }
    };
    drop(barrier);
    site.named("consumers").into_iter().for_each(|consumer| consumer.thaw());
    Struck::noting(Cure::Itself, format!("the entry `{stolen}`"))
}

pub(super) async fn forge_vote(site: &mut Site) -> anyhow::Result<Struck> {
    let client = site.sql().await?;
    let forge = "WITH forged AS (
            INSERT INTO votes (poll_id, voter, choices, entry_ms, entry_seq, ballot)
            SELECT id, gen_random_uuid(), 1, 1, 1, gen_random_uuid() FROM polls RETURNING poll_id),
        more AS (UPDATE tally t SET votes = t.votes + 1 FROM forged f
                 WHERE t.poll_id = f.poll_id AND t.position = 0)
        UPDATE poll_tally p SET voters = p.voters + 1, version = p.version + 1 FROM forged f
        WHERE p.poll_id = f.poll_id";
    ensure!(client.execute(forge, &[]).await? == 1, "there is no tally to forge yet");
    Struck::by(Cure::Itself)
}

pub(super) async fn stuff_tally(site: &mut Site) -> anyhow::Result<Struck> {
    let client = site.sql().await?;
    let stuff =
        "WITH more AS (UPDATE tally SET votes = votes + 1 WHERE position = 0 RETURNING poll_id)
        UPDATE poll_tally p SET voters = voters + 1, version = version + 1 FROM more
        WHERE p.poll_id = more.poll_id";
    ensure!(client.execute(stuff, &[]).await? == 1, "there is no tally to stuff yet");
    Struck::by(Cure::Itself)
}

fn now_ms() -> i64 {
    votestream_schema::poll::now_ms()
}
