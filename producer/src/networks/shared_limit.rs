//! Asks Redis for new voters out of the limits that all replicas share.

use redis::RedisError;
use votestream_schema::poll::network::Networks;
use votestream_schema::poll::voter_key::PollSecret;
use votestream_schema::projection::functions;
use votestream_schema::{Keys, PollId};
use votestream_service::redis::{self as redis_client, Pool};

use super::rate::Rate;

/// The most networks that one partition keeps for one poll.
const NETWORKS_KEPT_MAX: u32 = 50_000;

/// The name of the hash that keeps the limits of a poll, in one partition.
pub(super) type HashName = fn(&Keys, u16, PollId) -> String;

/// Calls the Redis function that keeps the limits.
pub(super) struct SharedLimit {
    keys: Keys,
    pool: Pool,
    partitions: u16,
    hash: HashName,
}

/// The networks of one client in one poll, as Redis knows them.
#[derive(Clone, Debug)]
pub(super) struct Account {
    key: String,
    /// Name, milliseconds for one more voter, milliseconds until it is whole again.
    levels: Vec<(String, String, String)>,
}

/// The answer of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    /// New voters that may vote now.
    pub(super) voters: u32,
    /// The milliseconds until the next one may.
    pub(super) wait_ms: u32,
}

impl SharedLimit {
    pub(super) fn new(keys: Keys, pool: Pool, partitions: u16, hash: HashName) -> Self {
        Self { keys, pool, partitions, hash }
    }

    /// The account of a client's networks. All of them lie in the partition of the largest one.
    pub(super) fn account(
        &self,
        poll: PollId,
        networks: &Networks,
        secret: &PollSecret,
        rate: Rate,
    ) -> Account {
        let partition = networks.largest().hash(secret).partition(self.partitions);
        let levels = networks.all().iter().map(|network| {
            let factor = f64::from(network.level.factor());
            let interval_ms = 60_000.0 / (f64::from(rate.per_minute) * factor);
            let whole_ms = interval_ms * f64::from(rate.at_once) * factor;
            let name = network.hash(secret).to_string();
            (name, format!("{interval_ms:.6}"), format!("{whole_ms:.6}"))
        });
        Account { key: (self.hash)(&self.keys, partition, poll), levels: levels.collect() }
    }

    /// Takes `asked` new voters, or as many as are left. A negative number gives back. `voted` counts new voters who have
    /// voted.
    ///
    /// # Errors
    /// Returns an error if there is no connection, or if Redis refuses the call.
    pub(super) async fn ask(
        &self,
        account: &Account,
        asked: i64,
        voted: u32,
    ) -> Result<Granted, redis_client::Error> {
        let mut connection = self.pool.get().await?;
        let answer: Result<(i64, i64), RedisError> =
            call(account, asked, voted).query_async(&mut *connection).await;
        let (voters, wait_ms) = answer?;
        let number = |number: i64| u32::try_from(number.max(0)).unwrap_or(u32::MAX);
        Ok(Granted { voters: number(voters), wait_ms: number(wait_ms) })
    }
}

fn call(account: &Account, asked: i64, voted: u32) -> redis::Cmd {
    let mut call = redis::cmd("FCALL");
    call.arg(&functions::library().networks);
    call.arg(1).arg(&account.key).arg(asked).arg(voted).arg(NETWORKS_KEPT_MAX);
    for (name, interval_ms, whole_ms) in &account.levels {
        call.arg(name).arg(interval_ms).arg(whole_ms);
    }
    call
}
