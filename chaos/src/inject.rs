//! Injects faults and heals them.
//!
//! Invariants: an injection returns all that it changed as a [`Cure`], and healing restores it. A fault that matches no
//! process or link is an error, because it would prove nothing.
//! Absent on purpose: judgement. The sampler and the audit observe the services from outside.

mod access;
mod cure;
mod disk;
mod failover;
mod group;
mod network;
mod pooler;
mod postgres;
mod processes;
mod redis;
mod rename;
mod restore;
mod sabotage;
mod sessions;
mod settings;
mod stream;

pub(crate) use cure::{Cure, Injection};

use crate::closing::ClosingPolls;
use crate::fault::Fault;
use crate::schedule::Strike;
use crate::testbed::Testbed;

/// Injects a fault.
///
/// # Errors
/// Returns an error if the fault cannot be injected, for example because it matches no process. A fault that this
/// machine does not allow is no error, but [`Injection::Skipped`].
pub(crate) async fn strike(
    testbed: &mut Testbed,
    polls: &ClosingPolls,
    strike: Strike,
) -> anyhow::Result<Injection> {
    let Strike { fault, target } = strike;
    use Fault as F;
    match fault {
        F::KillProducer | F::KillConsumer | F::KillDashboard => processes::kill(testbed, target),
        F::FreezeProducer | F::FreezeConsumer | F::FreezeDashboard | F::FreezeAll => {
            processes::freeze(testbed, target)
        }
        F::FreezeAtClose => processes::freeze_at_close(testbed, polls, target).await,
        F::CrashOnStart => processes::crash_on_start(testbed, target),
        F::ClockJump => processes::jump_clock(testbed, target).await,
        F::NetCut | F::NetCutTo | F::NetCutFrom | F::NetDelay | F::NetReset | F::NetHalfOpen => {
            network::disturb(testbed, fault, target)
        }
        F::RedisKill => redis::kill(testbed),
        F::RedisFreeze => redis::freeze(testbed),
        F::RedisFull => redis::fill(testbed),
        F::RedisFileOff => settings::switch_file_off(testbed),
        F::RedisFlushLate => settings::flush_late(testbed, target),
        F::RedisOutputLimit => settings::limit_output(testbed).await,
        F::RedisRightLost => access::take_command(testbed, target),
        F::RedisUserOff => access::switch_user_off(testbed, target),
        F::RedisPassword => access::rotate_in_redis(testbed, target).await,
        F::PostgresKill => postgres::kill(testbed),
        F::PostgresImmediate => postgres::shut_down_immediately(testbed),
        F::PostgresMidCommit => postgres::kill_mid_commit(testbed).await,
        F::PostgresFreeze => postgres::freeze(testbed),
        F::PostgresLock => postgres::lock(testbed).await,
        F::PostgresCrowded => postgres::crowd(testbed).await,
        F::PostgresSlowRows => sessions::slow_rows(testbed).await,
        F::PostgresCancel => sessions::cancel(testbed),
        F::PostgresTerminate => sessions::terminate(testbed),
        F::PostgresRightLost => access::take_right(testbed, target).await,
        F::PostgresPassword => access::rotate_in_postgres(testbed, target).await,
        F::PostgresRestored => restore::restore(testbed, polls).await,
        F::PgBouncer => pooler::interpose(testbed, target).await,
        F::RedisDiskFull => disk::fill(testbed, "redis"),
        F::PostgresDiskFull => disk::fill(testbed, "postgres"),
        F::RedisPromote => failover::lose_redis(testbed).await,
        F::PostgresFailover => failover::lose_postgres(testbed).await,
        F::GroupDeleted => stream::delete_groups(testbed).await,
        F::ConsumersDeleted => group::delete_consumers(testbed).await,
        F::GroupMoved => group::set_position(testbed, target).await,
        F::KeyRenamed => rename::rename(testbed, target),
        F::RegisterDeleted => stream::delete_register(testbed).await,
        F::StreamDeleted => stream::delete_drained(testbed).await,
        F::Replay => stream::replay(testbed).await,
        F::Poison => stream::poison(testbed),
        F::StealVote => sabotage::steal_vote(testbed).await,
        F::StealEntry => sabotage::steal_entry(testbed).await,
        F::ForgeVote => sabotage::forge_vote(testbed).await,
        F::ForgeWatermark => sabotage::forge_watermark(testbed, polls).await,
        F::ForgeMetrics => sabotage::forge_metrics(testbed, target).await,
        F::StuffTally => sabotage::stuff_tally(testbed).await,
    }
}

/// Heals a fault. Returns a note for the report, or an empty text.
///
/// # Errors
/// Returns an error if a server or a service does not start again.
pub(crate) async fn heal(testbed: &mut Testbed, cure: Cure) -> anyhow::Result<String> {
    match cure {
        Cure::Itself => {}
        Cure::Start(target) => processes::start(testbed, target)?,
        Cure::Thaw(target) => processes::thaw(testbed, target)?,
        Cure::TrueMetrics(service, forger) => {
            forger.abort();
            sabotage::stop_forging(testbed, service)?;
        }
        Cure::Pass(target) => network::pass(testbed, target),
        Cure::StartRedis => tokio::task::block_in_place(|| testbed.redis.restart())?,
        Cure::ThawRedis => testbed.redis.thaw(),
        Cure::RedisRoom => drop(testbed.redis.command(&["CONFIG", "SET", "maxmemory", "0"])?),
        Cure::RedisSetting(name, value) => settings::restore(testbed, name, value).await?,
        Cure::RedisUsers => access::reload_users(testbed)?,
        Cure::RedisPassword(user) => access::usual_in_redis(testbed, user)?,
        Cure::RenameBack(key) => rename::rename_back(testbed, &key).await?,
        Cure::PostgresRights => drop(testbed.migrate()?),
        Cure::PostgresPassword(user) => access::usual_in_postgres(testbed, user).await?,
        Cure::FastRows => sessions::fast_rows(testbed).await?,
        Cure::NoPooler(target, pooler) => pooler::remove(testbed, target, *pooler),
        Cure::Resync(lock) => return restore::resync(testbed, lock).await,
        Cure::Stop(stop, task, unit) => {
            stop.cancel();
            return Ok(format!("{} {unit}", task.await??));
        }
        Cure::StartPostgres => postgres::start(testbed).await?,
        Cure::ThawPostgres => testbed.postgres.thaw(),
        Cure::PromotePostgres(standby) => failover::promote_postgres(testbed, *standby).await?,
        Cure::PromoteRedis(replica) => failover::promote_redis(testbed, *replica).await?,
        Cure::Room(ballast) => disk::make_room(testbed, ballast).await?,
        Cure::End(sessions) => drop(sessions),
        Cure::Antidote(stop, task) => {
            stop.cancel();
            let poisoned = task.await??;
            testbed.poisoned += poisoned;
            return Ok(format!("{poisoned} malformed entries"));
        }
    }
    Ok(String::new())
}
