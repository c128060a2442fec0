//! Private Redis and Postgres servers, run as child processes.
//!
//! Invariants: a server listens on loopback only, keeps everything below its own folder, and keeps
//! its port over a restart; a process is only ever signalled when its pid, start time and working
//! folder prove that it is ours.
//! Absent on purpose: the machine's own services, which are never started, stopped or asked.

mod cluster;
mod error;
mod leftovers;
mod ports;
mod postgres;
mod process;
mod redis;

pub use cluster::form_cluster;
pub use error::Error;
pub use leftovers::{Leftover, find_leftovers, kill_by_argument, process_start_time};
pub use ports::{free_port, is_free};
pub use postgres::{PostgresOptions, PostgresServer, postgres_home, roles_with_passwords};
pub use process::{Process, log_tail};
pub use redis::{RedisOptions, RedisServer, RedisUser, shipped_users};
pub use rustix::process::Signal;

use std::path::PathBuf;

/// A certificate and its key, PEM files that a server presents, and the CA that signed it.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate chain.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The certificate authority that clients are to trust.
    pub authority: PathBuf,
}

/// 32 random bytes as 64 hexadecimal digits: a password or a signing key.
#[must_use]
pub fn random_secret() -> String {
    rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect()
}
