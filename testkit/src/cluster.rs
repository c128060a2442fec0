//! A Redis Cluster on this machine for one test: masters, and on request a replica for each of them.

use standalone::servers::{RedisServer, form_cluster};

use crate::redis::own_redis_with;

/// A running Redis Cluster. Dropping the value ends all its nodes.
#[derive(Debug)]
pub struct RedisCluster {
    /// The masters. The hash slots are spread over them evenly, in this order.
    pub masters: Vec<RedisServer>,
    /// The replica of each master, in the order of the masters; empty for a cluster without replicas.
    pub replicas: Vec<RedisServer>,
}

impl RedisCluster {
    /// Returns the addresses of all masters, separated by commas, as the setting `REDIS_URL` takes them.
    #[must_use]
    pub fn urls(&self) -> String {
        let urls: Vec<String> = self.masters.iter().map(RedisServer::url).collect();
        urls.join(",")
    }
}

/// Starts a Redis Cluster of this many masters without replicas, and waits until it serves all slots.
///
/// # Panics
/// Panics if a node does not start or the cluster does not form within a minute.
#[must_use]
pub fn redis_cluster(masters: usize) -> RedisCluster {
    start_cluster(masters, 0)
}

/// Starts a Redis Cluster of this many masters with one replica each, and waits until every replica has its master's
/// data.
///
/// # Panics
/// Panics if a node does not start or the cluster does not form within a minute.
#[must_use]
pub fn redis_cluster_with_replicas(masters: usize) -> RedisCluster {
    start_cluster(masters, masters)
}

fn start_cluster(masters: usize, replicas: usize) -> RedisCluster {
    let start = |number: usize| -> Vec<RedisServer> {
        (0..number).map(|_| own_redis_with(|options| options.cluster = true)).collect()
    };
    let cluster = RedisCluster { masters: start(masters), replicas: start(replicas) };
    let nodes: Vec<&RedisServer> = cluster.masters.iter().chain(&cluster.replicas).collect();
    form_cluster(&nodes, masters).unwrap_or_else(|error| panic!("{error}"));
    cluster
}
