//! The canary's settings, read from flags or environment variables and parsed once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use hyper::Uri;
use votestream_schema::Slug;
use votestream_service::config::{CommonArgs, Task};

/// Votes through the front door all the time, and measures when the vote is on screen.
///
/// The canary is one voter in a poll of its own. It casts a ballot at the producer, as any client does, and waits until an
/// event stream of the dashboard shows it. The poll must let a newer ballot replace the older one, and nobody else may vote
/// in it; each canary needs a poll of its own. Polls whose slug begins with `votestream-canary` do not count as turnout.
#[derive(Parser, Clone, Debug)]
#[command(name = "canary", version)]
pub struct Config {
    /// The command to run instead of voting, if any.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// Cast ballots at the producer that has this address, such as `https://vote.example.org`
    #[arg(long, env = "PRODUCER_URL", default_value = "http://localhost:8080", value_parser = address)]
    pub producer_url: Uri,
    /// Read the results from the dashboard that has this address
    #[arg(long, env = "DASHBOARD_URL", default_value = "http://localhost:8081", value_parser = address)]
    pub dashboard_url: Uri,
    /// Vote in this poll, which has the vote policy `replace` and no other voters
    #[arg(long, env = "CANARY_POLL", default_value = "votestream-canary")]
    pub canary_poll: Slug,
    /// Cast a ballot at this interval, in milliseconds
    #[arg(long, env = "INTERVAL_MS", default_value_t = 5_000,
          value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub interval_ms: u64,
    /// Give up on a ballot that is not on screen after this many milliseconds
    #[arg(long, env = "SCREEN_TIMEOUT_MS", default_value_t = 10_000,
          value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub screen_timeout_ms: u64,
    /// Trust only these certificate authorities for both addresses (PEM file); default: those of the system
    #[arg(long, env = "CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Serve /metrics, /healthz and /readyz at this address
    #[arg(long, env = "ADMIN_ADDR", default_value = "0.0.0.0:9084")]
    pub admin_addr: SocketAddr,
    /// Log and shutdown settings that all services share.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl Config {
    /// Returns the time between two ballots.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    /// Returns the time after which a ballot that is not on screen has failed.
    pub(crate) fn screen_timeout(&self) -> Duration {
        Duration::from_millis(self.screen_timeout_ms)
    }
}

/// A text is not the address of a server.
#[derive(Debug, thiserror::Error)]
#[error("an address has the form http://HOST:PORT or https://HOST:PORT")]
struct InvalidAddress;

fn address(text: &str) -> Result<Uri, InvalidAddress> {
    let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| InvalidAddress)?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_root = matches!(uri.path(), "" | "/") && uri.query().is_none();
    if is_http && is_root && uri.host().is_some_and(|host| !host.is_empty()) {
        Ok(uri)
    } else {
        Err(InvalidAddress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_server_and_no_page() {
        for good in ["http://localhost:8080", "https://vote.example.org/", "http://[::1]:80"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in ["localhost:8080", "ftp://a", "http://a/polls", "http://a/?x=1", "", "/"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
