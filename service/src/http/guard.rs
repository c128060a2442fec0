//! Checks that concern every request before it is routed, and headers that concern every reply.

use warp::http::{HeaderMap, HeaderValue, Version, header};
use warp::reply::Response;

/// Returns why a request is refused for its `Host` headers: it has several, or it is of HTTP/1.1 and has none (RFC 9112,
/// section 3.2). A proxy in front might take another one of them for the host.
pub(crate) fn check_host(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => None,
        (None, _) if version < Version::HTTP_11 => None,
        (None, _) => Some("the request has no Host header"),
        (Some(_), Some(_)) => Some("the request has more than one Host header"),
    }
}

/// How a request came, as far as replies depend on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transport {
    is_https: bool,
}

impl Transport {
    /// Reads what the proxy in front says, unless every request came through TLS. A client that invents it harms only itself:
    /// browsers ignore the header on replies that did not come through TLS.
    pub(crate) fn of(headers: &HeaderMap, always_https: bool) -> Self {
        let proto = headers.get("x-forwarded-proto").map(HeaderValue::as_bytes).unwrap_or_default();
        Self { is_https: always_https || is_https(proto) }
    }

    /// Tells browsers behind TLS to come back through TLS alone (RFC 6797), for `max_age_s` seconds; 0 tells them nothing.
    pub(crate) fn mark(self, reply: &mut Response, max_age_s: u32) {
        if self.is_https && max_age_s > 0 {
            let value = HeaderValue::try_from(format!("max-age={max_age_s}"));
            let value = value.expect("a number is visible ASCII");
            reply.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
        }
    }
}

/// Returns whether the client reached the first proxy through TLS, as the first word of `X-Forwarded-Proto` says.
pub fn is_https(x_forwarded_proto: &[u8]) -> bool {
    let first = x_forwarded_proto.split(|byte| *byte == b',').next().unwrap_or_default();
    first.trim_ascii().eq_ignore_ascii_case(b"https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_says_how_the_client_came() {
        for text in ["https", "HTTPS", "https, http", " Https ,http"] {
            assert!(is_https(text.as_bytes()), "{text}");
        }
        for text in ["", "http", "http, https", "httpsx", ",https"] {
            assert!(!is_https(text.as_bytes()), "{text}");
        }
    }

    proptest::proptest! {
        /// What a client invented comes last or first, and only the first word counts.
        #[test]
        fn whatever_follows_the_first_word_changes_nothing(
            invented in proptest::collection::vec(proptest::num::u8::ANY, 0..64),
        ) {
            let _ = is_https(&invented);
            proptest::prop_assert!(is_https(&[b"https,", invented.as_slice()].concat()));
            proptest::prop_assert!(!is_https(&[b"http,", invented.as_slice()].concat()));
        }
    }
}
