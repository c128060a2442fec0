//! Reads a poll from its dashboard, with nothing but HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use votestream_schema::Slug;

/// The longest time for one reply.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// The longest reply that is read, in bytes: a bundle of 256 entries is shorter.
const REPLY_BYTES_MAX: u64 = 1 << 20;
/// How often a request is sent while the server asks to try again later, and the pause between two.
const TRIES: u32 = 4;
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Requests at the same time.
pub(super) const PARALLEL: usize = 8;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address is not that of a poll's page.
    #[error(
        "`{0}` is not the address of a poll's results; it looks like https://results.example.org/polls/pets"
    )]
    Address(String),
    /// The certificates to trust cannot be read.
    #[error("cannot use the certificates in {path}: {reason}")]
    Certificates {
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The server answered with a status that is no success.
    #[error("{address} answered with status {status}: {detail}")]
    Status {
        /// The whole address.
        address: String,
        /// The status.
        status: u16,
        /// The server's sentence on it.
        detail: String,
    },
    /// There was no reply.
    #[error("{address} did not answer: {error}")]
    Away {
        /// The whole address.
        address: String,
        /// Why not.
        error: Box<ureq::Error>,
    },
    /// The reply has another form than expected.
    #[error("{address} answered with something that cannot be read: {reason}")]
    Unreadable {
        /// The whole address.
        address: String,
        /// The reason, in the words of the parser.
        reason: String,
    },
}

impl RemoteError {
    /// The status and the sentence of a reply that is no success.
    pub(super) fn status(&self) -> Option<(u16, &str)> {
        match self {
            Self::Status { status, detail, .. } => Some((*status, detail)),
            _ => None,
        }
    }
}

/// The published result of a poll.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) version: i64,
    pub(super) voters: i64,
    #[serde(rename = "final")]
    pub(super) is_final: bool,
    pub(super) options: Vec<OptionTally>,
}

/// The published votes of one option.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct OptionTally {
    pub(super) label: String,
    pub(super) votes: i64,
}

/// The dashboard's description of a log.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct LogState {
    /// `open`, `hidden` or `deleted`.
    pub(super) entries: String,
    pub(super) cosignatures: Vec<String>,
}

/// The entries that the dashboard names for a ballot.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Named {
    pub(super) entries: Vec<NamedEntry>,
}

/// One of them.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NamedEntry {
    pub(super) index: u64,
    pub(super) line: Option<String>,
}

/// A poll on its dashboard.
pub(super) struct Site {
    agent: ureq::Agent,
    /// The address in front of `/polls/…`, without a slash at its end.
    base: String,
    slug: Slug,
}

impl Site {
    /// The poll of this address, `https://results.example.org/polls/pets`.
    pub(super) fn new(address: &str, ca_file: Option<&Path>) -> Result<Self, RemoteError> {
        let bad = || RemoteError::Address(address.to_owned());
        let plain = address.split(['?', '#']).next().unwrap_or_default();
        let (base, rest) = plain.split_once("/polls/").ok_or_else(bad)?;
        let slug = rest.split('/').next().unwrap_or_default();
        let is_http = base.starts_with("http://") || base.starts_with("https://");
        let slug = slug.parse().ok().filter(|_| is_http).ok_or_else(bad)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(roots(ca_file)?)
            .unversioned_rustls_crypto_provider(provider);
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIME_LIMIT))
            .http_status_as_error(false)
            .max_idle_connections_per_host(PARALLEL)
            .user_agent("votectl")
            .tls_config(tls.build());
        Ok(Self { agent: config.build().into(), base: base.to_owned(), slug })
    }

    pub(super) fn slug(&self) -> &Slug {
        &self.slug
    }

    /// The address under which the poll is remembered.
    pub(super) fn address(&self) -> String {
        format!("{}/polls/{}", self.base, self.slug)
    }

    /// Reads something of the log: `checkpoint`, `tile/0/000`.
    pub(super) fn log(&self, path: &str) -> Result<Vec<u8>, RemoteError> {
        self.get(&format!("{}/log/{path}", self.address()))
    }

    /// The same as text.
    pub(super) fn log_text(&self, path: &str) -> Result<String, RemoteError> {
        String::from_utf8(self.log(path)?).map_err(|error| RemoteError::Unreadable {
            address: format!("{}/log/{path}", self.address()),
            reason: error.to_string(),
        })
    }

    /// Reads the entries of a ballot, for somebody who has its receipt.
    pub(super) fn named(&self, entry: &str, nonce: &str) -> Result<Named, RemoteError> {
        self.json(&format!("{}/log/entry/{entry}?nonce={nonce}", self.address()))
    }

    pub(super) fn tally(&self) -> Result<Tally, RemoteError> {
        self.json(&format!("{}/api/polls/{}/tally", self.base, self.slug))
    }

    pub(super) fn log_state(&self) -> Result<LogState, RemoteError> {
        self.json(&format!("{}/api/polls/{}/log", self.base, self.slug))
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, address: &str) -> Result<T, RemoteError> {
        serde_json::from_slice(&self.get(address)?).map_err(|error| RemoteError::Unreadable {
            address: address.to_owned(),
            reason: error.to_string(),
        })
    }

    fn get(&self, address: &str) -> Result<Vec<u8>, RemoteError> {
        for _ in 1..TRIES {
            match self.get_once(address) {
                Err(
                    RemoteError::Status { status: 429 | 502..=504, .. } | RemoteError::Away { .. },
                ) => {
                    std::thread::sleep(TRY_AGAIN_AFTER);
                }
                outcome => return outcome,
            }
        }
        self.get_once(address)
    }

    fn get_once(&self, address: &str) -> Result<Vec<u8>, RemoteError> {
        let away =
            |error| RemoteError::Away { address: address.to_owned(), error: Box::new(error) };
        let mut reply = self.agent.get(address).call().map_err(away)?;
        let body = reply.body_mut().with_config().limit(REPLY_BYTES_MAX).read_to_vec();
        let body = body.map_err(away)?;
        if reply.status().is_success() {
            return Ok(body);
        }
        let problem: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let detail = problem.as_ref().and_then(|it| it["detail"].as_str());
        Err(RemoteError::Status {
            address: address.to_owned(),
            status: reply.status().as_u16(),
            detail: detail.unwrap_or("no reason is given").to_owned(),
        })
    }
}

/// The certificate authorities to trust: those of a file, or of the system.
fn roots(ca_file: Option<&Path>) -> Result<RootCerts, RemoteError> {
    let certificates: Vec<Certificate<'static>> = match ca_file {
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            found.iter().map(|it| Certificate::from_der(it).to_owned()).collect()
        }
        Some(path) => {
            let failed = |reason: String| RemoteError::Certificates {
                path: path.display().to_string(),
                reason,
            };
            let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            let mut found = Vec::new();
            for item in parse_pem(&pem) {
                if let PemItem::Certificate(it) = item.map_err(|error| failed(error.to_string()))? {
                    found.push(it);
                }
            }
            found
        }
    };
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_a_page_as_the_browser_shows_it() {
        for address in [
            "https://a.example/polls/pets",
            "https://a.example/polls/pets/",
            "https://a.example/polls/pets/receipt?lang=de#abc",
        ] {
            let site = Site::new(address, None).unwrap();
            assert_eq!(site.address(), "https://a.example/polls/pets");
        }
        for address in ["https://a.example/", "a.example/polls/pets", "https://a/polls/NO", ""] {
            assert!(matches!(Site::new(address, None), Err(RemoteError::Address(_))), "{address}");
        }
    }
}
