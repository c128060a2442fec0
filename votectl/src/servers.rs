//! Connections to Redis and Postgres.
//!
//! Invariant: no password is ever shown; of an address, host and port alone.

pub(crate) mod supported;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use redis::{Cmd, FromRedisValue};
use tokio_postgres::Client;
use votestream_schema::organiser::OPERATOR;
use votestream_schema::position::{self, Position};
use votestream_schema::projection::epoch::{self, Stamp};
use votestream_schema::projection::functions;
use votestream_schema::{Keys, Slug, db, poll_copy, projection, replay};
use votestream_service::config::{PostgresArgs, RedisArgs, Secret};
use votestream_service::postgres::{self, Session};
use votestream_service::redis::functions::load_missing;
use votestream_service::redis::{Connection, Manager};
use votestream_service::replay::{ReplayRights, replay_rights};

use crate::error::Error;

/// How long Redis may take for one command.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before a server is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Shows a notice while an operation goes on, such as "waiting for redis, 20 s at most: …".
pub type Notify = fn(&str);

/// The addresses of the two servers, and how long to wait for them. Connects when an operation asks.
pub struct Servers {
    redis: RedisArgs,
    postgres: PostgresArgs,
    wait: Duration,
    notify: Notify,
    actor: String,
    application: &'static str,
}

impl Servers {
    /// The servers of these settings, each of which is waited for no longer than `wait`; `notify` shows
    /// which one is waited for, and why.
    pub fn new(redis: RedisArgs, postgres: PostgresArgs, wait: Duration, notify: Notify) -> Self {
        Self { redis, postgres, wait, notify, actor: OPERATOR.to_owned(), application: OPERATOR }
    }

    /// The same servers, for operations that `application` carries out and the audit trail lists under the name of this
    /// organiser.
    #[must_use]
    pub fn acting_as(&self, organiser: &Slug, application: &'static str) -> Self {
        let (redis, postgres) = (self.redis.clone(), self.postgres.clone());
        let (wait, notify) = (self.wait, self.notify);
        Self { redis, postgres, wait, notify, actor: organiser.to_string(), application }
    }

    /// The name under which the audit trail lists operations on these servers.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Opens a session with Postgres.
    ///
    /// # Errors
    /// Returns [`Error::Settings`] if the address cannot be used, else the error of Postgres.
    pub async fn postgres(&self) -> Result<Session, Error> {
        self.patiently("postgres", || self.connect_postgres()).await
    }

    /// Opens a connection to Redis, whatever it holds. [`Redis::partitions`] is 0.
    ///
    /// # Errors
    /// Returns [`Error::Settings`] if the address cannot be used, else the error of Redis.
    pub async fn redis_as_is(&self) -> Result<Redis, Error> {
        self.patiently("redis", || self.connect_redis()).await
    }

