//! Redis for tests, with the settings and users that every deployment has (`schema/access/`).

use std::convert::Infallible;
use std::sync::OnceLock;
use std::time::Duration;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use standalone::servers::{RedisOptions, RedisServer, shipped_users};

use crate::folder;

/// The longest that a test waits for a connection to Redis, and for each reply. The client's own half a second
/// is shorter than one flush of a crowded disk.
const REPLY_WITHIN: Duration = Duration::from_secs(20);

/// Returns the address of the Redis that all tests of this process share. Each test uses a key prefix of its own
/// ([`unique_name`](crate::unique_name)), and none may flush the server, stop it or change its settings.
///
/// # Panics
/// Panics if the server does not start.
#[must_use]
pub fn redis() -> String {
    static SHARED: OnceLock<RedisServer> = OnceLock::new();
    SHARED.get_or_init(own_redis).url()
}

/// Starts a Redis that only this test uses, and may kill, freeze, fill and restart. Dropping the value ends the server.
///
/// # Panics
/// Panics if the server does not start.
#[must_use]
pub fn own_redis() -> RedisServer {
    own_redis_with(|_| {})
}

/// Starts a Redis as [`own_redis`] does, with options that `change` has changed. If the variable `REDIS_SERVER` is
/// set, the program that it names is run.
///
/// # Panics
/// Panics if the server does not start.
#[must_use]
pub fn own_redis_with(change: impl FnOnce(&mut RedisOptions)) -> RedisServer {
    let mut options = RedisOptions::new("redis", folder("redis"));
    options.program = std::env::var_os("REDIS_SERVER").map(Into::into);
    let Ok(users) = shipped_users(|name| Ok::<_, Infallible>(format!("{name}-password")));
    options.users = users;
    change(&mut options);
    RedisServer::start(options).unwrap_or_else(|error| panic!("{error}"))
}

/// Connects a test to the Redis at this address, with the patience that a test on a busy machine needs.
///
/// # Panics
/// Panics if the address is none, or if the server does not accept the connection within 20 seconds.
pub async fn redis_connection(url: &str) -> MultiplexedConnection {
    let patient = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(REPLY_WITHIN))
        .set_response_timeout(Some(REPLY_WITHIN));
    let client = redis::Client::open(url).expect("the address is one of Redis");
    client.get_multiplexed_async_connection_with_config(&patient).await.expect("Redis answers")
}
