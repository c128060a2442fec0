//! Describes errors to clients as RFC 9457 problem details.
//!
//! A problem's `type` is a relative address such as `/problems/not-open`; the service that answered
//! explains the type there in plain text. Title and detail are in the language that the request accepts.

mod detail;
mod types;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Map, Value};
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

pub use detail::Detail;
pub use types::{
    MALFORMED, METHOD_NOT_ALLOWED, NOT_FOUND, ProblemType, TOO_LARGE, UNAVAILABLE, UNKNOWN_POLL,
};

use crate::http::{self, BasePath};
use crate::language::{Language, Message, Words};

/// One occurrence of a problem, for people and programs.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Type, with the name that programs match on, status and title.
    pub kind: &'static ProblemType,
    /// Cause of this occurrence and its remedy, in one sentence.
    pub detail: Detail,
    /// Further members of the JSON object.
    pub extensions: Map<String, Value>,
    /// For 503 and 429: seconds after which the client may try again.
    pub retry_after_s: Option<u32>,
    /// For 405: the methods that the address accepts, as RFC 9110 (section 15.5.6) requires.
    pub allow: Option<&'static str>,
}

impl Problem {
    /// Describes a problem of this type, without extensions.
    pub fn new(kind: &'static ProblemType, detail: impl Into<Detail>) -> Self {
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
        Self::new(&NOT_FOUND, Message::new("detail-nothing-here"))
    }

    /// Describes a slug that names no poll: 404.
    pub fn unknown_poll(slug: &str) -> Self {
        let slug: String = slug.chars().take(64).collect();
        let slug = slug.escape_debug().to_string();
        Self::new(&UNKNOWN_POLL, Message::new("detail-no-poll").with("slug", slug))
    }

    /// Describes a service that cannot work at the moment: 503, to be tried again in a second.
    pub fn unavailable(detail: impl Into<Detail>) -> Self {
        Self::new(&UNAVAILABLE, detail).retry_after(1)
    }

    /// Describes a request that does not parse: 400.
    pub fn malformed(detail: impl Into<Detail>) -> Self {
        Self::new(&MALFORMED, detail)
    }

    /// Describes a body of more than `bytes_max` bytes: 413.
    pub fn too_large(bytes_max: usize) -> Self {
        let detail = Message::new("detail-too-large").with("bytes", bytes_max.to_string());
        Self::new(&TOO_LARGE, detail)
    }

    /// Describes a method that the address does not accept: 405. `allow` lists the methods that it
    /// does accept, separated by commas.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let problem = Self::new(&METHOD_NOT_ALLOWED, Message::new("detail-method"));
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
            Self::malformed(Message::new("detail-form"))
        }
    }

    /// Returns the JSON object of this problem in a language, for a service with this base path.
    pub fn to_json(&self, words: Words, base: &BasePath) -> Value {
        let mut object = self.extensions.clone();
        object.insert("type".into(), base.join(&self.kind.address()).into());
        object.insert("title".into(), self.kind.title(words).into());
        object.insert("status".into(), self.kind.status.as_u16().into());
        object.insert("detail".into(), self.detail.text(words).into());
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
        let words = Words::default();
        let mut response =
            http::json(self.kind.status, self.to_json(words, &BasePath::default()).to_string());
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(words.lang()));
        headers.append(header::VARY, HeaderValue::from_name(header::ACCEPT_LANGUAGE));
        let mut response = self.mark(response);
        response.extensions_mut().insert(Described(Arc::new(self)));
        response
    }
}

/// The problem that a reply describes.
#[derive(Clone)]
struct Described(Arc<Problem>);

/// Describes the problem of a reply, if it is about one, in the language that the request accepts, and with the base path in
/// front of the type's address. Handlers know neither, so they answer in English and without the path, and the listener calls
/// this for every reply.
pub(crate) fn localise(reply: &mut Response, request: &HeaderMap, base: &BasePath) {
    let Some(Described(problem)) = reply.extensions_mut().remove::<Described>() else { return };
    let words = Words::from(Language::accepted(request).unwrap_or_default());
    if words.language() == Language::En && base.is_empty() {
        return;
    }
    *reply.body_mut() = Bytes::from(problem.to_json(words, base).to_string()).into();
    let language = HeaderValue::from_static(words.lang());
    reply.headers_mut().insert(header::CONTENT_LANGUAGE, language);
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
    let ProblemType { status, explanation, .. } = kind;
    let title = kind.title(Words::default());
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
            problem.to_json(Words::default(), &BasePath::default()),
            serde_json::json!({
                "type": "/problems/unavailable",
                "title": "Try again in a moment",
                "status": 503,
                "detail": "redis is away",
                "poll": "pets",
            })
        );
    }

    #[test]
    fn a_problem_is_told_in_the_language_that_the_request_accepts() {
        let german = HeaderValue::from_static("de-CH, en;q=0.5");
        let request = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, german)]);
        let mut reply = Problem::unknown_poll("pets").into_response();
        assert_eq!(reply.headers()["content-language"], "en");
        localise(&mut reply, &request, &BasePath::default());
        assert_eq!(reply.headers()["content-language"], "de");
        assert_eq!(reply.headers()["vary"], "accept-language");
        let json = Problem::unknown_poll("pets").to_json(Language::De.into(), &BasePath::default());
        assert_eq!(json["title"], "Unbekannte Abstimmung");
        assert_eq!(json["detail"], "es gibt keine Abstimmung „pets“");
        assert_eq!(json["type"], "/problems/unknown-poll");
    }
}
