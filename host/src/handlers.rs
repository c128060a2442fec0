//! Turns requests into replies, in one module for each kind of client.

pub(crate) mod api;
pub(crate) mod codes;
pub(crate) mod create;
pub(crate) mod export;
pub(crate) mod people;
pub(crate) mod signing_in;
pub(crate) mod task;
mod visits;

use bytes::Bytes;
use votestream_service::http::BasePath;
use votestream_service::language::{Message, Words};
use votestream_service::listener::Head;
use votestream_service::problem::Problem;
use votestream_votectl::operations::polls::PollWithResults;
use votestream_votectl::{BallotAddress, Error};
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use crate::access::Access;
use crate::desk::{Desk, is_refusal};
use crate::mistakes;
use crate::pages::Frame;
use crate::problems::REFUSED;

/// The state that all handlers share.
pub(crate) struct AppState {
    /// The path in front of all addresses.
    pub(crate) base: BasePath,
    pub(crate) access: Access,
    pub(crate) desk: Desk,
    pub(crate) vote_url: Option<String>,
    pub(crate) results_url: Option<String>,
}

impl AppState {
    /// The frame of a page for this request, for somebody who is not signed in.
    pub(crate) fn frame(&self, request: &Request) -> Frame {
        Frame { base: self.base.clone(), words: request.words, person: None }
    }

    /// The address of a poll's ballot for personal links, if the service knows it.
    fn ballot_address(&self, shown: &PollWithResults) -> Option<BallotAddress> {
        let base = self.vote_url.as_deref()?.trim_end_matches('/');
        format!("{base}/polls/{}", shown.poll.slug).parse().ok()
    }
}

/// A request, as handlers see it.
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) query: String,
    pub(crate) body: Result<Bytes, Problem>,
    /// The language of the page that is sent back.
    pub(crate) words: Words,
}

/// Describes to the client why an operation did not succeed.
fn problem_of(error: &Error) -> Problem {
    match error {
        Error::NoSuchPoll(slug) => Problem::unknown_poll(slug.as_str()),
        error if is_refusal(error) => Problem::new(&REFUSED, mistakes::of_operation(error)),
        error => {
            tracing::warn!("an order was not carried out and is answered with 503: {error}");
            let detail = if error.is_away() { "host-detail-away" } else { "host-detail-failed" };
            Problem::unavailable(Message::new(detail))
        }
    }
}

/// Leads to another page of ours, in the same language.
fn see_other(frame: &Frame, path: &str) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    let path = HeaderValue::try_from(frame.link(path)).expect("paths are made of slugs");
    response.headers_mut().insert(header::LOCATION, path);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}
