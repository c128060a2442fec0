//! Serves open ballot pages: the state of a poll as an event stream, and as JSON for pages that have no stream.
//!
//! Both cost no look-up in Redis and name no voter, so very many pages may follow a poll.

use votestream_service::http;
use votestream_service::language::Message;
use votestream_service::listener::{PeerAddr, budget};
use votestream_service::problem::Problem;
use warp::http::{HeaderMap, Method, StatusCode};
use warp::reply::{Reply, Response};

use super::cross_origin;
use crate::catalog::followers::Stream;
use crate::metrics;
use crate::voting::VotingService;

/// Answers `GET /api/polls/{slug}/state`: the poll's state, times and words, and the time now.
pub(crate) fn state(voting: &VotingService, slug: &str, headers: &HeaderMap) -> Response {
    let reply = match voting.followers.json(slug) {
        Some(json) => http::json(StatusCode::OK, json),
        None => unknown(voting, slug),
    };
    cross_origin::share(reply, voting.allowed_origin(headers))
}

/// Answers `GET /api/polls/{slug}/state/events` by taking the connection over for the poll's states, and `HEAD` by whether
/// there would be a stream.
pub(crate) fn events(
    voting: &VotingService,
    slug: &str,
    peer: PeerAddr,
    method: &Method,
) -> Response {
    let owner = budget::owner(peer.0, &voting.trust.proxies);
    if method == Method::HEAD {
        return match voting.followers.has_seat(slug, owner) {
            Some(true) => http::event_stream(Response::default()),
            Some(false) => no_seat(),
            None => unknown(voting, slug),
        };
    }
    match voting.followers.open(slug, owner) {
        Stream::Opens(reply) => reply,
        Stream::NoSeat => no_seat(),
        Stream::Unknown => unknown(voting, slug),
    }
}

/// A poll that the catalog knows already is on the board a moment later.
fn unknown(voting: &VotingService, slug: &str) -> Response {
    let problem = voting.poll(slug).err();
    problem
        .unwrap_or_else(|| Problem::unavailable(Message::new("detail-poll-unknown")))
        .into_response()
}

fn no_seat() -> Response {
    metrics::STATE_STREAMS_REFUSED.increment(1);
    let detail = Message::new("detail-too-many-followers");
    Problem::unavailable(detail).retry_after(15).into_response()
}
