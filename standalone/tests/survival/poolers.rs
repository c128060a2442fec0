//! PgBouncer stands between the programs and Postgres, and every server closes what is idle: no voter and no viewer
//! notices.

use std::time::Duration;

use testkit::{PgBouncer, eventually, own_postgres_with, own_redis, own_redis_with};
use votestream_loadtest::Stop;

use crate::deployment::{Deployment, POLL, SOON, cast, drive, expect_kept, http};

/// Server sessions of the pooler: fewer than the programs have sessions, so that they share them.
const POOL_SIZE: &str = "4";

/// People vote and watch, and an operator uses every command that asks Postgres, all of them by way of a PgBouncer.
async fn everything_works_behind(pool_mode: &str, settings: &[(&str, &str)]) {
    let redis = own_redis();
    // Ballots are counted for certain, whatever the server's default is.
    let postgres = own_postgres_with(|options| {
        options.settings.push(("synchronous_commit".to_owned(), "off".to_owned()));
    });
    let postgres = postgres.await;
    let database_url = testkit::create_database(&postgres).await;
    let mut deployment = Deployment::with_database(&redis.url(), database_url.clone(), &[]).await;
    let pooler = PgBouncer::start(&database_url, pool_mode, settings);
    deployment.set("DATABASE_URL", &pooler.url());

    let consumers = [deployment.started("consumer").await, deployment.started("consumer").await];
    let producer = deployment.started("producer").await;
    let dashboard = deployment.started("dashboard").await;
    let mut config = deployment.load(producer.port, Some(dashboard.port), 150.0, 4.0);
    config.viewers = 20;
    let report = drive(config, Stop::default()).await;
    expect_kept(&report);
    assert_eq!(report.viewers.as_ref().unwrap().with_state, 20);
    let path = format!("GET /api/polls/{POLL}/series HTTP/1.1\r\nhost: x\r\n");
    let (head, _) = http(dashboard.port, &path, "").await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");

    operate(&deployment);
    deployment.votectl(&["poll", "close", POLL, "--wait", "20"]);
    eventually(SOON, async || {
        let shown = deployment.votectl(&["poll", "show", POLL]);
        if shown.contains("final: every accepted ballot is counted") { Ok(()) } else { Err(shown) }
    })
    .await;
    deployment.votectl(&["poll", "archive", POLL]);
    deployment.votectl(&["poll", "seal", POLL, "--yes"]);
    deployment.votectl(&["audit"]);
    deployment.votectl(&["forget", POLL, "--now"]);
    drop(consumers);
    let log = std::fs::read_to_string(pooler.log()).unwrap();
    for refused in ["unsupported startup parameter", "prepared statement"] {
        assert!(!log.contains(refused), "{log}");
    }
}

/// The commands of an operator that leave the poll open.
fn operate(deployment: &Deployment) {
    deployment.votectl(
        &["poll", "create", "--slug", "codes", "--title", "Codes?", "--open"]
            .iter()
            .chain(&["--voter-policy", "code", "--option", "cats", "--option", "dogs"])
            .copied()
            .collect::<Vec<_>>(),
    );
    deployment.votectl(&["codes", "issue", "codes", "--count", "20"]);
    deployment.votectl(&["codes", "count", "codes"]);
    for arguments in [
        ["poll", "list"].as_slice(),
        &["poll", "show", POLL],
        &["poll", "export", POLL, "--format", "csv"],
        &["dead-letters", "list"],
        &["resync"],
        &["audit", "--wait", "20"],
    ] {
        deployment.votectl(arguments);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_behind_a_pooler_in_session_mode() {
    // Each session of a program keeps one of the server's.
    everything_works_behind("session", &[("default_pool_size", "40")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_behind_a_pooler_in_transaction_mode() {
    everything_works_behind("transaction", &[("default_pool_size", POOL_SIZE)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_idle_time_out_of_a_server_reaches_a_voter_or_a_viewer() {
    let redis = own_redis_with(|options| {
        options.settings.push(("timeout".to_owned(), "1".to_owned()));
    });
    let postgres = own_postgres_with(|options| {
        options.settings.push(("idle_session_timeout".to_owned(), "700".to_owned()));
    });
    let postgres = postgres.await;
    let database_url = testkit::create_database(&postgres).await;
    let mut deployment = Deployment::with_database(&redis.url(), database_url.clone(), &[]).await;
    let idle = [
        ("default_pool_size", "40"),
        ("server_idle_timeout", "1"),
        ("client_idle_timeout", "1"),
        ("server_lifetime", "2"),
    ];
    let pooler = PgBouncer::start(&database_url, "transaction", &idle);
    // One dashboard asks the pooler, the other one Postgres itself.
    let direct = deployment.started("dashboard").await;
    deployment.set("DATABASE_URL", &pooler.url());
    let pooled = deployment.started("dashboard").await;
    let consumer = deployment.started("consumer").await;
    let producer = deployment.started("producer").await;

    let path = format!("GET /api/polls/{POLL}/series HTTP/1.1\r\nhost: x\r\n");
    let mut cast_so_far = 0;
    // The pauses are about as long as what the servers wait: many calls meet a connection that is being closed.
    for round in 0..14_u64 {
        for _ in 0..5 {
            let (status, head) = cast(producer.port).await.unwrap();
            assert_eq!(status, 202, "{head}");
            cast_so_far += 1;
        }
        for port in [direct.port, pooled.port] {
            let (head, _) = http(port, &path, "").await.unwrap();
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        }
        tokio::time::sleep(Duration::from_millis(650 + 60 * round)).await;
    }
    let results = format!("GET /api/polls/{POLL}/tally HTTP/1.1\r\nhost: x\r\n");
    eventually(SOON, async || {
        let (_, body) = http(pooled.port, &results, "").await.unwrap();
        if body.contains(&format!("\"voters\":{cast_so_far},")) { Ok(()) } else { Err(body) }
    })
    .await;
    drop(consumer);
}
