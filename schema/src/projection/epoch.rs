//! Whether Redis and Postgres are of the same time.
//!
//! Both hold the *epoch*, a random id of the deployment that `votectl resync` renews, and the *generation*, a time that
//! consumers store in Postgres first and then copy to Redis. Two different epochs, or a generation in Redis that Postgres
//! has not reached, mean that one of the servers was restored to an earlier state. A few seconds are those that a
//! failover to an asynchronous standby loses: they are reported, and stop nothing.
//!
//! Invariant: Redis is read before Postgres, so a generation that grows meanwhile is never mistaken for one that went back.

use uuid::Uuid;

use super::{Command, command};
use crate::Keys;

/// Fields of [`Keys::meta`].
const EPOCH: &str = "epoch";
const GENERATION: &str = "generation";
const MISMATCH: &str = "mismatch";
/// What a failover may lose, in milliseconds; a backup is older.
const FAILOVER_MAX_MS: i64 = 10_000;

/// The epoch and the generation of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The epoch; `None` where it was never stored.
    pub epoch: Option<Uuid>,
    /// The generation, in milliseconds since the epoch of Unix; 0 where it was never stored.
    pub generation: i64,
}

/// Why the servers are not of the same time. The texts say what an operator should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The epochs differ.
    #[error(
        "redis and postgres are of different epochs, so one of them was restored or belongs to another deployment: \
         no ballots are taken or counted until `votectl resync` has settled it"
    )]
    OtherEpoch,
    /// Redis has a generation that Postgres has not reached.
    #[error(
        "postgres is {behind_s} s behind what redis has seen of it, so it was restored to an earlier state: \
         no ballots are taken or counted until `votectl resync` has settled it"
    )]
    PostgresWentBack {
        /// How far Postgres is behind, in seconds.
        behind_s: i64,
    },
}

/// Compares a stamp of Redis with one of Postgres that was read later. Returns by how many milliseconds Postgres is behind,
/// which is 0 unless a failover lost the last seconds.
///
/// # Errors
/// Returns the mismatch, if there is one.
pub fn compare(redis: &Stamp, postgres: &Stamp) -> Result<i64, Mismatch> {
    if redis.epoch.is_some() && postgres.epoch.is_some() && redis.epoch != postgres.epoch {
        return Err(Mismatch::OtherEpoch);
    }
    match redis.generation - postgres.generation {
        behind_ms if behind_ms > FAILOVER_MAX_MS => {
            Err(Mismatch::PostgresWentBack { behind_s: behind_ms / 1_000 })
        }
        behind_ms => Ok(behind_ms.max(0)),
    }
}

/// Asks for the stamp of Redis; [`parse`] reads the reply.
pub fn read(keys: &Keys) -> Command {
    command(["HMGET", &keys.meta(), EPOCH, GENERATION])
}

/// Reads the reply to [`read`]. An epoch that is none counts as missing.
pub fn parse(epoch: Option<String>, generation: Option<i64>) -> Stamp {
    let epoch = epoch.and_then(|epoch| epoch.parse().ok());
    Stamp { epoch, generation: generation.unwrap_or_default() }
}

/// Copies a stamp that was read from Postgres to Redis, unless `votectl resync` has given Redis another epoch since then: it would be
/// undone. Then the answer is 0, else 1.
pub fn copy(keys: &Keys, stamp: &Stamp) -> Command {
    let (epoch, generation) = texts(stamp);
    let script = include_str!("../lua/copy_stamp.lua");
    command(["EVAL", script, "1", &keys.meta(), &epoch, &generation])
}

/// Stores a stamp in Redis, whatever it holds.
pub fn store(keys: &Keys, stamp: &Stamp) -> Command {
    let (epoch, generation) = texts(stamp);
    command(["HSET", &keys.meta(), GENERATION, &generation, EPOCH, &epoch])
}

fn texts(stamp: &Stamp) -> (String, String) {
    (stamp.epoch.unwrap_or_default().to_string(), stamp.generation.to_string())
}

/// Notes a mismatch in Redis, where producers see it.
pub fn note(keys: &Keys, mismatch: Mismatch) -> Command {
    command(["HSET", &keys.meta(), MISMATCH, &mismatch.to_string()])
}

/// Removes a mismatch that was noted.
pub fn forget(keys: &Keys) -> Command {
    command(["HDEL", &keys.meta(), MISMATCH])
}

/// Asks for the mismatch that a consumer has noted.
pub fn noted(keys: &Keys) -> Command {
    command(["HGET", &keys.meta(), MISMATCH])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_server_is_recognised_and_a_new_one_is_not_suspected() {
        let (one, other) = (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(2)));
        let stamp = |epoch, generation| Stamp { epoch, generation };
        assert_eq!(compare(&Stamp::default(), &stamp(one, 5)), Ok(0), "a new Redis");
        assert_eq!(compare(&stamp(one, 4), &stamp(one, 5)), Ok(0));
        assert_eq!(compare(&stamp(one, 5), &stamp(one, 5)), Ok(0));
        assert_eq!(compare(&stamp(one, 1_005), &stamp(one, 5)), Ok(1_000), "a failover");
        assert_eq!(compare(&stamp(one, 1), &stamp(other, 5)), Err(Mismatch::OtherEpoch));
        let went_back = Mismatch::PostgresWentBack { behind_s: 60 };
        assert_eq!(compare(&stamp(one, 60_005), &stamp(one, 5)), Err(went_back));
    }
}
