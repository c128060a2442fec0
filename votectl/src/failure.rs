//! Why a command did not do what was asked: one line, and an exit code.

use std::fmt;

use redis::RedisError;
use votestream_schema::db;
use votestream_schema::poll::Invalid;

/// What is told, and how the program ends.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 1: it cannot be done, or was found different.
    Refused(String),
    /// Exit code 1: a server does not let this user in, or has no such database, which a new deployment makes
    /// only after the server.
    NotLetIn(String),
    /// Exit code 3: a server does not answer; trying later may help.
    Away(String),
}

impl Failure {
    /// A refusal in these words.
    pub fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }

    /// As a process ends with it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::NotLetIn(_) => 1,
            Self::Away(_) => 3,
        }
    }

    /// Whether the same attempt may succeed in a while.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::NotLetIn(_) | Self::Away(_) => true,
        }
    }

    /// The same with what to do about it, or what it means.
    pub fn and(self, advice: &str) -> Self {
        match self {
            Self::Refused(text) => Self::Refused(format!("{text}; {advice}")),
            Self::NotLetIn(text) => Self::NotLetIn(format!("{text}; {advice}")),
            Self::Away(text) => Self::Away(format!("{text}; {advice}")),
        }
    }
}

/// One line, whatever the server's words were.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(text) | Self::NotLetIn(text) | Self::Away(text)) = self;
        let words: Vec<&str> = text.split_whitespace().collect();
        f.write_str(&words.join(" "))
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = format!("postgres: {}", db::describe(&error));
        // Classes 08 (connection), 57P (shutting down, starting up) and 53 (out of resources) pass.
        let passes = |code: &str| ["08", "57P", "53"].iter().any(|class| code.starts_with(class));
        match error.code() {
            Some(state) if state.code() == "42P01" => {
                Self::Refused(format!("{text}; run `votectl migrate` first"))
            }
            Some(state) if state.code() == "42501" => Self::Refused(format!(
                "{text}; votectl needs the role that owns the tables in DATABASE_URL"
            )),
            Some(state) if state.code() == "57014" => {
                Self::Refused(format!("{text}; raise --statement-timeout-ms"))
            }
            // Class 28 (the login) and the database that does not exist.
            Some(state) if state.code().starts_with("28") || state.code() == "3D000" => {
                Self::NotLetIn(text)
            }
            Some(state) if !passes(state.code()) => Self::Refused(text),
            None if !is_link(&error) => Self::Refused(text),
            _ => Self::Away(text),
        }
    }
}

/// Whether the way to the server is at fault.
fn is_link(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error);
    error.is_closed()
        || source.is_some_and(|source| source.is::<std::io::Error>())
        || error.to_string().contains("timed out")
        || error.to_string().starts_with("error connecting")
}

impl From<db::Error> for Failure {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Postgres(error) => error.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        let text = format!("redis: {error}");
        let waits = ["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"];
        let link = error.is_io_error()
            || error.is_timeout()
            || error.is_connection_dropped()
            || error.is_connection_refusal()
            || error.is_cluster_error();
        if link || error.code().is_some_and(|code| waits.contains(&code)) {
            Self::Away(text)
        } else if error.kind() == redis::ErrorKind::AuthenticationFailed
            || error.code().is_some_and(|code| ["WRONGPASS", "NOAUTH"].contains(&code))
        {
            Self::NotLetIn(text)
        } else {
            Self::Refused(text)
        }
    }
}

impl From<Invalid> for Failure {
    fn from(error: Invalid) -> Self {
        Self::Refused(error.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<csv::Error> for Failure {
    fn from(error: csv::Error) -> Self {
        Self::Refused(error.to_string())
    }
}
