//! A Redis Cluster on this machine: masters, and a replica for each where asked for.

use standalone::servers::{RedisServer, form_cluster};

use crate::redis::own_redis_with;

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
    formed(masters, 0)
}

/// The same, with a replica for each master, all of them in step.
///
/// # Panics
/// As [`redis_cluster`].
#[must_use]
pub fn redis_cluster_with_replicas(masters: usize) -> RedisCluster {
    formed(masters, masters)
}

fn formed(masters: usize, replicas: usize) -> RedisCluster {
    let start = |number: usize| -> Vec<RedisServer> {
        (0..number).map(|_| own_redis_with(|options| options.cluster = true)).collect()
    };
    let cluster = RedisCluster { masters: start(masters), replicas: start(replicas) };
    let nodes: Vec<&RedisServer> = cluster.masters.iter().chain(&cluster.replicas).collect();
    form_cluster(&nodes, masters).unwrap_or_else(|error| panic!("{error}"));
    cluster
}
