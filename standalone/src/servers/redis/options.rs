//! The options of a private Redis.

use std::path::PathBuf;

use super::users::RedisUser;
use crate::servers::tls_files::TlsFiles;

/// The options of a private Redis: its folders, its ports, its users, its settings.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// The name of the server in messages, and of its log file and pid file.
    pub name: String,
    /// The program, a redis-server or valkey-server; `None` for the one that is installed.
    pub program: Option<PathBuf>,
    /// The folder in which its data and its configuration lie.
    pub folder: PathBuf,
    /// The folder in which its log file lies.
    pub log: PathBuf,
    /// The folder in which its pid file lies.
    pub run: PathBuf,
    /// The port on 127.0.0.1; `None` for any free one.
    pub port: Option<u16>,
    /// The users, usually [`shipped_users`](crate::servers::shipped_users). Without any, everybody on this machine may do
    /// everything. The first user administers the server and must have all rights.
    pub users: Vec<RedisUser>,
    /// The certificate with which Redis serves TLS on a second port; `None` to serve none.
    pub tls: Option<TlsFiles>,
    /// Whether the server runs as a node of a Redis Cluster.
    pub cluster: bool,
    /// The port of the cluster bus, for a node of a cluster; `None` for any free one.
    pub bus_port: Option<u16>,
    /// Further lines of `redis.conf` by name and value. They override those of this module.
    pub settings: Vec<(String, String)>,
}

impl RedisOptions {
    /// Returns options with all files below one folder, any free port, and no users.
    #[must_use]
    pub fn new(name: &str, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self {
            name: name.to_owned(),
            program: None,
            log: folder.clone(),
            run: folder.clone(),
            folder,
            port: None,
            users: Vec::new(),
            tls: None,
            cluster: false,
            bus_port: None,
            settings: Vec::new(),
        }
    }
}
