//! Fraud that the audit must find. It proves that a run can fail.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use testkit::proxy::Mode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::cure::{Cure, Injection};
use super::processes;
use crate::closing::ClosingPolls;
use crate::testbed::{POLL, Testbed, metrics_link};
use votestream_schema::keys::GROUP;

const ENTRY_WITHIN: Duration = Duration::from_secs(10);
/// The age after which a ballot in a stream has certainly been acknowledged to its voter.
const ANSWERED_AFTER: Duration = Duration::from_secs(1);

/// Deletes a counted vote, and takes it off the tally.
pub(super) async fn steal_vote(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let client = testbed.sql().await?;
    let steal = "WITH stolen AS (DELETE FROM votes WHERE ctid = (SELECT v.ctid FROM votes v
                                     JOIN polls ON id = poll_id WHERE slug = $1 LIMIT 1)
                                 RETURNING poll_id, voter, choices),
        fewer AS (UPDATE tally t SET votes = t.votes - 1 FROM stolen s
                  WHERE t.poll_id = s.poll_id AND s.choices >> t.position & 1 = 1)
        UPDATE poll_tally p SET voters = p.voters - 1, version = p.version + 1 FROM stolen s
        WHERE p.poll_id = s.poll_id RETURNING s.voter::text";
    let row = client.query_opt(steal, &[&POLL]).await?.context("there is no vote to steal yet")?;
    Injection::noting(Cure::Itself, format!("the vote of {}", row.get::<_, &str>(0)))
}

/// Freezes the consumers, removes the newest acknowledged entry from a stream, and lets the consumers go on.
pub(super) async fn steal_entry(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let mut redis = testbed.redis().await?;
    let barrier = testbed.sql().await?;
    barrier.batch_execute("BEGIN; LOCK TABLE votes IN ACCESS EXCLUSIVE MODE").await?;
    testbed.services_of("consumers")?.into_iter().for_each(|consumer| consumer.freeze());
    let deadline = Instant::now() + ENTRY_WITHIN;
    let stolen = loop {
        ensure!(Instant::now() < deadline, "no entry that could be stolen arrived within 10 s");
        testbed.pause(ANSWERED_AFTER).await?;
        let stream = testbed.keys.stream(0);
        // A frozen consumer may hold entries that were delivered to it, and a read that was waiting when it froze
        // delivers a few more. Only an entry beyond those is lost when it is deleted.
        let groups: redis::streams::StreamInfoGroupsReply =
            redis::cmd("XINFO").arg("GROUPS").arg(&stream).query_async(&mut redis).await?;
        let Some(group) = groups.groups.into_iter().find(|group| group.name == GROUP) else {
            continue;
        };
        let newest: Vec<(String, Vec<String>)> = redis::cmd("XREVRANGE")
            .arg(&stream)
            .arg(format!("({}", now_ms().saturating_sub(ANSWERED_AFTER.as_millis() as i64 / 2)))
            .arg(format!("({}", group.last_delivered_id))
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
    testbed.services_of("consumers")?.into_iter().for_each(|consumer| consumer.thaw());
    Injection::noting(Cure::Itself, format!("the entry `{stolen}`"))
}

/// Adds a vote that nobody cast, and adds it to the tally.
pub(super) async fn forge_vote(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let client = testbed.sql().await?;
    let forge = "WITH forged AS (
            INSERT INTO votes (poll_id, voter, choices, entry_ms, entry_seq, ballot)
            SELECT id, gen_random_uuid(), 1, 1, 1, gen_random_uuid() FROM polls
            WHERE slug = $1 RETURNING poll_id),
        more AS (UPDATE tally t SET votes = t.votes + 1 FROM forged f
                 WHERE t.poll_id = f.poll_id AND t.position = 0)
        UPDATE poll_tally p SET voters = p.voters + 1, version = p.version + 1 FROM forged f
        WHERE p.poll_id = f.poll_id";
    ensure!(client.execute(forge, &[&POLL]).await? == 1, "there is no tally to forge yet");
    Injection::by(Cure::Itself)
}

/// Adds a voter to the tally who has no vote.
pub(super) async fn stuff_tally(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let client = testbed.sql().await?;
    let stuff = "WITH more AS (UPDATE tally SET votes = votes + 1 FROM polls
            WHERE id = poll_id AND slug = $1 AND position = 0 RETURNING poll_id)
        UPDATE poll_tally p SET voters = voters + 1, version = version + 1 FROM more
        WHERE p.poll_id = more.poll_id";
    ensure!(client.execute(stuff, &[&POLL]).await? == 1, "there is no tally to stuff yet");
    Injection::by(Cure::Itself)
}

/// Freezes the consumers shortly before a poll closes, and lets the watermark pass its end.
pub(super) async fn forge_watermark(
    testbed: &mut Testbed,
    polls: &ClosingPolls,
) -> anyhow::Result<Injection> {
    let frozen = processes::freeze_at_close(testbed, polls, "consumers").await?;
    testbed.pause(ANSWERED_AFTER).await?;
    let forge = "UPDATE watermarks SET complete_to_ms = complete_to_ms + 60000";
    testbed.sql().await?.execute(forge, &[]).await?;
    Ok(frozen)
}

/// Freezes a service, and answers Prometheus in its place with the metrics that it had before.
pub(super) async fn forge_metrics(
    testbed: &mut Testbed,
    service: &'static str,
) -> anyhow::Result<Injection> {
    let admin_port = admin_port(testbed, service)?;
    let last = crate::http::get(admin_port, "/metrics", ENTRY_WITHIN).await?;
    ensure!(last.status == 200, "{service} has no metrics: status {}", last.status);
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{}",
        last.body.len(),
        last.body
    );
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let forger = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            // A request of Prometheus fits into one piece, and one that fails is sent again a second later.
            if stream.read(&mut request).await.is_ok() {
                let _ = stream.write_all(reply.as_bytes()).await;
            }
        }
    });
    let frozen = processes::freeze(testbed, service)?;
    lead_prometheus(testbed, service, port);
    drop(frozen);
    Injection::by(Cure::TrueMetrics(service, forger))
}

/// Lets a frozen service go on, and leads Prometheus to it again.
pub(super) fn stop_forging(testbed: &mut Testbed, service: &'static str) -> anyhow::Result<()> {
    let admin_port = admin_port(testbed, service)?;
    lead_prometheus(testbed, service, admin_port);
    processes::thaw(testbed, service)
}

fn admin_port(testbed: &mut Testbed, service: &str) -> anyhow::Result<u16> {
    Ok(testbed.services_of(service)?[0].admin_port)
}

/// Ends the connections of Prometheus to a service, and lets new ones lead to this port.
fn lead_prometheus(testbed: &Testbed, service: &str, port: u16) {
    if let Some(link) = testbed.links.get(&metrics_link(service)) {
        link.aim(port);
        link.set(Mode::Reset);
        link.set(Mode::Pass);
    }
}

fn now_ms() -> i64 {
    votestream_schema::poll::now_ms()
}
