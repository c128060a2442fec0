//! Servers that die for good, and what takes their place under another address.
//!
//! Before the old one dies, its successor is frozen for a while, and so acknowledges nothing; what had
//! been sent to it by then it still reads when it thaws.
//! Absent on purpose: what is lost on the way between the two.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use standalone::servers::{PostgresServer, RedisServer};

use super::{Cure, Struck};
use crate::service::Wish;
use crate::site::{Site, connect, postgres_options, redis_options};

const IN_STEP_WITHIN: Duration = Duration::from_secs(30);
const PROMOTED_WITHIN: Duration = Duration::from_secs(30);
/// Some traffic under replication, before anything goes wrong.
const IN_STEP_FOR: Duration = Duration::from_secs(1);
/// For how long the other one is frozen: longer than a statement may take.
const BEHIND_FOR: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A synchronous standby is made; then it freezes, the primary dies, and it thaws.
pub(super) async fn lose_postgres(site: &mut Site) -> anyhow::Result<Struck> {
    site.servers_made += 1;
    let name = format!("postgres-{}", site.servers_made);
    let options = postgres_options(&name, &site.folder);
    prepare(site, &name);
    let mut standby = tokio::task::block_in_place(|| site.postgres.standby(options))?;
    let client = site.superuser().await?;
    client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await?;
    client.batch_execute("SELECT pg_reload_conf()").await?;
    let in_step = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    let deadline = Instant::now() + IN_STEP_WITHIN;
    while client.query_one(in_step, &[]).await?.get::<_, i64>(0) == 0 {
        ensure!(Instant::now() < deadline, "the standby is not in step");
        site.pause(LOOK_EVERY).await?;
    }
    site.pause(IN_STEP_FOR).await?;
    standby.freeze();
    site.pause(BEHIND_FOR).await?;
    tokio::task::block_in_place(|| site.postgres.kill());
    standby.thaw();
    Struck::noting(
        Cure::PromotePostgres(Box::new(standby)),
        "the synchronous standby was frozen for 3 s before the primary died",
    )
}

/// Promotes it; the address moves.
pub(super) async fn promote_postgres(
    site: &mut Site,
    standby: PostgresServer,
) -> anyhow::Result<()> {
    let client = connect(&standby.url("postgres")).await?;
    client.batch_execute("SELECT pg_promote()").await?;
    let deadline = Instant::now() + PROMOTED_WITHIN;
    while client.query_one("SELECT pg_is_in_recovery()", &[]).await?.get::<_, bool>(0) {
        ensure!(Instant::now() < deadline, "the standby is not promoted");
        site.pause(LOOK_EVERY).await?;
    }
    site.links_to("postgres").for_each(|link| link.aim(standby.port()));
    site.postgres = standby;
    Ok(())
}

/// A replica is made, and producers promise no more than what it has; then it freezes, the master
/// dies, and it thaws.
pub(super) async fn lose_redis(site: &mut Site) -> anyhow::Result<Struck> {
    site.servers_made += 1;
    let name = format!("redis-{}", site.servers_made);
    let mut options = redis_options(&name, &site.folder);
    prepare(site, &name);
    let master = format!("127.0.0.1 {}", site.redis.port());
    options.settings.push(("replicaof".to_owned(), master));
    let mut replica = tokio::task::block_in_place(|| RedisServer::start(options))?;
    let deadline = Instant::now() + IN_STEP_WITHIN;
    while !replica.command(&["INFO", "replication"])?.contains("master_link_status:up") {
        ensure!(Instant::now() < deadline, "the replica is not in step");
        site.pause(LOOK_EVERY).await?;
    }
    promise(site, Some("replicated")).await?;
    site.pause(IN_STEP_FOR).await?;
    replica.freeze();
    site.pause(BEHIND_FOR).await?;
    site.redis.kill();
    replica.thaw();
    Struck::noting(
        Cure::PromoteRedis(Box::new(replica)),
        "DURABILITY=replicated; the replica was frozen for 3 s before the master died",
    )
}

/// Promotes it; the address moves. Producers promise what they did before.
pub(super) async fn promote_redis(site: &mut Site, replica: RedisServer) -> anyhow::Result<()> {
    replica.command(&["REPLICAOF", "NO", "ONE"])?;
    site.links_to("redis").for_each(|link| link.aim(replica.port()));
    site.redis = replica;
    // What the master counted and did not pass on is gone with it.
    site.counters_lost = true;
    promise(site, None).await
}

/// Starts the producers again, one after the other, with another DURABILITY.
async fn promise(site: &mut Site, durability: Option<&str>) -> anyhow::Result<()> {
    for name in ["producer-1", "producer-2"] {
        for producer in site.named(name) {
            producer.stop();
            producer.overlay.clear();
            let durability = durability.map(|word| ("DURABILITY".to_owned(), word.to_owned()));
            producer.overlay.extend(durability);
            producer.start(Wish::Up).context("a producer with another DURABILITY")?;
        }
        site.wait_ready(Duration::from_secs(20)).await?;
    }
    Ok(())
}

/// A successor has a small disk, too, if its predecessor had one.
fn prepare(site: &mut Site, name: &str) {
    if let Err(why) = site.folder.prepare(name) {
        site.no_small_disks.get_or_insert(why);
    }
}
