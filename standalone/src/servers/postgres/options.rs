//! The options of a private Postgres.

use std::path::PathBuf;

use crate::servers::tls_files::TlsFiles;

/// The options of a private Postgres: its folders, its port, its password, its settings.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The name of the server in messages, and of its log file and pid file.
    pub name: String,
    /// The folder above the data folder, made at the first start; see
    /// [`postgres_home`](crate::servers::postgres_home).
    pub folder: PathBuf,
    /// The folder in which its log file lies.
    pub log: PathBuf,
    /// The folder in which its pid file lies.
    pub run: PathBuf,
    /// The port on 127.0.0.1; `None` for any free one.
    pub port: Option<u16>,
    /// The superuser's password, set when the data folder is made.
    pub password: String,
    /// Whether Postgres calls fsync. Without it, committed data survive a killed server, but not a crashed machine.
    pub fsync: bool,
    /// The certificate with which Postgres offers TLS; `None` to offer none.
    pub tls: Option<TlsFiles>,
    /// Further settings by name and value. They override those of this module.
    pub settings: Vec<(String, String)>,
}

impl PostgresOptions {
    /// Returns options with all files below one folder, any free port, and fsync.
    #[must_use]
    pub fn new(name: &str, folder: impl Into<PathBuf>, password: &str) -> Self {
        let folder = folder.into();
        Self {
            name: name.to_owned(),
            log: folder.clone(),
            run: folder.clone(),
            folder,
            port: None,
            password: password.to_owned(),
            fsync: true,
            tls: None,
            settings: Vec::new(),
        }
    }

    /// Returns the folder that `initdb` makes and Postgres works in.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}
