//! Every replica is replaced while people vote, and no request fails.

use std::{collections::BTreeMap, time::Duration};

use testkit::{eventually, own_redis};
use votestream_loadtest::Stop;

use crate::{
    balancer::Balancer,
    deployment::{Deployment, Replica, SOON, drive, expect_kept, http, readiness},
};

/// Voters per second: enough for several ballots within each drain delay.
const RATE: f64 = 150.0;
const VIEWERS: usize = 30;

/// Starts a new replica and ends the old one. The old one must first report that it is not ready, go on serving, and
/// then end.
async fn replace(deployment: &Deployment, program: &str, balancer: &Balancer, old: &mut Replica) {
    let new = deployment.started(program).await;
    balancer.add(&new);
    eventually(SOON, async || balancer.sends_to(new.port)).await;
    let mut gone = std::mem::replace(old, new);
    gone.terminate();
    eventually(SOON, async || readiness(gone.admin_port).await == Some(503)).await;
    // The old replica still answers, and closes the connection with `Connection: close`.
    let head = match program {
        "producer" => http(gone.port, "GET / HTTP/1.1\r\nhost: x\r\n", "").await,
        _ => http(gone.port, "GET /api/polls HTTP/1.1\r\nhost: x\r\n", "").await,
    };
    let head = head.expect("one that drains serves").0.to_lowercase();
    assert!(head.contains("connection: close"), "{head}");
    eventually(SOON, async || !balancer.sends_to(gone.port)).await;
    let taken = balancer.taken_by(gone.port);
    assert_eq!(gone.ended().await.code(), Some(0));
    assert_eq!(balancer.taken_by(gone.port), taken, "nothing is sent to one that is not ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn replacing_every_replica_fails_no_request_and_loses_no_ballot() {
    let redis = own_redis();
    let deployment = Deployment::on(&redis.url(), &[]).await;
    let (votes, results) = (Balancer::start().await, Balancer::start().await);
    let (mut producers, mut dashboards, mut consumers) = (vec![], vec![], vec![]);
    for _ in 0..2 {
        producers.push(deployment.start("producer"));
        dashboards.push(deployment.start("dashboard"));
        consumers.push(deployment.start("consumer"));
    }
    for service in producers.iter().chain(&dashboards).chain(&consumers) {
        service.ready().await;
    }
    producers.iter().for_each(|producer| votes.add(producer));
    dashboards.iter().for_each(|dashboard| results.add(dashboard));
    for (balancer, services) in [(&votes, &producers), (&results, &dashboards)] {
        eventually(SOON, async || services.iter().all(|s| balancer.sends_to(s.port))).await;
    }

    let stop = Stop::default();
    let mut config = deployment.load(votes.port, Some(results.port), RATE, 300.0);
    config.viewers = VIEWERS;
    let load = tokio::spawn(drive(config, stop.clone()));
    eventually(SOON, async || votes.taken_by(producers[0].port) > 0).await;
    for producer in &mut producers {
        replace(&deployment, "producer", &votes, producer).await;
    }
    for consumer in &mut consumers {
        let mut gone = std::mem::replace(consumer, deployment.started("consumer").await);
        gone.terminate();
        assert_eq!(gone.ended().await.code(), Some(0));
    }
    for dashboard in &mut dashboards {
        replace(&deployment, "dashboard", &results, dashboard).await;
    }
    // The stream asks viewers to come back within three seconds; the load tester waits up to half of that longer.
    tokio::time::sleep(Duration::from_millis(4_600)).await;
    stop.load.cancel();
    let report = load.await.unwrap();

    assert_eq!((votes.refused(), results.refused()), (0, 0), "nobody took a connection");
    let outcomes: BTreeMap<&str, u64> =
        report.ballots.outcomes.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    let failed: Vec<_> =
        outcomes.iter().filter(|(name, n)| **name != "acknowledged" && **n > 0).collect();
    assert!(failed.is_empty(), "{outcomes:?} {:?}", report.samples);
    assert!(outcomes["acknowledged"] > 500, "{outcomes:?}");
    let viewers = report.viewers.as_ref().unwrap();
    assert!(viewers.reconnects >= VIEWERS as u64, "{viewers:?}");
    assert_eq!((viewers.with_state, viewers.refused, viewers.connect_failures), (30, 0, 0));
    // Each stream that is opened gets the current state at once.
    assert!(viewers.first_state.count >= VIEWERS as u64 + viewers.reconnects - 1, "{viewers:?}");
    expect_kept(&report);
}
