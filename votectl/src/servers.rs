//! The way to Redis and Postgres.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use redis::{Cmd, FromRedisValue};
use tokio_postgres::Client;
use votestream_schema::position::{self, Position};
use votestream_schema::{Keys, db, projection, replay};
use votestream_service::config::{PostgresArgs, RedisArgs, Secret};
use votestream_service::postgres;
use votestream_service::redis::{Connection, Manager};
use votestream_service::replay::{ReplayRights, replay_rights};

use crate::failure::Failure;

/// How long Redis may take for one command.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before a server is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Where the servers are; connects when asked.
pub struct Servers {
    redis: RedisArgs,
    postgres: PostgresArgs,
    /// How long a server may take until it can be used.
    wait: Duration,
}

impl Servers {
    /// The servers of these settings, each of which is waited for no longer than `wait`.
    pub fn new(redis: RedisArgs, postgres: PostgresArgs, wait: Duration) -> Self {
        Self { redis, postgres, wait }
    }

    /// A session with Postgres.
    pub async fn postgres(&self) -> Result<Client, Failure> {
        self.patiently("postgres", || self.connect_postgres()).await
    }

    /// A connection to Redis, whatever it holds.
    pub async fn redis_as_is(&self) -> Result<Redis, Failure> {
        self.patiently("redis", || self.connect_redis()).await
    }

