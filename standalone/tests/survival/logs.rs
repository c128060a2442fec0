//! A fault that lasts fills no log, and the log says which server is at fault, and why.

use std::time::Duration;

use testkit::{create_database, own_postgres, own_redis};
use votestream_loadtest::Stop;

use crate::deployment::{Deployment, cast, drive};

/// The most lines that one program may log while 2,000 ballots are refused in ten seconds.
const LINES_MAX: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_is_logged_in_a_few_lines_that_name_it() {
    let redis = own_redis();
    let deployment = Deployment::on(&redis.url(), &[]).await;
    let consumer = deployment.started("consumer").await;
    let producer = deployment.started("producer").await;
    let dashboard = deployment.started("dashboard").await;
    let services = [&producer, &consumer, &dashboard];
    let before = services.map(|service| service.logged().len());
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let mut config = deployment.load(producer.port, Some(dashboard.port), 200.0, 10.0);
    config.drain_time_max = Duration::from_secs(1);
    let report = drive(config, Stop::default()).await;
    assert!(report.ballots.outcomes.values().sum::<u64>() >= 1_900, "{:?}", report.ballots);
    assert_eq!(report.audit.acknowledged_voters, 0, "nothing is stored");
    let logged: Vec<Vec<String>> = services
        .iter()
        .zip(before)
        .map(|(service, before)| service.logged().split_off(before))
        .collect();
    for lines in &logged {
        assert!(lines.len() <= LINES_MAX, "{} lines: {lines:#?}", lines.len());
    }
    let address = redis.url().rsplit('@').next().unwrap().trim_end_matches('/').to_owned();
    let address = address.trim_start_matches("redis://");
    let names_it = |line: &String| line.contains(address) && line.contains("OOM");
    assert!(logged[0].iter().any(names_it), "no line of the producer names {address}: {logged:#?}");
    eprintln!("{:?} lines", logged.iter().map(Vec::len).collect::<Vec<_>>());
}

/// Warnings and errors among these lines.
fn complaints(lines: Vec<String>) -> Vec<String> {
    let is_complaint = |line: &String| ["WARN", "ERROR"].iter().any(|level| line.contains(level));
    lines.into_iter().filter(is_complaint).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_complaint_about_a_server_names_its_address_and_no_password() {
    let mut redis = own_redis();
    let mut postgres = own_postgres().await;
    let database_url = create_database(&postgres).await;
    let deployment = Deployment::with_database(&redis.url(), database_url.clone(), &[]).await;
    let producer = deployment.started("producer").await;
    let mut consumer = deployment.started("consumer").await;
    let dashboard = deployment.started("dashboard").await;
    assert_eq!(cast(producer.port).await.map(|(status, _)| status), Some(202));

    // Postgres goes first, so that a ballot waits for it; then Redis. The consumer ends while both are away.
    postgres.kill();
    assert_eq!(cast(producer.port).await.map(|(status, _)| status), Some(202));
    tokio::time::sleep(Duration::from_secs(2)).await;
    redis.kill();
    assert_eq!(cast(producer.port).await.map(|(status, _)| status), Some(503));
    let late = deployment.start("consumer");
    let early = deployment.start("producer");
    tokio::time::sleep(Duration::from_secs(3)).await;
    consumer.terminate();
    consumer.ended().await;

    let host_of = |url: &str| url.rsplit('@').next().unwrap().split('/').next().unwrap().to_owned();
    let password_of = |url: &str| {
        let login = url.split('@').next().unwrap();
        login.rsplit(':').next().unwrap().to_owned()
    };
    let servers = [
        ("redis", host_of(&redis.url()), password_of(&redis.url())),
        ("postgres", host_of(&database_url), password_of(&database_url)),
    ];
    let all = [
        ("producer", &producer),
        ("consumer", &consumer),
        ("dashboard", &dashboard),
        ("a consumer that starts", &late),
        ("a producer that starts", &early),
    ];
    for (name, service) in all {
        let lines = complaints(service.logged());
        assert!(!lines.is_empty(), "{name} complains of nothing: {:#?}", service.logged());
        for line in &lines {
            for (server, address, password) in &servers {
                let is_about =
                    line.contains(&format!("{server} ")) || line.contains(&format!("{server}:"));
                assert!(
                    !is_about || line.contains(address),
                    "{name} does not name {address}: {line}"
                );
                assert!(!line.contains(password), "{name} shows a password: {line}");
            }
        }
    }
}
