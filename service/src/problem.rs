//! Describes errors to clients as RFC 9457 problem details.
//!
//! A problem's `type` is a relative address such as `/problems/not-open`; the service that answered
//! explains the type there in plain text.

mod types;

use std::convert::Infallible;
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Map, Value};
use warp::http::{HeaderValue, Method, StatusCode, header};
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

pub use types::{
    MALFORMED, METHOD_NOT_ALLOWED, NOT_FOUND, ProblemType, TOO_LARGE, UNAVAILABLE, UNKNOWN_POLL,
};

use crate::http::{self, BasePath};

/// One occurrence of a problem, for people and programs.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Type, with the name that programs match on, status and title.
    pub kind: &'static ProblemType,
    /// Cause of this occurrence and its remedy, in one sentence.
    pub detail: String,
    /// Further members of the JSON object.
    pub extensions: Map<String, Value>,
    /// For 503 and 429: seconds after which the client may try again.
    pub retry_after_s: Option<u32>,
    /// For 405: the methods that the address accepts, as RFC 9110 (section 15.5.6) requires.
    pub allow: Option<&'static str>,
}

impl Problem {
    /// Describes a problem of this type, without extensions.
    pub fn new(kind: &'static ProblemType, detail: impl Into<String>) -> Self {
        let (detail, extensions) = (detail.into(), Map::new());
        Self { kind, detail, extensions, retry_after_s: None, allow: None }
    }

    /// Adds a member to the JSON object.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// Sets the seconds after which the client may try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Describes a path where nothing is: 404.
    pub fn not_found() -> Self {
        Self::new(&NOT_FOUND, "nothing lives at this address")
    }

    /// Describes a slug that names no poll: 404.
    pub fn unknown_poll(slug: &str) -> Self {
        let slug: String = slug.chars().take(64).collect();
        Self::new(&UNKNOWN_POLL, format!("there is no poll `{}`", slug.escape_debug()))
    }

    /// Describes a service that cannot work at the moment: 503, to be tried again in a second.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(&UNAVAILABLE, detail).retry_after(1)
    }

    /// Describes a request that does not parse: 400.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(&MALFORMED, detail)
    }

    /// Describes a body of more than `bytes_max` bytes: 413.
    pub fn too_large(bytes_max: usize) -> Self {
        Self::new(&TOO_LARGE, format!("a request body may hold {bytes_max} bytes at most"))
    }

    /// Describes a method that the address does not accept: 405. `allow` lists the methods that it
    /// does accept, separated by commas.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let problem = Self::new(&METHOD_NOT_ALLOWED, "this address does not take this method");
        Self { allow: Some(allow), ..problem }
    }

    /// Describes why no route took a request. `allow` lists the methods of all addresses whose routes
    /// do not answer with [`Problem::method_not_allowed`] themselves.
    pub fn of_rejection(rejection: &Rejection, allow: &'static str) -> Self {
        if rejection.is_not_found() {
            Self::not_found()
        } else if rejection.find::<warp::reject::MethodNotAllowed>().is_some() {
            Self::method_not_allowed(allow)
        } else {
            tracing::debug!(?rejection, "a request was rejected as malformed");
            Self::malformed("the request does not have the form that this address expects")
        }
    }

    /// Returns the JSON object of this problem, for a service without a base path.
    pub fn to_json(&self) -> Value {
        self.to_json_below(&BasePath::default())
    }

    fn to_json_below(&self, base: &BasePath) -> Value {
        let mut object = self.extensions.clone();
        object.insert("type".into(), base.join(&self.kind.address()).into());
        object.insert("title".into(), self.kind.title.into());
        object.insert("status".into(), self.kind.status.as_u16().into());
        object.insert("detail".into(), self.detail.clone().into());
        Value::Object(object)
    }

    /// Sets status, Retry-After and Allow on a reply that describes this problem.
    pub fn mark(&self, mut response: Response) -> Response {
        *response.status_mut() = self.kind.status;
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = self.allow {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}

impl Reply for Problem {
    fn into_response(self) -> Response {
        let mut response = http::json(self.kind.status, self.to_json().to_string());
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        let mut response = self.mark(response);
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the base path in front of the type's address if this reply describes a problem as JSON. Handlers make problems
/// without knowing where the service is reached, so the listener calls this for every reply.
pub(crate) fn put_below(reply: &mut Response, base: &BasePath) {
    if base.is_empty() {
        return;
    }
    if let Some(problem) = reply.extensions_mut().remove::<Problem>() {
        *reply.body_mut() = Bytes::from(problem.to_json_below(base).to_string()).into();
    }
}

/// Returns the route `GET /problems/{name}`, which explains each of `types` in plain text.
pub fn explanations(
    types: &'static [&'static ProblemType],
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let read = warp::get().or(warp::head()).unify();
    warp::path!("problems" / String).and(read).and(http::timed("problems")).map(
        move |name: String, timer: http::RequestTimer| {
            let kind = types.iter().find(|kind| kind.name == name);
            timer.stop(kind.map_or_else(|| Problem::not_found().into_response(), |it| explain(it)))
        },
    )
}

fn explain(kind: &ProblemType) -> Response {
    let ProblemType { title, status, explanation, .. } = kind;
    let text = format!("{title} (HTTP status {})\n\n{explanation}\n", status.as_u16());
    http::cacheable("text/plain; charset=utf-8", text)
}

/// Answers a request that no route took, and counts it under the route `other`.
///
/// # Errors
/// Never returns an error; the type is that of a warp recovery handler.
pub async fn answer_unrouted(rejection: Rejection) -> Result<Response, Infallible> {
    Ok(unrouted(Problem::of_rejection(&rejection, http::READ_ONLY)))
}

/// Answers with a problem, and counts the request under the route `other`.
pub fn unrouted(problem: Problem) -> Response {
    let status: StatusCode = problem.kind.status;
    http::measure("other", &Method::OPTIONS, status, Instant::now());
    problem.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_written_as_rfc_9457_says() {
        let problem = Problem::unavailable("redis is away").with("poll", "pets");
        let response = problem.clone().into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(
            problem.to_json(),
            serde_json::json!({
                "type": "/problems/unavailable",
                "title": "Try again in a moment",
                "status": 503,
                "detail": "redis is away",
                "poll": "pets",
            })
        );
    }
}
