//! A name leads to several addresses, and to others later.

use std::fs;
use std::time::Duration;

use testkit::{create_database, eventually, folder, own_postgres, own_redis};

use crate::deployment::{Deployment, SOON, cast, readiness};

/// Nobody listens at the first two addresses, and packets to the last one get no answer.
const DEAD: &str = "127.0.0.7 redis.test postgres.test\n127.0.0.8 redis.test postgres.test\n203.0.113.1 postgres.test\n";
/// The servers listen here.
const ALIVE: &str = "127.0.0.1 redis.test postgres.test\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_tried_whole_and_resolved_again() {
    let (redis, postgres) = (own_redis(), own_postgres().await);
    let database_url = create_database(&postgres).await;
    let mut deployment = Deployment::with_database(&redis.url(), database_url.clone(), &[]).await;
    let hosts = folder("hosts").join("hosts");
    fs::write(&hosts, DEAD).unwrap();
    if !deployment.resolve_names_by(hosts.clone()) {
        eprintln!(
            "NOT CHECKED: this machine allows no mount namespace, so names cannot be changed"
        );
        return;
    }
    deployment.set("REDIS_URL", &redis.url().replace("127.0.0.1", "redis.test"));
    deployment.set("DATABASE_URL", &database_url.replace("127.0.0.1", "postgres.test"));
    let services = ["producer", "consumer", "dashboard"].map(|name| deployment.start(name));
    tokio::time::sleep(Duration::from_secs(3)).await;
    for service in &services {
        assert_ne!(readiness(service.admin_port).await, Some(200), "no address answers yet");
    }
    // The right address comes last, and is written in place: the programs see the same file.
    fs::write(&hosts, format!("{DEAD}{ALIVE}")).unwrap();
    for service in &services {
        service.ready().await;
    }
    eventually(SOON, async || match cast(services[0].port).await {
        Some((202, _)) => Ok(()),
        other => Err(other),
    })
    .await;
    let listed = deployment.votectl(&["poll", "list"]);
    assert!(listed.contains("pets"), "{listed}");
}
