//! The Redis that the pipeline runs on: one server, or a cluster of three masters and their replicas.
//!
//! Invariant: a data folder keeps the kind of Redis that it was made with: what waits in the other
//! kind would not be counted.

use std::env;

use tokio::task::block_in_place;

use super::{Config, DataDir, Error, say};
use crate::servers::{RedisOptions, RedisServer, RedisUser, form_cluster, shipped_users};

const MASTERS: u16 = 3;
/// A master that was killed is back within a second or two; one that hangs is replaced after this.
const NODE_TIMEOUT_MS: &str = "5000";

/// All users, the operator first, each with a password of its own.
pub(super) fn users(data_dir: &DataDir) -> Result<Vec<RedisUser>, Error> {
    shipped_users(|name| data_dir.secret(&format!("redis-{name}")))
}

/// What every node is started with, the masters-to-be first.
pub(super) fn options(data_dir: &DataDir, config: &Config) -> Result<Vec<RedisOptions>, Error> {
    let cluster = config.cluster;
    let (single, nodes) = (data_dir.root().join("redis"), data_dir.root().join("redis-cluster"));
    let made = match cluster {
        true if single.exists() => Some("one Redis, without CLUSTER"),
        false if nodes.exists() => Some("CLUSTER=1"),
        _ => None,
    };
    if let Some(made) = made {
        return Err(Error::OtherRedis { data_dir: data_dir.root().to_owned(), made });
    }
    let common = RedisOptions {
        program: config.redis_server.clone(),
        log: data_dir.log(),
        run: data_dir.run(),
        users: users(data_dir)?,
        ..RedisOptions::new("redis", "")
    };
    if !cluster {
        let port = Some(data_dir.port_of("redis")?);
        return Ok(vec![RedisOptions { folder: single, port, ..common }]);
    }
    let settings = [("cluster-node-timeout".to_owned(), NODE_TIMEOUT_MS.to_owned())];
    let node = |number: u16| -> Result<RedisOptions, Error> {
        let name = format!("redis-{number}");
        Ok(RedisOptions {
            folder: nodes.join(number.to_string()),
            port: Some(data_dir.port_of(&name)?),
            cluster: true,
            bus_port: Some(data_dir.port_of(&format!("{name}-bus"))?),
            settings: settings.to_vec(),
            name,
            ..common.clone()
        })
    };
    (1..=2 * MASTERS).map(node).collect()
}

/// Joins the nodes of a cluster, or finds them joined; nothing to do for one server.
pub(super) fn form(nodes: &[&RedisServer]) -> Result<(), Error> {
    if nodes.len() > 1 {
        say("joining the nodes of the Redis Cluster");
        block_in_place(|| form_cluster(nodes, usize::from(MASTERS)))?;
    }
    Ok(())
}

/// What a client has to be told: the address for this user, and whether it is a cluster's.
pub(super) fn environment(nodes: &[&RedisServer], user: &RedisUser) -> Vec<(&'static str, String)> {
    let urls: Vec<String> = nodes.iter().map(|node| node.url_for(user)).collect();
    let mut environment = vec![("REDIS_URL", urls.join(","))];
    if nodes.len() > 1 {
        environment.push(("REDIS_CLUSTER", "true".to_owned()));
    }
    environment
}

/// What "accepted" promises: on a cluster a replica has it too, or a failover would lose ballots.
pub(super) fn durability(nodes: &[&RedisServer]) -> Vec<(&'static str, String)> {
    let chosen = env::var_os("DURABILITY").is_some();
    let replicated = (nodes.len() > 1 && !chosen).then(|| "replicated".to_owned());
    replicated.map(|replicated| ("DURABILITY", replicated)).into_iter().collect()
}
