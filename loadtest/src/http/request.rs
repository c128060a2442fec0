//! Composes GET requests for the audit, the metrics and the viewers.

use crate::http::target::Target;

/// The value of the `User-Agent` header.
pub(crate) const USER_AGENT: &str = concat!("votestream-loadtest/", env!("CARGO_PKG_VERSION"));

/// Returns a GET request for this path. `more` is further header lines, each with its line break.
pub(crate) fn get(target: &Target, path: &str, more: &str) -> Vec<u8> {
    let path = format!("{}{path}", target.base);
    format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nuser-agent: {USER_AGENT}\r\n{more}\r\n",
        target.authority()
    )
    .into_bytes()
}
