//! Errors as clients see them: RFC 9457 problem details.

use serde_json::{Map, Value};
use warp::Rejection;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

use crate::http;

/// Where each problem type is described.
const TYPE_BASE: &str = "https://votestream.dev/problems/";

/// One error, for people and programs.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The last part of its `type`: stable, programs may match on it.
    pub name: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// The same for every problem of this type.
    pub title: &'static str,
    /// What happened this time, and what to do.
    pub detail: String,
    /// Further members of the JSON object.
    pub extensions: Map<String, Value>,
    /// For 503 and 429: after how many seconds to try again.
    pub retry_after_s: Option<u32>,
    /// For 405: what the address takes instead, as RFC 9110 (section 15.5.6) wants it told.
    pub allow: Option<&'static str>,
}

impl Problem {
    /// A problem without extensions.
    pub fn new(
        name: &'static str,
        status: StatusCode,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let detail = detail.into();
        let extensions = Map::new();
        Self { name, status, title, detail, extensions, retry_after_s: None, allow: None }
    }

    /// With one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// With a time to wait.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// 404 for a path that is nothing.
    pub fn not_found() -> Self {
        let detail = "nothing lives at this address";
        Self::new("not-found", StatusCode::NOT_FOUND, "Not found", detail)
    }

    /// 404 for a slug that names no poll.
    pub fn unknown_poll(slug: &str) -> Self {
        let slug: String = slug.chars().take(64).collect();
        let detail = format!("there is no poll `{}`", slug.escape_debug());
        Self::new("unknown-poll", StatusCode::NOT_FOUND, "Unknown poll", detail)
    }

    /// 503 with a time to wait.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new("unavailable", status, "Try again in a moment", detail).retry_after(1)
    }

    /// 400 for what does not parse.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new("malformed", StatusCode::BAD_REQUEST, "Malformed request", detail)
    }

    /// 413 for a body over `bytes_max`.
    pub fn too_large(bytes_max: usize) -> Self {
        let detail = format!("a request body may hold {bytes_max} bytes at most");
        Self::new("too-large", StatusCode::PAYLOAD_TOO_LARGE, "Too large", detail)
    }

    /// 405 for an address that takes only the methods in `allow`, separated by commas.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let detail = "this address does not take this method";
        let problem = Self::new("method-not-allowed", status, "Method not allowed", detail);
        Self { allow: Some(allow), ..problem }
    }

    /// What a request that fits no route is told; `allow` holds the methods of all addresses that
    /// do not answer for themselves with [`Problem::method_not_allowed`].
    pub fn of_rejection(rejection: &Rejection, allow: &'static str) -> Self {
        if rejection.is_not_found() {
            Self::not_found()
        } else if rejection.find::<warp::reject::MethodNotAllowed>().is_some() {
            Self::method_not_allowed(allow)
        } else {
            tracing::debug!(?rejection, "rejected");
            Self::malformed("the request does not have the form that this address expects")
        }
    }

    /// The JSON object.
    pub fn to_json(&self) -> Value {
        let mut object = self.extensions.clone();
        object.insert("type".into(), format!("{TYPE_BASE}{}", self.name).into());
        object.insert("title".into(), self.title.into());
        object.insert("status".into(), self.status.as_u16().into());
        object.insert("detail".into(), self.detail.clone().into());
        Value::Object(object)
    }

    /// Sets status, Retry-After and Allow on a reply that tells of this problem.
    pub fn mark(&self, mut response: Response) -> Response {
        *response.status_mut() = self.status;
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
        let mut response = http::json(self.status, self.to_json().to_string());
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        self.mark(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_as_rfc_9457_says() {
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
                "type": "https://votestream.dev/problems/unavailable",
                "title": "Try again in a moment",
                "status": 503,
                "detail": "redis is away",
                "poll": "pets",
            })
        );
    }
}
