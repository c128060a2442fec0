//! A Redis Cluster on this machine: masters, and a replica for each where asked for.

use std::{
    thread,
    time::{Duration, Instant},
};

use standalone::servers::RedisServer;

use crate::redis::own_redis_with;

const SLOTS: usize = 16_384;
const FORMED_WITHIN: Duration = Duration::from_secs(60);

/// A Redis Cluster. Dropping it ends it.
#[derive(Debug)]
pub struct RedisCluster {
    /// The masters; slots are spread over them evenly, in this order.
    pub masters: Vec<RedisServer>,
    /// The first replica of each master, in their order; empty where none was asked for.
    pub replicas: Vec<RedisServer>,
}

impl RedisCluster {
    /// The seed nodes, separated by commas, as `REDIS_URL` takes them.
    #[must_use]
    pub fn urls(&self) -> String {
        let urls: Vec<String> = self.masters.iter().map(RedisServer::url).collect();
        urls.join(",")
    }
}

/// A Redis Cluster of the test's own, formed and serving all slots.
///
/// # Panics
/// If it cannot be started or does not form.
#[must_use]
pub fn redis_cluster(masters: usize) -> RedisCluster {
    let masters: Vec<RedisServer> =
        (0..masters).map(|_| own_redis_with(|options| options.cluster = true)).collect();
    let ask = |master: &RedisServer, words: &[&str]| {
        master.command(words).unwrap_or_else(|error| panic!("{}: {error}", words.join(" ")))
    };
    for (number, master) in masters.iter().enumerate() {
        let slots = |number: usize| number * SLOTS / masters.len();
        let (first, last) = (slots(number).to_string(), (slots(number + 1) - 1).to_string());
        ask(master, &["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        ask(master, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
    }
    for other in &masters[1..] {
        let bus_port = other.bus_port().expect("a cluster's node has a bus");
        let (port, bus_port) = (other.port().to_string(), bus_port.to_string());
        ask(&masters[0], &["CLUSTER", "MEET", "127.0.0.1", &port, &bus_port]);
    }
    let nodes = format!("cluster_known_nodes:{}", masters.len());
    let deadline = Instant::now() + FORMED_WITHIN;
    for master in &masters {
        loop {
            let info = ask(master, &["CLUSTER", "INFO"]);
            if info.contains("cluster_state:ok") && info.contains(&nodes) {
                break;
            }
            assert!(Instant::now() < deadline, "the cluster does not form:\n{info}");
            thread::sleep(Duration::from_millis(20));
        }
    }
    RedisCluster { masters, replicas: Vec::new() }
}

/// The same, with a replica for each master, all of them in step.
///
/// # Panics
/// As [`redis_cluster`].
#[must_use]
pub fn redis_cluster_with_replicas(masters: usize) -> RedisCluster {
    let mut cluster = redis_cluster(masters);
    for master in &cluster.masters {
        let replica = own_redis_with(|options| options.cluster = true);
        let bus_port = master.bus_port().expect("a cluster's node has a bus").to_string();
        replica
            .command(&["CLUSTER", "MEET", "127.0.0.1", &master.port().to_string(), &bus_port])
            .expect("nodes meet");
        let id = master.command(&["CLUSTER", "MYID"]).expect("a node knows its id");
        settle("the replica knows its master", || {
            replica.command(&["CLUSTER", "REPLICATE", id.trim()]).is_ok()
        });
        cluster.replicas.push(replica);
    }
    let nodes = format!("cluster_known_nodes:{}", masters * 2);
    for (master, replica) in cluster.masters.iter().zip(&cluster.replicas) {
        for node in [master, replica] {
            settle("all nodes know each other", || {
                node.command(&["CLUSTER", "INFO"])
                    .is_ok_and(|info| info.contains("cluster_state:ok") && info.contains(&nodes))
            });
        }
        settle("the replica is in step", || {
            master.command(&["WAIT", "1", "100"]).is_ok_and(|reached| reached.trim() == "1")
        });
    }
    cluster
}

fn settle(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + FORMED_WITHIN;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
