//! Turns requests into replies, in one module per kind of client.

pub(crate) mod api;
mod cross_origin;
pub(crate) mod form;
pub(crate) mod state;

use bytes::Bytes;
use votestream_service::language::Message;
use votestream_service::problem::Problem;
use warp::http::{HeaderMap, HeaderValue, header};
use warp::reply::Response;

use crate::problems::UNSUPPORTED_MEDIA;

/// Returns the body if it arrived whole and has the media type that the address takes.
fn body_of_type(
    media_type: &str,
    headers: &HeaderMap,
    body: Result<Bytes, Problem>,
) -> Result<Bytes, Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(media_type) {
        let detail = Message::new("detail-media-type").with("type", media_type);
        return Err(Problem::new(&UNSUPPORTED_MEDIA, detail));
    }
    body
}

fn with_cookies(
    mut response: Response,
    cookies: impl IntoIterator<Item = HeaderValue>,
) -> Response {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
