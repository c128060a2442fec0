//! Redis for tests, with the very settings and users that are shipped.

use std::convert::Infallible;
use std::sync::OnceLock;

use standalone::servers::{RedisOptions, RedisServer, shipped_users};

use crate::folder;

/// The address of this test process's Redis. Tests keep apart by key prefix
/// ([`unique_name`](crate::unique_name)), so nobody may flush it, stop it or change its settings.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn redis() -> String {
    static SHARED: OnceLock<RedisServer> = OnceLock::new();
    SHARED.get_or_init(own_redis).url()
}

/// A Redis of the test's own, to be killed, frozen, filled and restarted. Dropping it ends it.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn own_redis() -> RedisServer {
    own_redis_with(|_| {})
}

/// A Redis of the test's own, with options that the test changes. It runs the program that `REDIS_SERVER` names, where that is set.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn own_redis_with(change: impl FnOnce(&mut RedisOptions)) -> RedisServer {
    let mut options = RedisOptions::new("redis", folder("redis"));
    options.program = std::env::var_os("REDIS_SERVER").map(Into::into);
    let Ok(users) = shipped_users(|name| Ok::<_, Infallible>(format!("{name}-password")));
    options.users = users;
    change(&mut options);
    RedisServer::start(options).unwrap_or_else(|error| panic!("{error}"))
}
