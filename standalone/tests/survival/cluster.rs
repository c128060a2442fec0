//! Redis Cluster: a master dies, a slot moves to another master, all nodes are down.

use std::time::Duration;

use testkit::{RedisCluster, RedisServer, eventually, redis_cluster_with_replicas};
use votestream_loadtest::{Report, Stop};
use votestream_schema::Keys;

use crate::deployment::{Deployment, Replica, SOON, cast, drive};

struct ClusterDeployment {
    cluster: RedisCluster,
    deployment: Deployment,
    producer: Replica,
    _others: Vec<Replica>,
    dashboard: u16,
}

impl ClusterDeployment {
    /// Starts three masters with a replica each, and the services with DURABILITY=replicated. Every master has a
    /// partition.
    async fn start() -> Self {
        let cluster = tokio::task::spawn_blocking(|| redis_cluster_with_replicas(3)).await.unwrap();
        let settings =
            [("REDIS_CLUSTER", "true"), ("DURABILITY", "replicated"), ("CLAIM_IDLE_MS", "25000")];
        let deployment = Deployment::on(&cluster.urls(), &settings).await;
        let owners: std::collections::BTreeSet<usize> =
            (0..6).map(|partition| slot(&cluster.masters[0], partition) * 3 / 16_384).collect();
        assert_eq!(owners.len(), 3, "partitions lie on every master");
        let (consumer, producer, dashboard) = (
            deployment.started("consumer").await,
            deployment.started("producer").await,
            deployment.started("dashboard").await,
        );
        let port = dashboard.port;
        Self { cluster, deployment, producer, _others: vec![consumer, dashboard], dashboard: port }
    }

    fn load(&self, stop: &Stop) -> tokio::task::JoinHandle<Report> {
        let results = Some(self.dashboard);
        let config = self.deployment.load(self.producer.port, results, 100.0, 300.0);
        tokio::spawn(drive(config, stop.clone()))
    }

    /// Waits until ten ballots of new voters are accepted. Ten reach all six partitions, most likely.
    async fn accepts_again(&self) {
        for _ in 0..10 {
            eventually(SOON, async || match cast(self.producer.port).await {
                Some((202, _)) => Ok(()),
                answer => Err(answer),
            })
            .await;
        }
    }
}

fn slot(node: &RedisServer, partition: u16) -> usize {
    let stream = Keys::default().stream(partition);
    node.command(&["CLUSTER", "KEYSLOT", &stream]).unwrap().trim().parse().unwrap()
}

/// Ballots that are acknowledged before, during and after the failures are all counted.
#[tokio::test(flavor = "multi_thread")]
async fn replicated_ballots_survive_a_killed_master_and_a_cluster_that_is_down() {
    let mut system = ClusterDeployment::start().await;
    let stop = Stop::default();
    let load = system.load(&stop);
    tokio::time::sleep(Duration::from_secs(2)).await;
    system.cluster.masters[0].kill();
    eventually(SOON, async || {
        let role = system.cluster.replicas[0].command(&["ROLE"]).unwrap();
        role.starts_with("master").then_some(()).ok_or(role)
    })
    .await;
    // The promoted replica has no replica of its own until the old master is back, so nothing is acknowledged.
    system.cluster.masters[0].restart().unwrap();
    system.accepts_again().await;

    for node in system.cluster.masters.iter_mut().chain(&mut system.cluster.replicas) {
        node.kill();
    }
    let (status, head) = eventually(SOON, async || cast(system.producer.port).await).await;
    assert_eq!(status, 503, "{head}");
    assert!(head.contains("retry-after"), "{head}");
    for node in system.cluster.replicas.iter_mut().chain(&mut system.cluster.masters) {
        node.respawn().unwrap();
    }
    system.accepts_again().await;
    stop.load.cancel();
    expect_counted(&load.await.unwrap());
}

/// A partition's slot moves to another master, key by key, under load.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_moves_to_another_master_while_ballots_flow() {
    let system = ClusterDeployment::start().await;
    let stop = Stop::default();
    let load = system.load(&stop);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let slot = slot(&system.cluster.masters[0], 0);
    let from = &system.cluster.masters[slot * 3 / 16_384];
    let to = &system.cluster.masters[(slot * 3 / 16_384 + 1) % 3];
    let id = |node: &RedisServer| node.command(&["CLUSTER", "MYID"]).unwrap().trim().to_owned();
    let (slot, from_id, to_id, port) = (slot.to_string(), id(from), id(to), to.port().to_string());
    to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]).unwrap();
    from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]).unwrap();
    let mut moved = 0;
    loop {
        let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "20"]).unwrap();
        let keys: Vec<&str> = keys.lines().filter(|key| !key.is_empty()).collect();
        if keys.is_empty() {
            break;
        }
        moved += keys.len();
        let login = ["AUTH2", "operator", "operator-password"];
        let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000"];
        let migrate = [migrate.as_slice(), login.as_slice(), &["KEYS"]].concat();
        from.command(&[migrate.as_slice(), &keys].concat()).unwrap();
    }
    assert!(moved > 3, "{moved} keys");
    for node in [to, from] {
        node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).unwrap();
    }
    system.accepts_again().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.load.cancel();
    expect_counted(&load.await.unwrap());
}

/// Checks that no ballot of the load is missing, doubled or changed. The test's own ballots are counted too, and the
/// audit takes them for phantoms, so phantoms do not fail the test.
fn expect_counted(report: &Report) {
    let findings = &report.audit.findings;
    let wrong = findings.lost + findings.duplicated + findings.wrong_choice;
    assert!(wrong == 0 && report.audit.acknowledged_voters > 100, "{:?}", report.audit);
}
