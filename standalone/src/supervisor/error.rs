//! Why the pipeline did not start.

use std::{io, path::PathBuf};

use crate::servers;

/// Why the pipeline did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else listens on a port.
    #[error("port {port} is taken by another program; choose another one with {setting}=…")]
    PortTaken {
        /// The port.
        port: u16,
        /// The setting that chooses it.
        setting: &'static str,
    },
    /// A port cannot be opened for another reason.
    #[error("port {port} cannot be opened ({source}); choose another one with {setting}=…")]
    PortRefused {
        /// The port.
        port: u16,
        /// The setting that chooses it.
        setting: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Two settings name one port.
    #[error("{one} and {other} are both port {port}; choose another one for either")]
    PortTwice {
        /// The port.
        port: u16,
        /// One setting.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// Another supervisor works in the data folder.
    #[error(
        "{} is in use by another supervisor (pid {pid}); stop that one, or choose another folder \
         with DATA_DIR=…", data_dir.display()
    )]
    DataDirInUse {
        /// The data folder.
        data_dir: PathBuf,
        /// The other supervisor.
        pid: String,
    },
    /// The data folder was made for the other kind of Redis.
    #[error(
        "{} was made with {made}: start it so again, or choose another folder with DATA_DIR=…",
        data_dir.display()
    )]
    OtherRedis {
        /// The data folder.
        data_dir: PathBuf,
        /// What it was made with.
        made: &'static str,
    },
    /// A program of the pipeline does not lie beside this one.
    #[error("{} is missing; `make up` builds it", .0.display())]
    NotBuilt(PathBuf),
    /// A command failed.
    #[error("{command} failed: {said}")]
    CommandFailed {
        /// The command.
        command: String,
        /// What it said.
        said: String,
    },
    /// The database cannot be prepared.
    #[error("the database cannot be prepared: {0}")]
    Database(#[from] tokio_postgres::Error),
    /// A server or service cannot be started.
    #[error(transparent)]
    Server(#[from] servers::Error),
}
