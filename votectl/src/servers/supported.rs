//! Refuses servers on which Votestream would not work.

use tokio_postgres::Client;

use super::Redis;
use crate::error::Error;

/// The first major version of Redis that has all commands that we use.
const REDIS_MAJOR_MIN: u32 = 7;

/// Refuses a Redis before 7.0. A server that does not say what it is passes, because managed ones may hide it.
///
/// # Errors
/// Returns [`Error::RedisTooOld`], or the error of Redis.
pub(crate) async fn check_redis(redis: &mut Redis) -> Result<(), Error> {
    let info = redis::cmd("INFO").arg("server").clone();
    let reply = redis.connection.query_at(&redis.keys.meta(), &info).await;
    let Ok(reply) = reply.and_then(|reply| Ok(redis::from_redis_value::<String>(reply)?)) else {
        return Ok(());
    };
    match version(&reply) {
        Some(found) if major(&found) < REDIS_MAJOR_MIN => Err(Error::RedisTooOld(found)),
        _ => Ok(()),
    }
}

/// Refuses a database whose encoding is not UTF8: titles, labels and voters' texts would not survive in it.
///
/// # Errors
/// Returns [`Error::NotUtf8`], or the error of Postgres.
pub(crate) async fn check_encoding(postgres: &Client) -> Result<(), Error> {
    let rows = postgres.query_typed("SELECT current_setting('server_encoding')", &[]).await?;
    match rows.first().map(|row| row.get::<_, String>(0)) {
        Some(encoding) if encoding != "UTF8" => Err(Error::NotUtf8(encoding)),
        _ => Ok(()),
    }
}

/// The version in the reply to INFO. Valkey gives that of the Redis which it is compatible with.
fn version(info: &str) -> Option<String> {
    let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"))?;
    Some(line.trim().to_owned())
}

fn major(version: &str) -> u32 {
    version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(REDIS_MAJOR_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_seven_are_known() {
        let info = |version: &str| {
            format!("# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\n")
        };
        let is_old = |found: &str| major(&version(&info(found)).unwrap()) < REDIS_MAJOR_MIN;
        assert!(is_old("6.2.14") && is_old("5.0.7"));
        assert!(
            !is_old("7.0.15") && !is_old("8.2.1") && !is_old("255.255.255") && !is_old("unstable")
        );
        assert_eq!(version("no version"), None);
    }
}
