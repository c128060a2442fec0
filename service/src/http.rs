//! Builds the HTTP replies that all services share, with their security headers, and measures requests. Sends the few
//! requests that services make themselves ([`outbound`]).

mod base_path;
mod events;
mod guard;
mod measure;
pub mod outbound;

use bytes::Bytes;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::Response;

pub use base_path::{BasePath, NoBasePath};
pub use events::{event_stream, event_stream_head};
pub use guard::is_https;
pub(crate) use guard::{Transport, check_host};
pub use measure::{RequestTimer, measure, timed};

/// Allows no inline script or style, nothing from other sites, and no framing.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// For replies that are no pages of ours, should a browser show one: nothing in it runs, loads or is framed.
const NO_PAGE_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// For scripts, which no browser shows as a page. A browser runs none as a worker that is sandboxed.
pub(crate) const SCRIPT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Value of the Allow header for addresses that are only read.
pub const READ_ONLY: &str = "GET, HEAD";

/// Returns an HTML page with its security headers. It is never cached, since it may show a voter's own
/// state.
pub fn html(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let set = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Lets a page also load scripts, frames and styles from these origins, which are separated by blanks, and send requests
/// there.
pub fn allow_scripts_of(page: &mut Response, origins: &str) {
    let mut policy = format!("{CONTENT_SECURITY_POLICY}; frame-src {origins}");
    for directive in ["style-src 'self'", "script-src 'self'", "connect-src 'self'"] {
        policy = policy.replace(directive, &format!("{directive} {origins}"));
    }
    // Origins that are no header value allow nothing.
    if let Ok(policy) = HeaderValue::try_from(policy) {
        page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

/// Returns a JSON reply that no cache keeps.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    *response.status_mut() = status;
    // Room for these headers and a few more, such as a cookie.
    *response.headers_mut() = HeaderMap::with_capacity(8);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    no_page(headers);
    response
}

/// Returns a short text for people and programs, which no cache keeps.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = json(status, body);
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// Returns a picture that only its reader may see, so no cache keeps it.
pub fn svg(body: impl Into<Bytes>) -> Response {
    let mut response = json(StatusCode::OK, body);
    let svg = HeaderValue::from_static("image/svg+xml");
    response.headers_mut().insert(header::CONTENT_TYPE, svg);
    response
}

fn no_page(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(NO_PAGE_POLICY));
}

/// Returns a reply that is the same for all clients and that caches may keep for five minutes.
pub fn cacheable(content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    no_page(headers);
    response
}
