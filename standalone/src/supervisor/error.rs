//! The errors of the supervisor.

use std::{io, path::PathBuf};

use crate::servers;

/// The reason why the pipeline did not start or did not keep running.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens on a port.
    #[error("port {port} is taken by another program; choose another one with {setting}=…")]
    PortTaken {
        /// The number of the port.
        port: u16,
        /// The name of the setting that chooses the port.
        setting: &'static str,
    },
    /// A port cannot be opened, though no other program has it.
    #[error("port {port} cannot be opened ({source}); choose another one with {setting}=…")]
    PortRefused {
        /// The number of the port.
        port: u16,
        /// The name of the setting that chooses the port.
        setting: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Two settings choose the same port.
    #[error("{one} and {other} are both port {port}; choose another one for either")]
    PortTwice {
        /// The number of the port.
        port: u16,
        /// The name of one setting.
        one: &'static str,
        /// The name of the other setting.
        other: &'static str,
    },
    /// Two settings name the address of one page.
    #[error(
        "PUBLIC_URL is {public} and VOTE_URL is {vote}: both are the address of the voting page; set one of them"
    )]
    TwoAddresses {
        /// The value of PUBLIC_URL.
        public: String,
        /// The value of VOTE_URL.
        vote: String,
    },
    /// Another supervisor holds the lock of the data folder.
    #[error(
        "{} is in use by another supervisor (pid {pid}); stop that one, or choose another folder \
         with DATA_DIR=…", data_dir.display()
    )]
    DataDirInUse {
        /// The path of the data folder.
        data_dir: PathBuf,
        /// The process id of the other supervisor.
        pid: String,
    },
    /// The data folder holds the other kind of Redis: a cluster or a single server.
    #[error(
        "{} was made with {made}: start it with the same setting, or choose another folder with DATA_DIR=…",
        data_dir.display()
    )]
    OtherRedis {
        /// The path of the data folder.
        data_dir: PathBuf,
        /// The setting with which it was made.
        made: &'static str,
    },
    /// A program of the pipeline is not in the folder of this program.
    #[error("{} is missing; `make up` builds it", .0.display())]
    NotBuilt(PathBuf),
    /// A command such as votectl ended with an error.
    #[error("{command} failed: {said}")]
    CommandFailed {
        /// The command with its arguments.
        command: String,
        /// The text that it wrote to standard error.
        said: String,
    },
    /// Postgres refused to create the roles or the database.
    #[error("the database cannot be prepared: {0}")]
    Database(#[from] tokio_postgres::Error),
    /// A server or service could not be started or stopped.
    #[error(transparent)]
    Server(#[from] servers::Error),
}

/// An option of the default poll has no label.
#[derive(Debug, thiserror::Error)]
#[error("a label cannot be empty")]
pub(super) struct EmptyLabel;

/// Why a text is not the address of a page.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAddress {
    /// It is no address of the web.
    #[error("write an address such as http://192.168.1.20:8080")]
    NotAnAddress,
    /// It has more parts than scheme, host, port and path.
    #[error("leave out what stands behind the path: an address has no ? and no #")]
    HasMore,
    /// Its path has characters that need an escape, or an empty part.
    #[error("write the path as /vote, of letters, digits and the characters - . _ ~ /")]
    OddPath,
    /// It has a user or a password.
    #[error("leave out user and password: everybody would read them")]
    HasALogin,
}

/// A text is not the name of a poll in addresses.
#[derive(Debug, thiserror::Error)]
#[error("a poll is named by 1 to 63 letters a-z, digits and inner hyphens")]
pub struct NoSlug;