    /// Connects until it succeeds or the time is up, and shows each reason for waiting once. A server that
    /// refuses the login is waited for as well: a new deployment makes users and database after the server.
    async fn patiently<T, F>(
        &self,
        server: &str,
        mut connect: impl FnMut() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let deadline = Instant::now() + self.wait;
        let mut shown = String::new();
        loop {
            let error = match connect().await {
                Ok(connected) => return Ok(connected),
                Err(error) => error,
            };
            let may_pass = error.is_away() || error.is_login_refused();
            if Instant::now() >= deadline || !may_pass {
                return Err(error);
            }
            let reason = error.to_string();
            if reason != shown {
                let left = deadline.saturating_duration_since(Instant::now()).as_secs();
                (self.notify)(&format!("waiting for {server}, {left} s at most: {reason}"));
                shown = reason;
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }

    async fn connect_postgres(&self) -> Result<Session, Error> {
        let address = shown(self.postgres.url());
        postgres::connect(&self.postgres, self.application).await.map_err(|error| {
            match error.downcast::<tokio_postgres::Error>() {
                Ok(error) if error.to_string().starts_with("invalid") => {
                    Error::Settings(format!("DATABASE_URL: {error}"))
                }
                Ok(error) => Error::from(error)
                    .explained(format!("is postgres running at {address} (DATABASE_URL)?")),
                Err(error) => Error::Settings(format!("{error:#}")),
            }
        })
    }

    async fn connect_redis(&self) -> Result<Redis, Error> {
        let manager =
            Manager::new(&self.redis).map_err(|error| Error::Settings(format!("{error:#}")))?;
        let connection = manager.connect(RESPONSE_TIMEOUT).await.map_err(|error| {
            let address = shown(self.redis.url());
            Error::from(error).explained(format!("is redis running at {address} (REDIS_URL)?"))
        })?;
        let keys = Keys::new(&self.redis.key_prefix);
        let mut redis = Redis { connection, keys, partitions: 0 };
        // A server that loads its file, or a cluster that is not formed, takes connections and answers nothing.
        redis.known_partitions().await?;
        Ok(redis)
    }

    /// Connects to both servers, and checks that they belong to the same deployment.
    ///
    /// # Errors
    /// Returns [`Error::OtherDeployment`] if they do not, [`Error::Database`] if the database was never
    /// migrated, else the error of the server that failed.
    pub async fn both(&self) -> Result<(Session, Redis), Error> {
        let postgres = self.postgres().await?;
        let partitions = db::partitions(&postgres).await?;
        let mut redis = self.redis_as_is().await?;
        redis.partitions = partitions;
        redis.check_partitions(partitions).await?;
        Ok((postgres, redis))
    }
}

/// A connection to Redis, with the names of the deployment's keys.
pub struct Redis {
    /// The connection, to a plain server or to a cluster.
    pub connection: Connection,
    /// The names of all keys of the deployment.
    pub keys: Keys,
    /// The deployment's number of partitions.
    pub partitions: u16,
}

impl Redis {
    /// Checks that Redis was set up with this number of partitions; an empty Redis passes.
    ///
    /// # Errors
    /// Returns [`Error::OtherDeployment`] if it holds another number, or the error of Redis.
    pub async fn check_partitions(&mut self, partitions: u16) -> Result<(), Error> {
        match self.known_partitions().await? {
            Some(redis) if redis != partitions.to_string() => {
                Err(Error::OtherDeployment { redis, postgres: partitions })
            }
            _ => Ok(()),
        }
    }

    /// The number of partitions that Redis was set up with, if it was.
    async fn known_partitions(&mut self) -> Result<Option<String>, Error> {
        self.ask(redis::cmd("HGET").arg(self.keys.meta()).arg("partitions")).await
    }

    /// Whether every master would replay its ballots after a restart: the first answer that is not yes.
    ///
    /// # Errors
    /// Returns the error of Redis.
    pub async fn replay_rights(&mut self) -> Result<ReplayRights, Error> {
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

    /// Loads the functions that the producers of this release call into every master that lacks them.
    ///
    /// # Errors
    /// Returns the error of Redis.
    pub async fn load_functions(&mut self) -> Result<(), Error> {
        let library = functions::library();
        // On a plain server all partitions are one server's; asking it again does no harm.
        for partition in 0..self.partitions.max(1) {
            let at = self.keys.stream(partition);
            load_missing(&mut self.connection, &at, &library.name, &library.text).await?;
        }
        Ok(())
    }

    /// The position of each partition's stream.
    ///
    /// # Errors
    /// Returns the error of Redis, or [`Error::NotAnEntryId`] if its reply has none.
    pub async fn positions(&mut self) -> Result<BTreeMap<u16, Position>, Error> {
        let mut positions = BTreeMap::new();
        for partition in 0..self.partitions {
            let script = position::script(&self.keys, partition);
            let (last, added): (String, i64) = self.send(&script).await?;
            let last = last.parse().map_err(Error::NotAnEntryId)?;
            positions.insert(partition, Position { last, added });
        }
        Ok(positions)
    }

    /// The epoch and the generation in Redis.
    ///
    /// # Errors
    /// Returns the error of Redis.
    pub async fn stamp(&mut self) -> Result<Stamp, Error> {
        let (epoch, generation) = self.send(&epoch::read(&self.keys)).await?;
        Ok(epoch::parse(epoch, generation))
    }

    /// Checks that neither server was restored to an earlier state than the other.
    ///
    /// # Errors
    /// Returns [`Error::OtherTime`] if one was, or the error of the server that failed.
    pub async fn check_same_time(&mut self, postgres: &Client) -> Result<(), Error> {
        let in_redis = self.stamp().await?;
        epoch::compare(&in_redis, &db::epoch::of_postgres(postgres).await?)?;
        Ok(())
    }

    /// Redis' clock, in milliseconds since the epoch.
    ///
    /// # Errors
    /// Returns the error of Redis.
    pub async fn now_ms(&mut self) -> Result<i64, Error> {
        let key = self.keys.polls();
        let time = self.connection.query_at(&key, &redis::cmd("TIME")).await?;
        let (seconds, micros): (i64, i64) =
            redis::from_redis_value(time).map_err(redis::RedisError::from)?;
        Ok(seconds * 1_000 + micros / 1_000)
    }

    /// Sends one command.
    ///
    /// # Errors
    /// Returns the error of Redis.
    pub async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, Error> {
        Ok(command.query_async(&mut self.connection).await?)
    }

    /// Sends one command that [`projection`] wrote.
    ///
    /// # Errors
    /// Returns the error of Redis.
    pub async fn send<T: FromRedisValue>(
        &mut self,
        command: &projection::Command,
    ) -> Result<T, Error> {
        self.ask(&poll_copy::cmd(command)).await
    }
}

/// As [`address`]; a URL that cannot be read is reported when it is used.
fn shown<E>(url: Result<Secret, E>) -> String {
    url.map_or_else(|_| "the address given".to_owned(), |url| address(&url))
}

/// Hosts and ports of a URL, without its password.
fn address(url: &Secret) -> String {
    let host = |url: &str| {
        let (_, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?']).next()?;
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        (!host.is_empty()).then(|| host.to_owned())
    };
    // A password may hold a comma, so a list is split only where several whole URLs follow each other.
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
    fn an_address_never_shows_the_password() {
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
