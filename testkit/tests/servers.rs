//! The servers that the test kit starts: their isolation, their restarts, their TLS.

use std::time::Duration;

use testkit::{
    certificates, create_database, database, eventually, own_postgres, own_postgres_with,
    own_redis, own_redis_with, redis_cluster, unique_name,
};
use tokio_postgres::NoTls;

#[tokio::test]
async fn each_test_gets_an_empty_database_of_its_own() {
    let (one, other) = (database().await, database().await);
    assert_ne!(one, other);
    for url in [one, other] {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("CREATE TABLE votes (n integer)").await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_redis_comes_back_with_its_data_on_the_same_port() {
    let mut redis = own_redis();
    let url = redis.url();
    let key = unique_name();
    redis.command(&["SET", &key, "kept"]).unwrap();
    redis.kill();
    assert!(redis.command(&["PING"]).is_err());
    redis.restart().unwrap();
    assert_eq!(redis.url(), url);
    assert_eq!(redis.command(&["GET", &key]).unwrap(), "kept");
}

#[tokio::test]
async fn a_killed_postgres_comes_back_with_its_data_on_the_same_port() {
    let mut postgres = own_postgres().await;
    let url = create_database(&postgres).await;
    let connect = async || {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        tokio::spawn(connection);
        Ok::<_, tokio_postgres::Error>(client)
    };
    let client = connect().await.unwrap();
    client
        .batch_execute("CREATE TABLE kept (n integer); INSERT INTO kept VALUES (7)")
        .await
        .unwrap();
    postgres.kill();
    assert!(client.query_one("SELECT n FROM kept", &[]).await.is_err());
    postgres.restart().unwrap();
    let client = eventually(Duration::from_secs(10), connect).await;
    let kept: i32 = client.query_one("SELECT n FROM kept", &[]).await.unwrap().get(0);
    assert_eq!(kept, 7);
}

#[tokio::test]
async fn a_cluster_serves_every_slot_from_its_masters() {
    let cluster = redis_cluster(3);
    assert_eq!(cluster.urls().split(',').count(), 3);
    let slots = cluster.masters[0].command(&["CLUSTER", "INFO"]).unwrap();
    assert!(slots.contains("cluster_slots_ok:16384"), "{slots}");
    let answers = cluster.masters.iter().map(|master| master.command(&["SET", "{a}:key", "1"]));
    let (kept, moved): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
    assert_eq!((kept.len(), moved.len()), (1, 2));
    assert!(moved[0].as_ref().unwrap_err().to_string().contains("MOVED"));
}

/// Whether `openssl s_client`, which trusts this authority, accepts the server's certificate for this name.
fn handshake(port: u16, authority: &std::path::Path, name: &str, protocol: &[&str]) -> bool {
    let output = std::process::Command::new("openssl")
        .args(["s_client", "-verify_return_error", "-verify_hostname", name, "-CAfile"])
        .arg(authority)
        .args(["-connect", &format!("127.0.0.1:{port}")])
        .args(protocol)
        .stdin(std::process::Stdio::null())
        .output()
        .expect("openssl is installed");
    output.status.success()
}

#[tokio::test]
async fn servers_offer_tls_with_a_certificate_that_can_be_checked() {
    let made = certificates();
    let redis = own_redis_with(|options| options.tls = Some(made.server.clone()));
    let url = redis.tls_url().unwrap();
    let port = url.trim_end_matches('/').rsplit_once(':').unwrap().1.parse().unwrap();
    assert!(url.starts_with("rediss://") && url.contains("@localhost:"), "{url}");
    let postgres = own_postgres_with(|options| options.tls = Some(made.server.clone())).await;
    for (port, protocol) in [(port, [].as_slice()), (postgres.port(), &["-starttls", "postgres"])] {
        assert!(handshake(port, &made.authority, "localhost", protocol));
        assert!(!handshake(port, &made.authority, "elsewhere.example", protocol));
        assert!(!handshake(port, &made.other_authority, "localhost", protocol));
    }
}
