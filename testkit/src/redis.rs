//! Redis for tests, with the settings and users that every deployment has (`schema/access/`).

use std::convert::Infallible;
use std::sync::OnceLock;

use standalone::servers::{RedisOptions, RedisServer, shipped_users};

use crate::folder;

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
