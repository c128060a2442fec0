//! Trace spans of requests for results; they name polls, never voters or choices.

use std::convert::Infallible;

use votestream_service::listener::Head;
use votestream_service::trace::{self, Span};
use warp::Filter;
use warp::http::StatusCode;
use warp::reply::Response;

/// The span of one request. It is empty while traces are off.
#[derive(Debug)]
pub(crate) struct RequestSpan(Span);

/// Returns the filter that starts a [`RequestSpan`] with this name, within the trace of the caller if it sent one.
pub(crate) fn traced(
    name: &'static str,
) -> impl Filter<Extract = (RequestSpan,), Error = Infallible> + Clone {
    warp::ext::optional::<Head>().map(move |head: Option<Head>| {
        let caller = head.as_ref().and_then(|head| trace::traceparent(&head.headers));
        RequestSpan(Span::of_request(name, caller))
    })
}

impl RequestSpan {
    /// Ends the span with the status of the reply, and passes the reply through. `slug` names the poll that was asked for.
    pub(crate) fn end(mut self, slug: Option<&str>, response: Response) -> Response {
        let status = response.status();
        self.0.set("http.response.status_code", &status.as_u16());
        // A slug that names no poll is any text of the client's.
        if let Some(slug) = slug.filter(|_| status != StatusCode::NOT_FOUND) {
            self.0.set("votestream.slug", &slug);
        }
        if status.is_server_error() {
            self.0.fail("no results could be given");
        }
        response
    }
}
