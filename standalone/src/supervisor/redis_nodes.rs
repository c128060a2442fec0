//! The Redis of the pipeline: one server, or a cluster of three masters with a replica each.
//!
//! Invariant: a data folder keeps the kind of Redis that it was made with, because ballots that wait in the other kind
//! would not be counted.

use std::env;

use tokio::task::block_in_place;

use super::config::Config;
use super::data_dir::DataDir;
use super::error::Error;
use super::terminal::say;
use crate::servers::{RedisOptions, RedisServer, RedisUser, form_cluster, shipped_users};

const MASTERS: u16 = 3;
/// The time after which the cluster replaces a master that hangs. A master that dies is restarted within 2 s, which is
/// less, so it stays a master.
const NODE_TIMEOUT_MS: &str = "5000";

/// Returns all users, the operator first, each with a password of its own.
pub(super) fn users(data_dir: &DataDir) -> Result<Vec<RedisUser>, Error> {
    shipped_users(|name| data_dir.secret(&format!("redis-{name}")))
}

/// Returns the options of every node, those of the masters first.
///
/// # Errors
/// Returns [`Error::OtherRedis`] if the data folder holds the other kind of Redis.
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

/// Joins the nodes to a cluster, unless they are joined already. One server needs nothing.
pub(super) fn form(nodes: &[&RedisServer]) -> Result<(), Error> {
    if nodes.len() > 1 {
        say("joining the nodes to a Redis Cluster");
        block_in_place(|| form_cluster(nodes, usize::from(MASTERS)))?;
    }
    Ok(())
}

/// Returns the variables that a client needs: the address for this user, and whether it is that of a cluster.
pub(super) fn environment(nodes: &[&RedisServer], user: &RedisUser) -> Vec<(&'static str, String)> {
    let urls: Vec<String> = nodes.iter().map(|node| node.url_for(user)).collect();
    let mut environment = vec![("REDIS_URL", urls.join(","))];
    if nodes.len() > 1 {
        environment.push(("REDIS_CLUSTER", "true".to_owned()));
    }
    environment
}

/// Returns the durability of the producers. On a cluster a ballot must have reached a replica before it is acknowledged,
/// or a failover would lose ballots; a DURABILITY that the operator has set is kept.
pub(super) fn durability(nodes: &[&RedisServer]) -> Vec<(&'static str, String)> {
    let chosen = env::var_os("DURABILITY").is_some();
    let replicated = (nodes.len() > 1 && !chosen).then(|| "replicated".to_owned());
    replicated.map(|replicated| ("DURABILITY", replicated)).into_iter().collect()
}
