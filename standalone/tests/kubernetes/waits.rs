//! Jobs wait for their server: a pod may start before its network policies are programmed, or while the server
//! restarts. A Job waits for a bounded time, and logs the server that it waits for.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use testkit::{folder, free_port};

use crate::deployment::{Secrets, backup_job, migrate, postgres, project, redis, said, script_of};
use crate::pods::Pods;

/// The time for which the server is down.
const AWAY: Duration = Duration::from_secs(3);
/// The variable `WAIT_S` of Jobs whose server never comes.
const WAIT_S: &str = "2";
/// The longest time until these Jobs have given up, on a busy machine.
const GIVES_UP_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_server_comes_up_three_seconds_later_succeeds() {
    let secrets = Secrets::make();
    let redis = redis(&secrets);
    let mut postgres = postgres(&secrets).await;
    secrets.point_at(redis.port(), postgres.port());
    migrate(&secrets);

    assert!(postgres.stop());
    let comes_back = thread::spawn(move || {
        thread::sleep(AWAY);
        postgres.restart().unwrap();
        postgres
    });
    let output = backup_job(&secrets, "backup", &folder("backups")).output().unwrap();
    let said = said(&output);
    assert!(output.status.success() && said.contains("1 dumps"), "{said}");
    assert!(said.contains("waiting for Postgres at 127.0.0.1, port "), "{said}");
    drop(comes_back.join().unwrap());
}

#[test]
fn who_waits_for_postgres_in_vain_says_so_and_fails() {
    let secrets = Secrets::make();
    let nobody = free_port();
    secrets.point_at(nobody, nobody);
    // A restore needs a dump before it waits for Postgres.
    let backups = folder("backups");
    std::fs::write(backups.join("votestream-20200101T000000Z.dump"), "old").unwrap();
    for job in ["backup", "restore"] {
        gives_up(&mut backup_job(&secrets, job, &backups), nobody);
    }

    // The Job that makes the roles of an external Postgres reads its settings from files as well.
    let component = project("k8s/components/external-postgres").display().to_string();
    let admin = secrets.0.join("backup").display().to_string();
    let text = script_of("external-postgres/roles.yaml", "exec sh /config/roles.sh");
    let text = text.replace("/admin", &admin).replace("/config", &component);
    gives_up(Command::new("sh").args(["-ec", &text]), nobody);
}

#[track_caller]
fn gives_up(command: &mut Command, port: u16) {
    let started = Instant::now();
    let output = command.env("WAIT_S", WAIT_S).output().unwrap();
    let said = said(&output);
    assert!(!output.status.success() && started.elapsed() < GIVES_UP_WITHIN, "{said}");
    let server = format!("for Postgres at 127.0.0.1, port {port}");
    assert!(said.contains(&format!("waiting {server}, {WAIT_S} s at most")), "{said}");
    assert!(said.contains("gave up after waiting ") && said.contains(&server), "{said}");
    assert!(said.contains("Connection refused"), "it says why: {said}");
}

#[test]
fn who_waits_for_the_nodes_of_a_redis_cluster_in_vain_says_for_which() {
    let started = Instant::now();
    let output = Pods::form_without_pods(2);
    let said = said(&output);
    assert!(!output.status.success() && started.elapsed() < GIVES_UP_WITHIN, "{said}");
    assert!(said.contains("waiting until every node answers, 2 s at most"), "{said}");
    assert!(said.contains("redis-0.redis-nodes:6379"), "{said}");
}