    /// Connects until it succeeds or the time is up, and says once per reason what it waits for. A server that
    /// refuses the login is waited for as well: a new deployment makes users and database after the server.
    async fn patiently<T, F>(
        &self,
        server: &str,
        mut connect: impl FnMut() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let deadline = Instant::now() + self.wait;
        let mut said = String::new();
        loop {
            let failure = match connect().await {
                Ok(connected) => return Ok(connected),
                Err(failure) => failure,
            };
            if Instant::now() >= deadline || !failure.may_pass() {
                return Err(failure);
            }
            let reason = failure.to_string();
            if reason != said {
                let left = deadline.saturating_duration_since(Instant::now()).as_secs();
                eprintln!("votectl: waiting for {server}, {left} s at most: {reason}");
                said = reason;
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }

    async fn connect_postgres(&self) -> Result<Client, Failure> {
        let address = shown(self.postgres.url());
        postgres::connect(&self.postgres, "votectl").await.map_err(|error| {
            match error.downcast::<tokio_postgres::Error>() {
                Ok(error) if error.to_string().starts_with("invalid") => {
                    Failure::refused(format!("DATABASE_URL: {error}"))
                }
                Ok(error) => Failure::from(error)
                    .and(&format!("is postgres running at {address} (DATABASE_URL)?")),
                Err(error) => Failure::refused(format!("{error:#}")),
            }
        })
    }

    async fn connect_redis(&self) -> Result<Redis, Failure> {
        let manager =
            Manager::new(&self.redis).map_err(|error| Failure::refused(format!("{error:#}")))?;
        let connection = manager.connect(RESPONSE_TIMEOUT).await.map_err(|error| {
            let address = shown(self.redis.url());
            Failure::from(error).and(&format!("is redis running at {address} (REDIS_URL)?"))
        })?;
        let keys = Keys::new(&self.redis.key_prefix);
        let mut redis = Redis { connection, keys, partitions: 0 };
        // A server that loads its file, or a cluster that is not formed, takes connections and answers nothing.
        redis.known_partitions().await?;
        Ok(redis)
    }

    /// Both, once it is certain that they belong together.
    pub async fn both(&self) -> Result<(Client, Redis), Failure> {
        let postgres = self.postgres().await?;
        let partitions = db::partitions(&postgres).await?;
        let mut redis = self.redis_as_is().await?;
        redis.partitions = partitions;
        redis.check_partitions(partitions).await?;
        Ok((postgres, redis))
    }
}

/// A connection to Redis.
pub struct Redis {
    /// The connection.
    pub connection: Connection,
    /// Under what names things lie there.
    pub keys: Keys,
    /// The deployment's number of partitions.
    pub partitions: u16,
}

impl Redis {
    /// Refuses when Redis was set up with another number; an empty Redis passes.
    pub async fn check_partitions(&mut self, partitions: u16) -> Result<(), Failure> {
        match self.known_partitions().await? {
            Some(known) if known != partitions.to_string() => Err(Failure::refused(format!(
                "redis was set up with {known} partitions and postgres with {partitions}: they do \
                 not belong together; check REDIS_URL, KEY_PREFIX and DATABASE_URL"
            ))),
            _ => Ok(()),
        }
    }

    /// The number of partitions that Redis was set up with, if it was.
    async fn known_partitions(&mut self) -> Result<Option<String>, Failure> {
        self.ask(redis::cmd("HGET").arg(self.keys.meta()).arg("partitions")).await
    }

    /// Refuses a Redis that would lose ballots when it restarts.
    pub async fn check_replay(&mut self) -> Result<(), Failure> {
        match self.replay_rights().await? {
            ReplayRights::Complete | ReplayRights::NotNeeded => Ok(()),
            ReplayRights::Missing(commands) => Err(Failure::refused(format!(
                "redis would lose all ballots that wait, and the register, when it restarts: it replays its \
                 append-only file with the rights of its default user, who may not run {}; put `{}` into its \
                 access list and reload it (ACL LOAD), nobody can log in as that user",
                commands.join(", "),
                replay::CURE
            ))),
            ReplayRights::Unknown(reason) => {
                eprintln!(
                    "votectl: cannot check whether redis keeps ballots when it restarts ({reason}); the user of \
                     votectl needs the rights for INFO and ACL DRYRUN"
                );
                Ok(())
            }
        }
    }

    /// Whether every master would replay its ballots after a restart: the first answer that is not yes.
    pub async fn replay_rights(&mut self) -> Result<ReplayRights, Failure> {
        let mut worst = ReplayRights::NotNeeded;
        // On a plain server all partitions are one server's; asking it again does no harm.
        for partition in 0..self.partitions.max(1) {
            let (key, commands) =
                (self.keys.stream(partition), replay::commands(&self.keys, partition));
            match replay_rights(&mut self.connection, &key, &commands).await? {
                ReplayRights::NotNeeded => {}
                ReplayRights::Complete => worst = ReplayRights::Complete,
                other => return Ok(other),
            }
        }
        Ok(worst)
    }

    /// How far each stream has come.
    pub async fn positions(&mut self) -> Result<BTreeMap<u16, Position>, Failure> {
        let mut positions = BTreeMap::new();
        for partition in 0..self.partitions {
            let script = position::script(&self.keys, partition);
            let (last, added): (String, i64) = self.send(&script).await?;
            let last = last.parse().map_err(|error| {
                Failure::refused(format!("redis gave the last ID of a stream: {error}"))
            })?;
            positions.insert(partition, Position { last, added });
        }
        Ok(positions)
    }

    /// Sends one command.
    pub async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, Failure> {
        Ok(command.query_async(&mut self.connection).await?)
    }

    /// Sends one command that [`projection`] wrote down.
    pub async fn send<T: FromRedisValue>(
        &mut self,
        command: &projection::Command,
    ) -> Result<T, Failure> {
        let (name, arguments) = command.split_first().expect("a command has a name");
        self.ask(redis::cmd(name).arg(arguments)).await
    }
}

/// As [`address`]; a URL that cannot be read is told of when it is used.
fn shown<E>(url: Result<Secret, E>) -> String {
    url.map_or_else(|_| "the address given".to_owned(), |url| address(&url))
}

/// Hosts and ports of a URL, never its password.
fn address(url: &Secret) -> String {
    let host = |url: &str| {
        let (_, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?']).next()?;
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        (!host.is_empty()).then(|| host.to_owned())
    };
    // A password may hold a comma: only whole URLs are told apart.
    let hosts: Option<Vec<String>> = match url.reveal().matches("://").count() {
        0 | 1 => host(url.reveal()).map(|host| vec![host]),
        _ => url.reveal().split(',').map(|url| host(url.trim())).collect(),
    };
    hosts.map_or_else(|| "the address given".to_owned(), |hosts| hosts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_never_tells_the_password() {
        let check = |url: &str, shown: &str| {
            assert_eq!(address(&url.parse().unwrap()), shown, "{url}");
        };
        check("postgres://u:hunter2@db:5432/votes?sslmode=require", "db:5432");
        check("redis://:hunter2@a:1,redis://:hunter2@b:2", "a:1, b:2");
        check("redis://:hun@ter2@a:1", "a:1");
        check("redis://localhost", "localhost");
        check("host=db password=hunter2", "the address given");
    }
}
