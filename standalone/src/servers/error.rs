//! What can go wrong with a child process.

use std::{io, path::PathBuf, process::ExitStatus};

/// Why a server or service could not be started, asked or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not on this machine.
    #[error("{program} was not found: {advice}")]
    NotInstalled {
        /// The program's name.
        program: &'static str,
        /// What to do about it.
        advice: String,
    },
    /// The operating system refused something.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, in the infinitive.
        action: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The process ended while it was expected to run.
    #[error("{name} ended with {status}; the end of {}:\n{tail}", log.display())]
    Exited {
        /// The process's name.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// The process runs but does not answer.
    #[error("{name} did not become ready within {seconds} s; its log is {}", log.display())]
    NotReady {
        /// The process's name.
        name: String,
        /// How long it was waited for.
        seconds: u64,
        /// Its log file.
        log: PathBuf,
    },
    /// The data on disk does not fit the programs that are installed.
    #[error("{0}")]
    Unsuitable(String),
    /// The server answered with an error.
    #[error("{name} answered: {reply}")]
    Refused {
        /// The server's name.
        name: String,
        /// Its answer.
        reply: String,
    },
}

impl Error {
    /// Wraps an operating-system error with what was tried; for `map_err`.
    pub fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
