//! The way to Redis and Postgres.

use std::time::Duration;

use redis::{Cmd, FromRedisValue};
use tokio_postgres::Client;
use votestream_schema::{Keys, db, projection};
use votestream_service::config::{PostgresArgs, RedisArgs, Secret};
use votestream_service::postgres;
use votestream_service::redis::{Connection, Manager};

use crate::failure::Failure;

/// How long Redis may take for one command.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the servers are; connects when asked.
pub struct Servers {
    redis: RedisArgs,
    postgres: PostgresArgs,
}

impl Servers {
    /// As the settings say.
    pub fn new(redis: RedisArgs, postgres: PostgresArgs) -> Self {
        Self { redis, postgres }
    }

    /// A session with Postgres.
    pub async fn postgres(&self) -> Result<Client, Failure> {
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

    /// A connection to Redis, whatever it holds.
    pub async fn redis_as_is(&self) -> Result<Redis, Failure> {
        let manager =
            Manager::new(&self.redis).map_err(|error| Failure::refused(format!("{error:#}")))?;
        let connection = manager.connect(RESPONSE_TIMEOUT).await.map_err(|error| {
            let address = shown(self.redis.url());
            Failure::from(error).and(&format!("is redis running at {address} (REDIS_URL)?"))
        })?;
        Ok(Redis { connection, keys: Keys::new(&self.redis.key_prefix), partitions: 0 })
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
        let known: Option<String> =
            self.ask(redis::cmd("HGET").arg(self.keys.meta()).arg("partitions")).await?;
        match known {
            Some(known) if known != partitions.to_string() => Err(Failure::refused(format!(
                "redis was set up with {known} partitions and postgres with {partitions}: they do \
                 not belong together; check REDIS_URL, KEY_PREFIX and DATABASE_URL"
            ))),
            _ => Ok(()),
        }
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
