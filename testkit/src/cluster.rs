//! A Redis Cluster of masters on this machine.

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
    RedisCluster { masters }
}
