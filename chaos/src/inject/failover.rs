//! Servers that die for good, and successors that take over their address.
//!
//! Before a server dies, its successor is frozen for a while, so that it confirms nothing. When it thaws, it still reads
//! the data that were sent to it.
//! Absent on purpose: data that are lost in the network between the two.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use standalone::servers::{PostgresServer, RedisServer};

use super::cure::{Cure, Injection};
use crate::connection::connect;
use crate::managed_service::DesiredState;
use crate::testbed::{Testbed, postgres_options, redis_options};

const IN_STEP_WITHIN: Duration = Duration::from_secs(30);
const PROMOTED_WITHIN: Duration = Duration::from_secs(30);
/// The time for which votes are replicated before the successor is frozen.
const IN_STEP_FOR: Duration = Duration::from_secs(1);
/// The time for which the successor is frozen: longer than a statement may take.
const BEHIND_FOR: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Starts a synchronous standby, freezes it, kills the primary, and lets the standby go on.
pub(super) async fn lose_postgres(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    testbed.servers_made += 1;
    let name = format!("postgres-{}", testbed.servers_made);
    let options = postgres_options(&name, &testbed.folder);
    prepare(testbed, &name);
    let mut standby = tokio::task::block_in_place(|| testbed.postgres.standby(options))?;
    let client = testbed.superuser().await?;
    client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await?;
    client.batch_execute("SELECT pg_reload_conf()").await?;
    let in_step = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    let deadline = Instant::now() + IN_STEP_WITHIN;
    while client.query_one(in_step, &[]).await?.get::<_, i64>(0) == 0 {
        ensure!(Instant::now() < deadline, "the standby does not follow the primary after 30 s");
        testbed.pause(LOOK_EVERY).await?;
    }
    testbed.pause(IN_STEP_FOR).await?;
    standby.freeze();
    testbed.pause(BEHIND_FOR).await?;
    tokio::task::block_in_place(|| testbed.postgres.kill());
    standby.thaw();
    Injection::noting(
        Cure::PromotePostgres(Box::new(standby)),
        "the synchronous standby was frozen for 3 s before the primary died",
    )
}

/// Promotes the standby, and lets the proxies forward to it.
pub(super) async fn promote_postgres(
    testbed: &mut Testbed,
    standby: PostgresServer,
) -> anyhow::Result<()> {
    let client = connect(&standby.url("postgres")).await?;
    client.batch_execute("SELECT pg_promote()").await?;
    let deadline = Instant::now() + PROMOTED_WITHIN;
    while client.query_one("SELECT pg_is_in_recovery()", &[]).await?.get::<_, bool>(0) {
        ensure!(Instant::now() < deadline, "the standby is not promoted after 30 s");
        testbed.pause(LOOK_EVERY).await?;
    }
    testbed.links_to("postgres").for_each(|link| link.aim(standby.port()));
    testbed.postgres = standby;
    Ok(())
}

/// Starts a replica and restarts the producers with DURABILITY=replicated. Then freezes the replica, kills the master, and
/// lets the replica go on.
pub(super) async fn lose_redis(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    testbed.servers_made += 1;
    let name = format!("redis-{}", testbed.servers_made);
    let mut options = redis_options(&name, &testbed.folder);
    prepare(testbed, &name);
    let master = format!("127.0.0.1 {}", testbed.redis.port());
    options.settings.push(("replicaof".to_owned(), master));
    let mut replica = tokio::task::block_in_place(|| RedisServer::start(options))?;
    let deadline = Instant::now() + IN_STEP_WITHIN;
    while !replica.command(&["INFO", "replication"])?.contains("master_link_status:up") {
        ensure!(Instant::now() < deadline, "the replica does not follow the master after 30 s");
        testbed.pause(LOOK_EVERY).await?;
    }
    set_durability(testbed, Some("replicated")).await?;
    testbed.pause(IN_STEP_FOR).await?;
    replica.freeze();
    testbed.pause(BEHIND_FOR).await?;
    testbed.redis.kill();
    replica.thaw();
    Injection::noting(
        Cure::PromoteRedis(Box::new(replica)),
        "DURABILITY=replicated; the replica was frozen for 3 s before the master died",
    )
}

/// Promotes the replica, lets the proxies forward to it, and restarts the producers with their usual durability.
pub(super) async fn promote_redis(
    testbed: &mut Testbed,
    mut replica: RedisServer,
) -> anyhow::Result<()> {
    replica.promote()?;
    testbed.links_to("redis").for_each(|link| link.aim(replica.port()));
    testbed.redis = replica;
    // Counters that the master had not replicated are lost with it.
    testbed.counters_lost = true;
    set_durability(testbed, None).await
}

/// Restarts the producers, one after the other, with this DURABILITY, or with their usual one.
async fn set_durability(testbed: &mut Testbed, durability: Option<&str>) -> anyhow::Result<()> {
    for name in ["producer-1", "producer-2"] {
        for producer in testbed.services_of(name)? {
            producer.stop();
            producer.overlay.clear();
            let durability = durability.map(|word| ("DURABILITY".to_owned(), word.to_owned()));
            producer.overlay.extend(durability);
            producer
                .start(DesiredState::Up)
                .context("cannot restart a producer with another DURABILITY")?;
        }
        testbed.wait_ready(Duration::from_secs(20)).await?;
    }
    Ok(())
}

/// Gives the successor a small disk, if its predecessor has one.
fn prepare(testbed: &mut Testbed, name: &str) {
    if let Err(why) = testbed.folder.prepare(name) {
        testbed.no_small_disks.get_or_insert(why);
    }
}
