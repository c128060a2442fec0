//! The Redis Cluster of the manifests forms, keeps each shard in its pod, and survives lost pods and volumes.

use std::fs;
use std::time::Duration;

use testkit::eventually;

use crate::deployment::project;
use crate::pods::{PODS, PORTS, Pods, keeper_with_answers, program};
use crate::restart::SCRIPT;

const SETTLED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn pods_form_a_cluster_once_and_no_pod_holds_a_shard_twice() {
    let mut pods = Pods::start();
    let manifest = project("k8s/components/redis-cluster/statefulset.yaml");
    assert!(fs::read_to_string(manifest).unwrap().contains("command: [sh, /config/start.sh]"));
    assert!(!pods.is_ready(0, 6379), "there is no cluster yet");
    let said = pods.form();
    assert!(said.ends_with("the cluster is formed\n") && !said.contains("before"), "{said}");
    pods.in_their_places().unwrap();
    assert!(pods.all_ready());
    // The container's process is Redis itself, so the kubelet's SIGTERM reaches it.
    assert_eq!(program(&pods.pod(0).nodes[0]), "redis-server");

    pods.ask(0, 6379, &["SET", "{votes:0}:stream", "kept"]);
    assert!(pods.form().contains("formed before"));
    pods.in_their_places().unwrap();

    // A volume is lost. The replica leads its shard, and the Job adds the new, empty nodes.
    for number in 0..PODS {
        pods.ask(number, 6379, &["SET", &format!("key-of-{number}"), "kept"]);
    }
    pods.kill_pod(1);
    pods.lose_volume(1);
    eventually(SETTLED_WITHIN, async || pods.leads(0, 6380)).await;
    pods.start_pod(1);
    assert!(pods.form().contains("formed before"));
    eventually(SETTLED_WITHIN, async || pods.in_their_places()).await;
    for number in 0..PODS {
        let found = pods.ask(0, 6379, &["GET", &format!("key-of-{number}")]);
        assert_eq!(found, "kept\n");
    }
}

/// Redis may learn its master's new address without connecting to it. `redis-cli` is replaced here, because nothing
/// brings this about for sure.
#[tokio::test]
async fn a_replica_at_its_masters_old_address_is_sent_to_the_new_one() {
    let own = "1".repeat(40);
    let master = "2".repeat(40);
    for (host, says) in [("10.0.0.1", true), ("10.0.0.2", false)] {
        let nodes = format!(
            "{own} 10.0.0.9:6379@16379,redis-2.redis-nodes myself,slave {master} 0 0 14 connected\n\
             {master} 10.0.0.2:6380@16380,redis-1.redis-nodes master - 0 0 14 connected 10922-16383\n"
        );
        let replication = format!("role:slave\nmaster_host:{host}\nmaster_port:6380\n");
        let log = keeper_with_answers(&nodes, &replication).await;
        let repaired = format!("cluster replicate {master}");
        assert_eq!(log.contains(&repaired), says, "{host}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_come_back_elsewhere_find_each_other_and_their_places() {
    let mut pods = Pods::start();
    pods.form();
    for number in 0..100 {
        pods.ask(0, 6379, &["SET", &format!("key-{number}"), "kept"]);
    }
    let all_kept = |pods: &Pods| {
        let kept = |number| pods.ask(0, 6379, &["GET", &format!("key-{number}")]) == "kept\n";
        (0..100).all(kept)
    };

    // A pod is stopped in order. Before it ends, its shard moves to the replica.
    pods.stop_pod(2);
    assert!(pods.leads(1, 6380), "{}", pods.said_by_keeper(2));
    assert!(all_kept(&pods));
    pods.start_pod(2);
    eventually(SETTLED_WITHIN, async || pods.in_their_places()).await;

    // All pods restart at once, as after a power cut, and each has a new address. Entries that scripts wrote, in every
    // partition, are kept as well.
    let streams = [0, 1, 2, 3].map(|partition| format!("{{votes:{partition}}}:stream"));
    for ballot in 0..50 {
        let stream = &streams[ballot % streams.len()];
        let register = stream.replace("stream", "register:1:0");
        pods.ask(0, 6379, &["EVAL", SCRIPT, "2", &register, stream, &ballot.to_string()]);
    }
    let waiting = |pods: &Pods| -> usize {
        let length = |stream: &String| pods.ask(0, 6379, &["XLEN", stream]);
        streams.iter().map(|stream| length(stream).trim().parse::<usize>().unwrap()).sum()
    };
    assert_eq!(waiting(&pods), 50);
    for number in 0..PODS {
        pods.kill_pod(number);
    }
    for number in 0..PODS {
        pods.start_pod(number);
    }
    eventually(SETTLED_WITHIN, async || pods.all_ready()).await;
    eventually(SETTLED_WITHIN, async || pods.in_their_places()).await;
    assert!(all_kept(&pods));
    assert_eq!(waiting(&pods), 50);

    // The keeper's user may tell a replica whom it follows, and that loses nothing.
    let shard = pods.ask(0, 6379, &["CLUSTER", "MYID"]);
    let repaired = pods.ask_as("keeper", 2, 6380, &["CLUSTER", "REPLICATE", shard.trim()]);
    assert_eq!(repaired, "OK\n");
    eventually(SETTLED_WITHIN, async || pods.all_ready()).await;
    assert!(all_kept(&pods));

    // A replica that has lost its master is not ready, so a rolling update does not take the next pod away.
    for node in &mut pods.pod(0).nodes {
        node.kill();
    }
    assert!(PORTS.iter().all(|&port| !pods.is_ready(0, port)));
    eventually(SETTLED_WITHIN, async || !pods.is_ready(2, 6380) || pods.leads(2, 6380)).await;
}
