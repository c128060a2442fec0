//! Private Redis and Postgres servers that run as child processes.
//!
//! Invariants: a server listens on loopback only, keeps all its files below its own folder, and keeps its port over a
//! restart. A process that another process started is signalled only if its id, start time and working folder match
//! the pid file.
//! Absent on purpose: Redis and Postgres servers of the machine itself, which this module never starts, stops or queries.

mod cluster;
mod error;
mod leftovers;
mod ports;
mod postgres;
mod process;
mod redis;
mod secret;
mod tls_files;

pub use cluster::form_cluster;
pub use error::Error;
pub use leftovers::{Leftover, find_leftovers, kill_by_argument, process_start_time};
pub use ports::{free_port, is_free};
pub use postgres::{
    DATABASE_RIGHTS, PostgresOptions, PostgresServer, postgres_home, roles_with_passwords,
};
pub use process::{Process, log_tail};
pub use redis::{RedisOptions, RedisServer, RedisUser, has_no_waitaof, shipped_users};
pub use rustix::process::Signal;
pub use secret::random_secret;
pub use tls_files::TlsFiles;
