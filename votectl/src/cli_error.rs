//! Why a command failed, and the exit code that says so.

use votestream_schema::poll::Invalid;
use votestream_transparency::keys::KeyError;
use votestream_votectl::{Error, code_file};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The operation failed.
    #[error(transparent)]
    Operation(#[from] Error),
    /// Standard output or a file could not be written or read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A file of the command line could not be opened or read.
    #[error("{path}: {error}")]
    File {
        /// The file as it was given.
        path: String,
        /// Why it could not be used.
        error: std::io::Error,
    },
    /// A file of voting codes was refused.
    #[error("{path} {error}")]
    Codes {
        /// The file as it was given.
        path: String,
        /// Why it was refused.
        error: code_file::Error,
    },
    /// A row could not be written as CSV.
    #[error("{0}")]
    Csv(#[from] csv::Error),
    /// The definition of a poll is not valid.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// A signing key cannot be made.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// A time lies outside of the calendar.
    #[error("{0}")]
    Time(#[from] jiff::Error),
    /// The command did its work, and its result is a failure; or it asks for a confirmation.
    #[error("{0}")]
    Refused(&'static str),
}

impl CliError {
    /// The exit code of the process: 3 if a server is away, so that trying later may help, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Operation(error) if error.is_away() => 3,
            _ => 1,
        }
    }

    /// Whether the reader of standard output has gone (`votectl … | head`).
    pub fn is_broken_pipe(&self) -> bool {
        let is_broken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
        match self {
            Self::Io(error) => is_broken(error),
            Self::Csv(error) => match error.kind() {
                csv::ErrorKind::Io(error) => is_broken(error),
                _ => false,
            },
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_is_away_ends_with_3() {
        assert_eq!(CliError::Refused("no").exit_code(), 1);
        assert_eq!(CliError::from(Error::RedisTooSlow(5)).exit_code(), 3);
        let explained = Error::RedisTooSlow(5).explained("run it again");
        assert_eq!(CliError::from(explained).exit_code(), 3);
        assert_eq!(CliError::from(Error::Settings("no".to_owned())).exit_code(), 1);
    }
}
