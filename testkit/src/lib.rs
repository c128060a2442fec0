//! For tests only: real servers, made for the test and gone after it.
//!
//! [`redis`] and [`database`] give a test its share of one Redis and one Postgres per test process;
//! [`own_redis`] and [`own_postgres`] give it servers that it may kill.
//!
//! Invariant: when the test process has ended, in whatever way, nothing of it is left: no process
//! and no file. A watchdog sees to it, and the next run sees to the watchdog.
//! Absent on purpose: mocks.

mod binaries;
mod browser;
mod certificates;
mod cluster;
mod eventually;
mod home;
pub mod http;
mod postgres;
pub mod proxy;
mod redis;

pub use binaries::{binaries, binary};
pub use browser::{Browser, BrowserOptions, axe_violations};
pub use certificates::{AUTHORITY_ENDS_S, Certificates, SERVER_ENDS_S, certificates};
pub use cluster::{RedisCluster, redis_cluster, redis_cluster_with_replicas};
pub use eventually::{Settled, eventually};
pub use fantoccini;
pub use home::{folder, unique_name};
pub use postgres::{create_database, database, own_postgres, own_postgres_with};
pub use redis::{own_redis, own_redis_with, redis};
pub use standalone::servers::{
    PostgresOptions, PostgresServer, Process, RedisOptions, RedisServer, RedisUser, TlsFiles,
    free_port,
};
