//! The head of an event stream's reply, for connections that hyper serves and for bare sockets.

use std::sync::LazyLock;

use warp::http::HeaderValue;
use warp::reply::Response;

/// `x-accel-buffering` keeps nginx and its kin from holding events back.
const HEADERS: [(&str, &str); 4] = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-store"),
    ("x-accel-buffering", "no"),
    ("x-content-type-options", "nosniff"),
];

/// Adds the headers of an event stream to a reply that hyper sends.
pub fn event_stream(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Returns the head of an event stream as it is written to a bare socket, which ends with the stream.
pub fn event_stream_head() -> &'static str {
    static HEAD: LazyLock<String> = LazyLock::new(|| {
        let lines = HEADERS.map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("HTTP/1.1 200 OK\r\n{}connection: close\r\n\r\n", lines.concat())
    });
    &HEAD
}
