//! For tests, and for the fault injection of `chaos`: real servers, a browser, a proxy that breaks connections, and a
//! client that checks every reply against the OpenAPI document. All of them are started for one test process.
//!
//! [`redis`] and [`database`] return addresses on one Redis and one Postgres that all tests of a process share;
//! [`own_redis`] and [`own_postgres`] start servers that a test may kill. [`Pipeline`] is everything that
//! `make up` starts.
//!
//! Invariant: when the test process has ended, in whatever way, none of its processes and files is left. A watchdog
//! process removes them; if the watchdog was killed too, the next test process does.
//! Absent on purpose: mocks.

pub mod attack;
mod binaries;
mod browser;
mod certificates;
mod cluster;
mod eventually;
mod home;
pub mod http;
mod nginx;
mod pgbouncer;
mod pieces;
mod pipeline;
mod postgres;
pub mod prometheus;
pub mod proxy;
mod redis;
pub mod sentences;
mod static_files;
pub mod watchdog;

pub use binaries::{binaries, binary, forget_package};
pub use browser::{Browser, BrowserOptions, axe_violations};
pub use certificates::{AUTHORITY_ENDS_S, Certificates, SERVER_ENDS_S, certificates};
pub use cluster::{RedisCluster, redis_cluster, redis_cluster_with_replicas};
pub use eventually::{NotYet, Settled, eventually};
pub use fantoccini;
pub use home::{folder, unique_name};
pub use nginx::Nginx;
pub use pgbouncer::PgBouncer;
pub use pieces::in_pieces;
pub use pipeline::Pipeline;
pub use postgres::{create_database, database, own_postgres, own_postgres_with};
pub use redis::{own_redis, own_redis_with, redis, redis_connection};
pub use standalone::servers::{
    PostgresOptions, PostgresServer, Process, RedisOptions, RedisServer, RedisUser, TlsFiles,
    free_port,
};
pub use static_files::{check_static_files, page_bytes};
