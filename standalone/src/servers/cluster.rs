//! Forms a Redis Cluster of nodes on this machine, and completes one that was formed before.
//!
//! Invariant: forming is idempotent. Slots and roles are assigned only to nodes that have none, so a cluster keeps the
//! roles that a failover gave to its nodes, and one whose forming was interrupted is completed.
//! Absent on purpose: failover and repair, which the nodes do themselves.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{Error, RedisServer};

const SLOTS: usize = 16_384;
const FORMED_WITHIN: Duration = Duration::from_secs(60);

/// Joins `nodes` to a cluster. The slots are spread evenly over the first `masters` nodes, in this order, and each
/// further node becomes a replica of one of them, in turn. Returns when all slots are served and all replicas follow.
///
/// # Errors
/// Returns [`Error::Refused`] if a node refuses a command or the cluster does not form within a minute, and
/// [`Error::Io`] if a node does not answer.
pub fn form_cluster(nodes: &[&RedisServer], masters: usize) -> Result<(), Error> {
    introduce(nodes)?;
    let deadline = Instant::now() + FORMED_WITHIN;
    loop {
        match missing(nodes, masters)? {
            None => return Ok(()),
            Some(missing) if Instant::now() >= deadline => {
                let name = "the Redis Cluster".to_owned();
                return Err(Error::Refused { name, reply: format!("does not form: {missing}") });
            }
            Some(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Introduces each node to those that do not know it at its present address.
fn introduce(nodes: &[&RedisServer]) -> Result<(), Error> {
    for (number, node) in nodes.iter().enumerate() {
        // Distinct epochs keep new nodes from disputing slots. A node that knows others refuses, and keeps its epoch.
        let _ = node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
    }
    for node in nodes {
        let known = node.command(&["CLUSTER", "NODES"])?;
        for other in nodes.iter().filter(|other| other.port() != node.port()) {
            let (port, bus) = (other.port(), other.bus_port().unwrap_or_default());
            if !known.contains(&format!(":{port}@{bus}")) {
                let (port, bus) = (port.to_string(), bus.to_string());
                node.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
            }
        }
    }
    Ok(())
}

/// Takes the next step towards a formed cluster. Returns the reason why it is not complete, or `None` if it is.
fn missing(nodes: &[&RedisServer], masters: usize) -> Result<Option<String>, Error> {
    let replies = nodes.iter().map(|node| node.command(&["CLUSTER", "NODES"]));
    let replies = replies.collect::<Result<Vec<_>, _>>()?;
    if let Some(short) = replies.iter().position(|reply| connected(reply) < nodes.len()) {
        return Ok(Some(format!("{} does not know all others", nodes[short].port())));
    }
    // Assign the slots, if no node has them.
    let infos = nodes.iter().map(|node| node.command(&["CLUSTER", "INFO"]));
    let infos = infos.collect::<Result<Vec<_>, _>>()?;
    if !infos.iter().any(|info| info.contains("cluster_slots_assigned:16384")) {
        for number in (0..masters).filter(|number| slots_of(&replies[*number]) == 0) {
            let slots = |number: usize| number * SLOTS / masters;
            let (first, last) = (slots(number).to_string(), (slots(number + 1) - 1).to_string());
            nodes[number].command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])?;
        }
        return Ok(Some("slots without a master".to_owned()));
    }
    if let Some(info) = infos.iter().find(|info| !info.contains("cluster_state:ok")) {
        return Ok(Some(info.clone()));
    }
    // Give each further node a master.
    for number in masters..nodes.len() {
        if is_master(&replies[number]) && slots_of(&replies[number]) == 0 {
            let master = nodes[number % masters].command(&["CLUSTER", "MYID"])?;
            nodes[number].command(&["CLUSTER", "REPLICATE", &master])?;
            return Ok(Some("a replica without a master".to_owned()));
        }
    }
    for node in nodes {
        let replication = node.command(&["INFO", "replication"])?;
        if replication.contains("master_link_status:down") {
            return Ok(Some(format!("{} does not follow its master yet", node.port())));
        }
    }
    Ok(None)
}

/// Returns the number of nodes that a node is connected with, itself included. `nodes` is its `CLUSTER NODES` reply.
fn connected(nodes: &str) -> usize {
    let healthy = |line: &&str| {
        line.contains(" connected") && !line.contains("handshake") && !line.contains("noaddr")
    };
    nodes.lines().filter(healthy).count()
}

fn myself(nodes: &str) -> &str {
    nodes.lines().find(|line| line.contains("myself")).unwrap_or_default()
}

fn is_master(nodes: &str) -> bool {
    myself(nodes).contains("master")
}

/// Returns the number of slot ranges that the node which sent this reply serves.
fn slots_of(nodes: &str) -> usize {
    myself(nodes).split_whitespace().skip(8).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &str = "\
        07c3 127.0.0.1:30004@31004,,x slave e7d1 0 1426238317239 4 connected\n\
        67ed 127.0.0.1:30002@31002,,x master - 0 1426238316232 2 connected 5461-10922\n\
        292f 127.0.0.1:30003@31003,,x master,fail - 1426238316232 0 3 disconnected 10923-16383\n\
        e7d1 127.0.0.1:30001@31001,,x myself,master - 0 0 1 connected 0-99 101-5460\n";

    #[test]
    fn the_reply_of_a_node_is_parsed() {
        assert_eq!(connected(REPLY), 3);
        assert!(is_master(REPLY));
        assert_eq!(slots_of(REPLY), 2);
        assert_eq!(slots_of("e7d1 :0@0 myself,master - 0 0 0 connected\n"), 0);
    }
}
