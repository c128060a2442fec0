//! A real producer and two real consumers: every acknowledged ballot is counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use testkit::{binary, eventually, free_port};
use votestream_schema::EntryId;

use crate::support::{CLAIM_SOON, Program, SOON, TestDeployment, http};

/// The number of times that each pair of entry ID and choice occurs; partitions may use the same ID.
type Ledger = BTreeMap<(EntryId, String), usize>;

fn producer(deployment: &TestDeployment, address: SocketAddr) -> Program {
    let arguments = deployment.arguments(&[]);
    let own = |argument: &&String| argument.starts_with("--redis") || argument.starts_with("--key");
    let mut arguments: Vec<String> = arguments.iter().filter(own).cloned().collect();
    arguments.push(format!("--listen-addr={address}"));
    arguments.push(format!("--cookie-keys={}", "5a".repeat(32)));
    Program::spawn(&binary("producer"), &arguments)
}

/// Posts ballots of new voters until nobody answers, and returns those that were acknowledged.
async fn post_until_refused(
    address: SocketAddr,
    slug: String,
    accepted: Arc<AtomicUsize>,
) -> Vec<(EntryId, String)> {
    let mut ledger = Vec::new();
    let head = format!(
        "POST /api/polls/{slug}/ballots HTTP/1.1\r\nhost: {address}\r\n\
         content-type: application/json\r\n"
    );
    for number in 0.. {
        let choice = ["cats", "dogs"][number % 2];
        let body = format!("{{\"choices\":[\"{choice}\"]}}");
        match http(address, &head, &body).await {
            Ok((202, reply)) => {
                let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
                assert_eq!(reply["choices"][0], choice);
                let entry = reply["entry"].as_str().unwrap().parse().unwrap();
                ledger.push((entry, choice.to_owned()));
                accepted.fetch_add(1, Ordering::Relaxed);
            }
            Ok((503, _)) | Err(_) => break,
            Ok(other) => panic!("{other:?}"),
        }
    }
    ledger
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_ballot_is_counted_when_all_are_told_to_stop_under_load() {
    let deployment = TestDeployment::new().await;
    let consumer = || deployment.spawn(&[CLAIM_SOON, &["--linger-ms=0"]].concat());
    let mut consumers = [consumer(), consumer()];
    let address: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let mut producer = producer(&deployment, address);
    let page = format!("GET /api/polls/{} HTTP/1.1\r\nhost: {address}\r\n", deployment.poll.slug);
    eventually(SOON, async || matches!(http(address, &page, "").await, Ok((200, _)))).await;
    producer.ready().await;

    let accepted = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let slug = deployment.poll.slug.to_string();
            tokio::spawn(post_until_refused(address, slug, accepted.clone()))
        })
        .collect();
    eventually(SOON, async || accepted.load(Ordering::Relaxed) > 500).await;
    consumers[0].process.signal(Signal::TERM);
    eventually(SOON, async || accepted.load(Ordering::Relaxed) > 1_000).await;
    producer.process.signal(Signal::TERM);
    assert!(producer.process.wait(Duration::from_secs(10)), "the grace period is 10 s");
    assert!(producer.process.exit_status().unwrap().success());
    assert!(consumers[0].process.wait(Duration::from_secs(10)), "the grace period is 10 s");

    let mut acknowledged = Ledger::new();
    for client in clients {
        for entry in client.await.unwrap() {
            *acknowledged.entry(entry).or_default() += 1;
        }
    }
    let mut redis = deployment.redis().await;
    eventually(SOON, async || deployment.in_flight(&mut redis).await == (0, 0)).await;
    let sql = deployment.sql().await;
    deployment.results_equal_recount(&sql).await;
    let mut counted = Ledger::new();
    for row in sql.query("SELECT entry_ms, entry_seq, choices FROM votes", &[]).await.unwrap() {
        let choice = ["cats", "dogs"][row.get::<_, i64>(2) as usize - 1];
        let entry = EntryId { ms: row.get(0), seq: row.get(1) };
        *counted.entry((entry, choice.to_owned())).or_default() += 1;
    }
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|(entry, n)| counted.get(*entry).copied().unwrap_or(0) < **n)
        .collect();
    assert!(lost.is_empty(), "{} acknowledged, not counted: {lost:?}", lost.len());
    let (acknowledged, counted): (usize, usize) =
        (acknowledged.values().sum(), counted.values().sum());
    assert!(acknowledged > 1_000);
    // Each client may have one ballot whose answer was cut off but which was stored.
    assert!((acknowledged..=acknowledged + 16).contains(&counted), "{acknowledged}, {counted}");
    assert!(deployment.dead_letters().await.is_empty());
}
