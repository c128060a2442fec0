//! The addresses at which the nodes of a Redis Cluster were last seen.
//!
//! A cluster is named by one or a few names, which the network's DNS resolves. While names do not resolve, new
//! connections would fail although every node is there; so each connection first tries the addresses that the
//! cluster itself gave last.
//! Absent on purpose: TLS, whose certificates are made out to names.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use redis::cluster_async::ClusterConnection;
use redis::{ConnectionAddr, ConnectionInfo, Value};

/// The addresses known to all clones; empty until the first connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownNodes(Arc<Mutex<Vec<(IpAddr, u16)>>>);

impl KnownNodes {
    /// Asks the cluster where its nodes are. If it does not answer, the addresses stay as they were.
    pub(crate) async fn learn(&self, connection: &mut ClusterConnection) {
        let slots = redis::cmd("CLUSTER").arg("SLOTS").clone();
        let Ok(reply) = slots.query_async::<Value>(connection).await else { return };
        let nodes = nodes_of(&reply);
        if !nodes.is_empty() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
        }
    }

    /// How to connect to each known node, logging in as `seed` does; `None` if none is known or `seed` wants TLS.
    pub(crate) fn infos(&self, seed: &ConnectionInfo) -> Option<Vec<ConnectionInfo>> {
        if !matches!(seed.addr(), ConnectionAddr::Tcp(..)) {
            return None;
        }
        let nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let info = |(address, port): &(IpAddr, u16)| {
            seed.clone().set_addr(ConnectionAddr::Tcp(address.to_string(), *port))
        };
        (!nodes.is_empty()).then(|| nodes.iter().map(info).collect())
    }
}

/// The distinct addresses in the reply of `CLUSTER SLOTS`: ranges of slots, each with its nodes as
/// `[host, port, id, [name, value, …]]`. Where the host is a name, the address stands among the last list's values.
fn nodes_of(reply: &Value) -> Vec<(IpAddr, u16)> {
    let mut nodes: Vec<(IpAddr, u16)> = list(reply)
        .iter()
        .flat_map(|range| list(range).get(2..).unwrap_or_default())
        .filter_map(|node| {
            let [host, port, rest @ ..] = list(node) else { return None };
            let extra = rest.get(1).map(list).unwrap_or_default();
            let address = std::iter::once(host).chain(extra).find_map(address)?;
            Some((address, redis::from_redis_value(port.clone()).ok()?))
        })
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        _ => &[],
    }
}

fn address(value: &Value) -> Option<IpAddr> {
    redis::from_redis_value::<String>(value.clone()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node(host: &str, port: i64, extra: Vec<Value>) -> Value {
        Value::Array(vec![text(host), Value::Int(port), text("id"), Value::Array(extra)])
    }

    #[test]
    fn addresses_are_found_beside_names_and_once_each() {
        let range =
            |nodes: Vec<Value>| Value::Array([vec![Value::Int(0), Value::Int(9)], nodes].concat());
        let reply = Value::Array(vec![
            range(vec![
                node("redis-0.nodes", 6379, vec![text("ip"), text("10.0.0.1")]),
                node("10.0.0.2", 6380, vec![text("hostname"), text("redis-1.nodes")]),
            ]),
            range(vec![node("10.0.0.2", 6380, vec![]), node("lost.nodes", 6379, vec![])]),
        ]);
        let at = |text: &str, port| (text.parse::<IpAddr>().unwrap(), port);
        assert_eq!(nodes_of(&reply), [at("10.0.0.1", 6379), at("10.0.0.2", 6380)]);
        assert_eq!(nodes_of(&Value::Nil), []);
    }

    #[test]
    fn a_known_node_is_reached_with_the_login_of_the_seed_and_never_instead_of_tls() {
        use redis::IntoConnectionInfo;
        let known = KnownNodes::default();
        let seed = "redis://producer:secret@redis:6379".into_connection_info().unwrap();
        assert!(known.infos(&seed).is_none(), "nothing is known yet");
        known.0.lock().unwrap().push(("10.0.0.1".parse().unwrap(), 6379));
        let infos = known.infos(&seed).unwrap();
        assert_eq!(infos[0].addr().to_string(), "10.0.0.1:6379");
        assert_eq!(infos[0].redis_settings().username(), Some("producer"));
        let encrypted = "rediss://producer:secret@redis:6379".into_connection_info().unwrap();
        assert!(known.infos(&encrypted).is_none());
    }
}
