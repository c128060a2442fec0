//! The types of problems that the host's service answers with, each with the explanation that `/problems/{name}` shows.

use votestream_service::problem::{
    MALFORMED, METHOD_NOT_ALLOWED, NOT_FOUND, ProblemType, TOO_LARGE, UNAVAILABLE, UNKNOWN_POLL,
};
use warp::http::StatusCode;

/// Every type that the host's service answers with.
pub(crate) static TYPES: &[&ProblemType] = &[
    &FORGED,
    &MALFORMED,
    &METHOD_NOT_ALLOWED,
    &NEEDS_TLS,
    &NOT_FOUND,
    &NOT_SIGNED_IN,
    &REFUSED,
    &TOO_LARGE,
    &TOO_MANY_ATTEMPTS,
    &UNAVAILABLE,
    &UNCONFIRMED,
    &UNKNOWN_POLL,
];

/// 401 for a request without a valid token.
pub(crate) static NOT_SIGNED_IN: ProblemType = ProblemType {
    name: "not-signed-in",
    status: StatusCode::UNAUTHORIZED,
    explanation: "The request names no organiser: it has no token, or one that is not valid, or that was revoked. Programs \
                  send it in the header `Authorization: Bearer TOKEN`. `votectl organisers add` makes tokens.",
};

/// 403 for a request that another site's page may have sent.
pub(crate) static FORGED: ProblemType = ProblemType {
    name: "forged",
    status: StatusCode::FORBIDDEN,
    explanation: "The request seems to come from a page of another site, or from a page of an earlier session. Nothing was \
                  changed. Open the page again and repeat the step there.",
};

/// 403 for a token that would cross a network in the open.
pub(crate) static NEEDS_TLS: ProblemType = ProblemType {
    name: "needs-tls",
    status: StatusCode::FORBIDDEN,
    explanation: "Tokens and cookies of organisers cross no network without TLS. Use an address that begins with https. On \
                  the machine itself plain HTTP is allowed; the setting PLAIN_HTTP_FROM names further networks.",
};

/// 403 for a task that needs a recent proof of who asks.
pub(crate) static UNCONFIRMED: ProblemType = ProblemType {
    name: "unconfirmed",
    status: StatusCode::FORBIDDEN,
    explanation: "This step cannot be taken back, so it needs a session whose organiser showed the token within the last \
                  five minutes. Type the token into the form and send it again.",
};

/// 409 for an order that the poll does not allow.
pub(crate) static REFUSED: ProblemType = ProblemType {
    name: "refused",
    status: StatusCode::CONFLICT,
    explanation: "The state or the settings of the poll do not allow the step, or a value breaks a rule. The detail says \
                  which. Nothing was changed.",
};

/// 429 for a network that guesses.
pub(crate) static TOO_MANY_ATTEMPTS: ProblemType = ProblemType {
    name: "too-many-attempts",
    status: StatusCode::TOO_MANY_REQUESTS,
    explanation: "Many requests from this network showed a token that is not valid. Wait for the seconds in the Retry-After \
                  header. Sessions that are signed in go on working.",
};

#[cfg(test)]
mod tests {
    use votestream_service::language::Words;

    use super::*;

    #[test]
    fn the_openapi_document_lists_the_same_types() {
        let declared = TYPES.iter().map(|kind| {
            (kind.address(), kind.status.as_u16(), kind.title(Words::default()).into_owned())
        });
        let listed = testkit::http::problem_types(include_str!("../openapi.json"));
        assert_eq!(listed, declared.collect());
    }
}
