//! What all our HTTP replies share: security headers, static files, and how they are measured.

use std::cell::RefCell;
use std::time::Instant;

use bytes::Bytes;
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use warp::reply::Response;

use crate::metric::{CounterHandle, HistogramHandle};
use crate::metrics;

/// No inline script or style, nothing from elsewhere, never framed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The methods of an address that is only read, for the Allow header.
pub const READ_ONLY: &str = "GET, HEAD";

/// A static file: its path under `/static/`, its content type, its bytes.
pub type Asset = (&'static str, &'static str, &'static [u8]);

/// An HTML page with the headers that guard it. Never cached, since it shows a voter's own state.
pub fn html(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(body.into());
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

/// A JSON reply. Never cached.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    *response.status_mut() = status;
    // Room for these and a few more, such as a cookie.
    *response.headers_mut() = HeaderMap::with_capacity(6);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The static file at `path` under `/static/`, if there is one.
pub fn asset(assets: &[Asset], path: &str) -> Option<Response> {
    let (_, content_type, bytes) = assets.iter().find(|(name, _, _)| *name == path)?;
    let mut response = Response::new((*bytes).into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(response)
}

/// Counts and times one request; `route` must be one of few fixed names, never a client's text.
pub fn measure(route: &'static str, method: &Method, status: StatusCode, since: Instant) {
    let duration = since.elapsed();
    let name = (route, method_name(method), status.as_u16());
    SERIES.with_borrow_mut(|known| {
        let at = known.iter().position(|series| series.name == name);
        let at = at.unwrap_or_else(|| {
            known.push(Series::register(name));
            known.len() - 1
        });
        known[at].requests.increment(1);
        known[at].duration.record(duration);
    });
}

thread_local! {
    /// Looking a metric up by its labels costs more than all else here. There are few, so each thread
    /// keeps its own handles, and looks through them.
    static SERIES: RefCell<Vec<Series>> = const { RefCell::new(Vec::new()) };
}

/// The handles for a route, a method and a status code.
struct Series {
    name: (&'static str, &'static str, u16),
    requests: CounterHandle,
    duration: HistogramHandle,
}

impl Series {
    fn register(name: (&'static str, &'static str, u16)) -> Self {
        let (route, method, status) = name;
        let requests =
            metrics::HTTP_REQUESTS.with([route.to_owned(), method.to_owned(), status.to_string()]);
        let duration = metrics::HTTP_REQUEST_DURATION_SECONDS.with([route]);
        Self { name, requests, duration }
    }
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}
