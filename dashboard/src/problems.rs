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
    title: "Results are hidden",
    explanation: "The poll's visibility hides its results, always or until it closes. The member `visibility` \
                  says which, and `closes_at` says when the poll closes, where that is decided.",
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_openapi_document_lists_the_same_types() {
        let document: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap().values();
        let fact = |schema: &Value, name: &str| schema["properties"][name]["const"].clone();
        let listed = schemas.filter(|schema| fact(schema, "type").is_string()).map(|schema| {
            let facts = ["type", "status", "title"].map(|name| fact(schema, name));
            facts.map(|fact| fact.to_string())
        });
        let declared = TYPES.iter().map(|kind| {
            let facts = [kind.address().into(), kind.status.as_u16().into(), kind.title.into()];
            facts.map(|fact: Value| fact.to_string())
        });
        assert_eq!(listed.collect::<BTreeSet<_>>(), declared.collect::<BTreeSet<_>>());
    }
}
