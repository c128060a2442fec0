//! A fault that lasts fills no log, and the log says which server is at fault, and why.

use testkit::own_redis;
use votestream_loadtest::Stop;

use crate::deployment::{Deployment, drive};

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
    config.drain_time_max = std::time::Duration::from_secs(1);
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
