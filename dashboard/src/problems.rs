//! The types of problems that the dashboard answers with, each with the explanation that `/problems/{name}` shows.

use votestream_service::problem::{
    METHOD_NOT_ALLOWED, NOT_FOUND, ProblemType, UNAVAILABLE, UNKNOWN_POLL,
};
use warp::http::StatusCode;

/// Every type that the dashboard answers with.
pub(crate) static TYPES: &[&ProblemType] =
    &[&METHOD_NOT_ALLOWED, &NOT_FOUND, &RESULTS_HIDDEN, &UNAVAILABLE, &UNKNOWN_POLL];

/// 403 for results that the poll does not show, or not yet.
pub(crate) static RESULTS_HIDDEN: ProblemType = ProblemType {
    name: "results-hidden",
    status: StatusCode::FORBIDDEN,
    explanation: "The poll's visibility hides its results, always or until it closes. The member `visibility` \
                  says which, and `closes_at` says when the poll closes, where that is decided.",
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
