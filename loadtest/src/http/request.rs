//! Composes GET requests for the audit, the metrics and the viewers.

use crate::http::endpoint::Endpoint;

/// The value of the `User-Agent` header.
pub(crate) const USER_AGENT: &str = concat!("votestream-loadtest/", env!("CARGO_PKG_VERSION"));

/// Returns a GET request for this path. `more` is further header lines, each with its line break.
pub(crate) fn get(endpoint: &Endpoint, path: &str, more: &str) -> Vec<u8> {
    let Endpoint { target, host, headers, .. } = endpoint;
    let path = format!("{}{}{path}", endpoint.origin(), target.base);
    format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {USER_AGENT}\r\n{headers}{more}\r\n"
    )
    .into_bytes()
}
