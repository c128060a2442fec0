//! Brings faults about, and heals them.
//!
//! Invariant: what a fault changed is in its [`Cure`], and healing puts it back; healing twice does
//! no harm. Absent on purpose: judging; whatever happens meanwhile is seen from outside.

mod disk;
mod failover;
mod network;
mod postgres;
mod processes;
mod redis;
mod sabotage;
mod stream;

use std::path::PathBuf;

use standalone::servers::{PostgresServer, RedisServer};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::fault::Fault;
use crate::schedule::Strike;
use crate::site::Site;

/// How a fault is healed.
#[derive(Debug)]
pub(crate) enum Cure {
    /// It heals itself, or there is nothing to heal.
    Itself,
    /// Starts what was killed or set up to crash.
    Start(&'static str),
    /// Thaws services.
    Thaw(&'static str),
    /// Lets everything pass on these links.
    Pass(&'static str),
    /// Starts Redis.
    StartRedis,
    /// Thaws Redis.
    ThawRedis,
    /// Gives Redis room.
    RedisRoom,
    /// Starts Postgres.
    StartPostgres,
    /// Thaws Postgres.
    ThawPostgres,
    /// Promotes this standby, and moves the address.
    PromotePostgres(Box<PostgresServer>),
    /// Promotes this replica, and moves the address.
    PromoteRedis(Box<RedisServer>),
    /// Removes this file, which takes all the room.
    Room(PathBuf),
    /// Ends these sessions, and with them what they hold.
    End(Vec<Client>),
    /// Stops the task, which tells how many entries it poisoned.
    Antidote(CancellationToken, JoinHandle<anyhow::Result<u64>>),
}

/// What came of a strike.
#[derive(Debug)]
pub(crate) enum Struck {
    /// It is under way. The text is what there is to say of it.
    Under(Cure, String),
    /// This machine does not let us, for this reason.
    Skipped(String),
}

impl Struck {
    fn by(cure: Cure) -> anyhow::Result<Self> {
        Ok(Self::Under(cure, String::new()))
    }

    fn noting(cure: Cure, note: impl Into<String>) -> anyhow::Result<Self> {
        Ok(Self::Under(cure, note.into()))
    }
}

/// Brings a fault about.
///
/// # Errors
/// When it cannot be, for a reason that is not this machine's.
pub(crate) async fn strike(site: &mut Site, strike: Strike) -> anyhow::Result<Struck> {
    let Strike { fault, target } = strike;
    use Fault as F;
    match fault {
        F::KillProducer | F::KillConsumer | F::KillDashboard => processes::kill(site, target),
        F::FreezeProducer | F::FreezeConsumer | F::FreezeDashboard => {
            processes::freeze(site, target)
        }
        F::CrashOnStart => processes::crash_on_start(site, target),
        F::ClockJump => processes::jump_clock(site, target).await,
        F::NetCut | F::NetCutTo | F::NetCutFrom | F::NetDelay | F::NetReset | F::NetHalfOpen => {
            network::disturb(site, fault, target)
        }
        F::RedisKill => redis::kill(site),
        F::RedisFreeze => redis::freeze(site),
        F::RedisFull => redis::fill(site),
        F::PostgresKill => postgres::kill(site),
        F::PostgresImmediate => postgres::shut_down_immediately(site),
        F::PostgresMidCommit => postgres::kill_mid_commit(site).await,
        F::PostgresFreeze => postgres::freeze(site),
        F::PostgresLock => postgres::lock(site).await,
        F::PostgresCrowded => postgres::crowd(site).await,
        F::RedisDiskFull => disk::fill(site, "redis"),
        F::PostgresDiskFull => disk::fill(site, "postgres"),
        F::RedisPromote => failover::lose_redis(site).await,
        F::PostgresFailover => failover::lose_postgres(site).await,
        F::GroupDeleted => stream::delete_groups(site).await,
        F::RegisterDeleted => stream::delete_register(site).await,
        F::StreamDeleted => stream::delete_drained(site).await,
        F::Replay => stream::replay(site).await,
        F::Poison => stream::poison(site),
        F::StealVote => sabotage::steal_vote(site).await,
        F::StealEntry => sabotage::steal_entry(site).await,
        F::ForgeVote => sabotage::forge_vote(site).await,
        F::StuffTally => sabotage::stuff_tally(site).await,
    }
}

/// Heals a fault; gives what there is to say of it.
///
/// # Errors
/// When a server does not come back.
pub(crate) async fn heal(site: &mut Site, cure: Cure) -> anyhow::Result<String> {
    match cure {
        Cure::Itself => {}
        Cure::Start(target) => processes::start(site, target)?,
        Cure::Thaw(target) => site.named(target).into_iter().for_each(|service| service.thaw()),
        Cure::Pass(target) => network::pass(site, target),
        Cure::StartRedis => tokio::task::block_in_place(|| site.redis.restart())?,
        Cure::ThawRedis => site.redis.thaw(),
        Cure::RedisRoom => drop(site.redis.command(&["CONFIG", "SET", "maxmemory", "0"])?),
        Cure::StartPostgres => postgres::start(site).await?,
        Cure::ThawPostgres => site.postgres.thaw(),
        Cure::PromotePostgres(standby) => failover::promote_postgres(site, *standby).await?,
        Cure::PromoteRedis(replica) => failover::promote_redis(site, *replica).await?,
        Cure::Room(ballast) => disk::make_room(site, ballast).await?,
        Cure::End(sessions) => drop(sessions),
        Cure::Antidote(stop, task) => {
            stop.cancel();
            let poisoned = task.await??;
            site.poisoned += poisoned;
            return Ok(format!("{poisoned} entries were no ballots"));
        }
    }
    Ok(String::new())
}
