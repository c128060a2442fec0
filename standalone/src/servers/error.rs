//! The errors of private servers and other child processes.

use std::{io, path::PathBuf, process::ExitStatus};

/// The reason why a server or service could not be started, queried or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program that is needed is not installed on this machine.
    #[error("{program} was not found: {advice}")]
    NotInstalled {
        /// The name of the program, such as `redis-server`.
        program: &'static str,
        /// The advice how to install it, for a person to read.
        advice: String,
    },
    /// The operating system refused an action on a file, a socket or a process.
    #[error("cannot {action}: {source}")]
    Io {
        /// The action in the infinitive, such as `read /tmp/a`.
        action: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A process ended before it was ready.
    #[error("{name} ended with {status}; the last lines of {}:\n{tail}", log.display())]
    Exited {
        /// The name under which the process was started.
        name: String,
        /// The exit code, or the signal that killed it.
        status: ExitStatus,
        /// The path of its log file.
        log: PathBuf,
        /// The last lines of the log, joined by line breaks.
        tail: String,
    },
    /// A process runs, but did not report that it is ready in time.
    #[error("{name} did not become ready within {seconds} s; see its log {}", log.display())]
    NotReady {
        /// The name under which the process was started.
        name: String,
        /// The length of the wait in seconds.
        seconds: u64,
        /// The path of its log file.
        log: PathBuf,
    },
    /// Postgres cannot run here: its data were written by a version that is not installed, or no user may run it. The
    /// text is a whole sentence for the operator.
    #[error("{0}")]
    Unsuitable(String),
    /// A server answered a command with an error.
    #[error("{name} answered: {reply}")]
    Refused {
        /// The name of the server, such as `redis`.
        name: String,
        /// The error text of its reply.
        reply: String,
    },
}

impl Error {
    /// Returns a function for `map_err` that adds the attempted action to an error of the operating system.
    pub fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
