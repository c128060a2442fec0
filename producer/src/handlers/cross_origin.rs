//! Shares replies with pages of other sites whose origins are allowed (ALLOWED_ORIGINS).
//!
//! Browsers ask for this by the CORS protocol, <https://fetch.spec.whatwg.org/#http-cors-protocol>. Such a page reads
//! the poll first, which gives it a voting token and, behind TLS, a cookie of its own; then it casts a ballot.
//!
//! Absent on purpose: the decision which origins are allowed; see [`crate::client::Trust`].

use warp::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use warp::reply::Response;

/// How long a browser may remember a preflight, in seconds.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("600");

/// Lets the page of this origin read the reply. With `None` it only makes caches keep the replies to different
/// origins apart.
pub(crate) fn share(mut response: Response, origin: Option<HeaderValue>) -> Response {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_name(header::ORIGIN));
    if let Some(origin) = origin {
        allow(headers, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_name(header::RETRY_AFTER),
        );
    }
    response
}

/// Answers the question whether a page of this origin may send requests with these methods; `None` is an origin that
/// is not allowed, and gets no permission.
pub(crate) fn preflight(origin: Option<HeaderValue>, methods: &'static str) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_name(header::ORIGIN));
    headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    let Some(origin) = origin else { return response };
    allow(headers, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    let accepted = HeaderValue::from_static("content-type, idempotency-key, traceparent");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, accepted);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
    response
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    const TRUE: HeaderValue = HeaderValue::from_static("true");
    let allowed: [(HeaderName, HeaderValue); 2] = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE),
    ];
    headers.extend(allowed);
}
