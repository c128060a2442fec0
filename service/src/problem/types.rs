//! The types of problems that every service may answer with; each service adds its own.

use std::borrow::Cow;

use warp::http::StatusCode;

use crate::language::Words;

/// One type of problem: the part that is the same each time it occurs.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemType {
    /// Last part of its address. It never changes, and programs may match on it.
    pub name: &'static str,
    /// HTTP status of the reply.
    pub status: StatusCode,
    /// Cause and remedy in a few English sentences for a program's author, shown at the type's address.
    pub explanation: &'static str,
}

impl ProblemType {
    /// Returns the headline, the same for every problem of this type.
    pub fn title(&self, words: Words) -> Cow<'static, str> {
        words.text(&format!("problem-{}", self.name))
    }

    /// Returns the address at which the service explains this type, relative to the service itself.
    pub fn address(&self) -> String {
        format!("/problems/{}", self.name)
    }
}

/// 404 for an address where nothing is.
pub static NOT_FOUND: ProblemType = ProblemType {
    name: "not-found",
    status: StatusCode::NOT_FOUND,
    explanation: "Nothing is served at the requested address. /openapi.json lists all addresses.",
};

/// 404 for a slug that names no poll.
pub static UNKNOWN_POLL: ProblemType = ProblemType {
    name: "unknown-poll",
    status: StatusCode::NOT_FOUND,
    explanation: "No poll has the name in the requested address. Check the spelling; a poll that was \
                  created within the last few seconds may not be known everywhere yet.",
};

/// 503 for a service that cannot do its work at the moment.
pub static UNAVAILABLE: ProblemType = ProblemType {
    name: "unavailable",
    status: StatusCode::SERVICE_UNAVAILABLE,
    explanation: "The service cannot do this at the moment, for example because a server behind it is \
                  away. Repeat the same request after the number of seconds in the Retry-After header; \
                  repeating it does no harm.",
};

/// 400 for a request that does not parse.
pub static MALFORMED: ProblemType = ProblemType {
    name: "malformed",
    status: StatusCode::BAD_REQUEST,
    explanation: "The request does not have the form that the address expects, or its voter cookie was \
                  not signed by this service. The detail says which; /openapi.json describes the form.",
};

/// 413 for a body that is too large.
pub static TOO_LARGE: ProblemType = ProblemType {
    name: "too-large",
    status: StatusCode::PAYLOAD_TOO_LARGE,
    explanation: "The request's body has more bytes than the address accepts. The detail says how many \
                  are allowed.",
};

/// 405 for a method that the address does not take.
pub static METHOD_NOT_ALLOWED: ProblemType = ProblemType {
    name: "method-not-allowed",
    status: StatusCode::METHOD_NOT_ALLOWED,
    explanation: "The address exists but does not accept the request's method. The Allow header lists \
                  the methods that it accepts.",
};
