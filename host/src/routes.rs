//! Maps addresses to handlers.
//!
//! ```text
//! GET       /                          the polls that the organiser may use
//! GET,POST  /sign-in                   the form for the token
//! GET       /sign-in/{link}            the button that uses a link
//! POST      /sign-out                  the end of a session
//! GET,POST  /create                    a new poll
//! GET       /polls/{slug}              a poll: its state, results, changes, and tasks
//! GET,POST  /polls/{slug}/{task}       the page of a task
//! GET,POST  /polls/{slug}/codes        voting codes
//! GET       /polls/{slug}/results.csv  the results as a file, also results.json
//! GET,POST  /api/polls                 the same for programs
//! GET       /api/polls/{slug}
//! POST      /api/polls/{slug}/{task}
//! POST      /api/polls/{slug}/codes
//! GET       /api/polls/{slug}/results.csv
//! GET       /problems/{name}           the explanation of a problem's type
//! GET       /openapi.json
//! GET       /static/{file}             styles, also /favicon.ico
//! ```

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use votestream_service::http::{self, RequestTimer, timed};
use votestream_service::language::Words;
use votestream_service::listener::{Head, head};
use votestream_service::page::static_files;
use votestream_service::problem::{Problem, answer_unrouted, explanations};
use warp::Filter;
use warp::http::{Method, StatusCode};
use warp::path::FullPath;
use warp::reply::{Reply, Response};

use crate::handlers::export::{self, Format};
use crate::handlers::{AppState, Request, api, codes, create, people, signing_in, task};
use crate::order::Task;
use crate::{body, pages, problems};

const OPENAPI: &str = include_str!("../openapi.json");
/// Methods of an address that is only sent to.
const SEND_ONLY: &str = "POST";
/// Methods of an address with a form.
const FORM: &str = "GET, HEAD, POST";

/// Builds the filter of all routes; a request that matches none is answered with a problem.
pub(crate) fn all(
    state: Arc<AppState>,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone + Send + Sync + 'static {
    let get = warp::get().or(warp::head()).unify();
    let openapi = warp::path!("openapi.json")
        .and(get)
        .and(timed("openapi"))
        .map(|timer: RequestTimer| timer.stop(http::json(StatusCode::OK, OPENAPI)));
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let pages = warp::method()
        .and(warp::path::full())
        .and(query)
        .and(head())
        .and(body::bounded())
        .then(
            move |method: Method,
                  path: FullPath,
                  query: String,
                  head: Head,
                  body: Result<Bytes, Problem>| {
                let words = Words::choose(&query, None, &head.headers);
                let (state, request) = (state.clone(), Request { head, query, body, words });
                async move {
                    let since = Instant::now();
                    let (route, response) =
                        Box::pin(answer(&state, &method, path.as_str(), request)).await;
                    http::measure(route, &method, response.status(), since);
                    response
                }
            },
        )
        .boxed();
    static_files(&pages::FILES)
        .or(openapi)
        .unify()
        .or(explanations(problems::TYPES))
        .unify()
        .or(pages)
        .unify()
        .recover(answer_unrouted)
        .unify()
}

/// Answers a request; also returns the name of its route for the metrics.
async fn answer(
    state: &AppState,
    method: &Method,
    path: &str,
    request: Request,
) -> (&'static str, Response) {
    let is_read = *method == Method::GET || *method == Method::HEAD;
    let is_sent = *method == Method::POST;
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let other = |allow| Problem::method_not_allowed(allow).into_response();
    match parts.as_slice() {
        [""] if is_read => ("polls", people::list(state, request).await),
        ["sign-in"] if is_read => ("sign_in", signing_in::page(state, None, &request)),
        ["sign-in"] if is_sent => ("sign_in", signing_in::sign_in(state, request).await),
        ["sign-in", link] if is_read => ("sign_in", signing_in::page(state, Some(link), &request)),
        ["sign-out"] if is_sent => ("sign_out", signing_in::sign_out(state, request).await),
        ["create"] if is_read => ("create", create::page(state, request).await),
        ["create"] if is_sent => ("create", create::send(state, request).await),
        ["polls", slug] if is_read => ("poll", people::poll(state, slug, request).await),
        ["polls", slug, name] if let Some(task) = Task::of_name(name) => {
            if is_read {
                ("task", task::page(state, slug, task, request).await)
            } else if is_sent {
                ("task", task::send(state, slug, task, request).await)
            } else {
                ("other", other(FORM))
            }
        }
        ["polls", slug, "codes"] if is_read => ("codes", codes::page(state, slug, request).await),
        ["polls", slug, "codes"] if is_sent => ("codes", codes::send(state, slug, request).await),
        ["polls", _, "codes"] => ("other", other(FORM)),
        ["polls", slug, name] if let Some(format) = Format::of_name(name) => match is_read {
            true => ("results_file", export::page(state, slug, format, request).await),
            false => ("other", other(http::READ_ONLY)),
        },
        ["polls", _, _] if is_read || is_sent => {
            ("other", pages::problem_page(&state.frame(&request), &Problem::not_found(), Some("/")))
        }
        ["api", "polls"] if is_read => ("api_polls", api::list(state, request).await),
        ["api", "polls"] if is_sent => ("api_polls", api::create(state, request).await),
        ["api", "polls", slug] if is_read => ("api_poll", api::poll(state, slug, request).await),
        ["api", "polls", slug, name] if let Some(task) = Task::of_name(name) => match is_sent {
            true => ("api_task", api::send(state, slug, task, request).await),
            false => ("other", other(SEND_ONLY)),
        },
        ["api", "polls", slug, "codes"] => match is_sent {
            true => ("api_codes", codes::send_json(state, slug, request).await),
            false => ("other", other(SEND_ONLY)),
        },
        ["api", "polls", slug, name] if let Some(format) = Format::of_name(name) => match is_read {
            true => ("api_results_file", export::send(state, slug, format, request).await),
            false => ("other", other(http::READ_ONLY)),
        },
        ["sign-out"] => ("other", other(SEND_ONLY)),
        ["sign-in" | "create"] | ["api", "polls"] => ("other", other(FORM)),
        [""]
        | ["openapi.json" | "favicon.ico"]
        | ["sign-in" | "polls" | "static" | "problems", _] => ("other", other(http::READ_ONLY)),
        ["api", "polls", _] => ("other", other(http::READ_ONLY)),
        _ => ("other", Problem::not_found().into_response()),
    }
}
