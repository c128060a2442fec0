//! The Redis Cluster of the manifests forms, replicates with its own user, and forms once.

use std::process::Command;
use std::time::Duration;

use testkit::{RedisServer, eventually};

use crate::deployment::{Secrets, project, redis, succeeds};

#[tokio::test(flavor = "multi_thread")]
async fn six_nodes_form_a_cluster_once_and_replicate() {
    let secrets = Secrets::make();
    let nodes: Vec<RedisServer> = (0..6).map(|_| redis("redis-cluster", &secrets, true)).collect();
    let addresses: Vec<String> = nodes
        .iter()
        .map(|node| format!("127.0.0.1:{}@{}", node.port(), node.bus_port().unwrap()))
        .collect();
    let form = || {
        let mut script = Command::new("sh");
        script
            .arg(project("k8s/components/redis-cluster/form.sh"))
            .env("NODES", addresses.join(" "))
            .env("PASSWORD_FILE", secrets.0.join("redis-server/operator-password"));
        succeeds(&mut script)
    };
    let said = form();
    assert!(said.contains("All 16384 slots covered"), "{said}");

    let ask = |node: &RedisServer, words: &[&str]| {
        let mut client = Command::new("redis-cli");
        client
            .args(["-p", &node.port().to_string(), "--user", "operator"])
            .args(words)
            .env("REDISCLI_AUTH", secrets.read("passwords/redis-operator"));
        succeeds(&mut client)
    };
    let mut masters = 0;
    for node in &nodes {
        let state = eventually(Duration::from_secs(60), async || {
            let state = ask(node, &["INFO", "replication"]);
            let settled =
                state.contains("connected_slaves:1") || state.contains("master_link_status:up");
            settled.then_some(state.clone()).ok_or(state)
        })
        .await;
        masters += usize::from(state.contains("role:master"));
    }
    assert_eq!(masters, 3);
    assert!(form().contains("formed before"));
}
