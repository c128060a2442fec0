//! What a thousand polls cost while nothing changes, and how soon a change is everywhere.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

use std::process::Command;
use std::time::Duration;

use testkit::{Pipeline, binary, eventually, redis_connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

const SOON: Duration = Duration::from_secs(60);
/// Bytes a second that Redis may send while nothing happens. Reading all polls once takes 600 KiB. Three readers that did so every
/// second, as in earlier releases, would take 1,800 KiB a second; one comparison in five seconds and one reading in ten are
/// left.
const BYTES_A_SECOND_MAX: f64 = 450.0 * 1024.0;
const MEASURED: Duration = Duration::from_secs(20);

const THOUSAND_POLLS: &str = "
    INSERT INTO polls (slug, title, opens_at_ms)
        SELECT 'poll-' || n, 'Which one is it going to be tonight, number ' || n || '?', 1 FROM generate_series(1, 1000) n;
    INSERT INTO options (poll_id, position, slug, label)
        SELECT id, n, 'option-' || n, 'Option number ' || n FROM polls, generate_series(0, 2) n WHERE slug LIKE 'poll-%';
    INSERT INTO poll_tally (poll_id) SELECT id FROM polls WHERE slug LIKE 'poll-%' ON CONFLICT DO NOTHING;";

/// Sends a command to Redis as the operator.
async fn ask<T: redis::FromRedisValue>(pipeline: &Pipeline, command: &[&str]) -> T {
    let mut connection = redis_connection(&pipeline.variable("REDIS_URL")).await;
    redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await.unwrap()
}

/// Returns the bytes that Redis has sent.
async fn sent(pipeline: &Pipeline) -> f64 {
    let facts: String = ask(pipeline, &["INFO", "stats"]).await;
    let line = facts.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:"));
    line.unwrap().trim().parse().unwrap()
}

/// Returns the status line of the producer's page of a poll.
async fn page(pipeline: &Pipeline, slug: &str) -> String {
    let address = pipeline.vote.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /api/polls/{slug} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_polls_cost_redis_little_while_nothing_changes() {
    let pipeline = tokio::task::block_in_place(|| Pipeline::start(&[]));
    let (sql, connection) =
        tokio_postgres::connect(&pipeline.variable("DATABASE_URL"), NoTls).await.unwrap();
    tokio::spawn(connection);
    sql.batch_execute(THOUSAND_POLLS).await.unwrap();
    eventually(SOON, async || match ask::<u64>(&pipeline, &["HLEN", "votes:polls"]).await {
        1_001 => Ok(()),
        copied => Err(copied),
    })
    .await;
    eventually(SOON, async || match page(&pipeline, "poll-1000").await {
        found if found.contains("200") => Ok(()),
        other => Err(other),
    })
    .await;

    // While nothing changes, Redis sends little.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = sent(&pipeline).await;
    tokio::time::sleep(MEASURED).await;
    let bytes_a_second = (sent(&pipeline).await - before) / MEASURED.as_secs_f64();
    eprintln!("{:.1} KiB a second", bytes_a_second / 1024.0);
    assert!(bytes_a_second < BYTES_A_SECOND_MAX, "{bytes_a_second} bytes a second");

    // A change is everywhere as soon as before: votectl waits until the producer serves it.
    let made = Command::new(binary("votectl"))
        .args(["poll", "create", "--slug", "late", "--title", "Late?", "--open"])
        .args(["--option", "a=A", "--option", "b=B"])
        .envs(["REDIS_URL", "DATABASE_URL"].map(|name| (name, pipeline.variable(name))))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(page(&pipeline, "late").await.contains("200"));

    // What somebody else writes is repaired, by content.
    ask::<u64>(&pipeline, &["HSET", "{votes:1}:polls", "1", "1 0 1 keep_first open"]).await;
    ask::<u64>(&pipeline, &["HSET", "votes:polls", "poll-7", "{}"]).await;
    eventually(SOON, async || {
        let rules: String = ask(&pipeline, &["HGET", "{votes:1}:polls", "1"]).await;
        let definition: String = ask(&pipeline, &["HGET", "votes:polls", "poll-7"]).await;
        if rules != "1 0 1 keep_first open" && definition != "{}" {
            Ok(())
        } else {
            Err((rules, definition))
        }
    })
    .await;
}
