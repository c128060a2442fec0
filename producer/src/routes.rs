//! Maps addresses to handlers.
//!
//! ```text
//! GET,POST  /                          the default poll's ballot
//! GET,POST  /polls/{slug}              a poll's ballot
//! GET       /polls/{slug}/results      the way to the results, with a proof for those who have voted
//! GET       /polls/{slug}/receipt      the receipt of this browser's vote, as a file
//! GET       /polls/{slug}/receipt/picture.svg  the same as a QR code
//! GET       /polls/{slug}/receipt/check  the way to the page that checks it
//! GET       /v/{code}                  the way to a ballot, short enough to be typed
//! GET       /api/polls/{slug}          a poll, as JSON
//! POST      /api/polls/{slug}/ballots  a ballot, as JSON
//! GET       /api/polls/{slug}/receipt  the receipt of the caller's vote, as JSON
//! GET       /api/polls/{slug}/state    its state, times and words, as JSON
//! OPTIONS   these three                whether a page of another site may use them
//! GET       /api/polls/{slug}/state/events  every change of them, as server-sent events
//! GET       /problems/{name}           the explanation of a problem's type
//! GET       /openapi.json
//! GET       /static/{file}             styles and scripts, also /favicon.ico
//! ```

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use votestream_service::http::{self, RequestTimer, timed};
use votestream_service::listener::{Head, head};
use votestream_service::page::static_files;
use votestream_service::problem::{Problem, answer_unrouted, explanations, unrouted};
use warp::http::{Method, StatusCode};
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use crate::handlers::{api, form, state};
use crate::voting::VotingService;
use crate::{body, pages, problems};

const OPENAPI: &str = include_str!("../openapi.json");

/// Returns the filter with every route; a request that fits none is answered with a problem.
pub(crate) fn all(
    voting: Arc<VotingService>,
    body_timeout: Duration,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone + Send + Sync + 'static {
    let with_voting = warp::any().map(move || voting.clone());
    let body = body::bounded(body_timeout);
    let get = warp::get().or(warp::head()).unify();

    let query = warp::query::raw().or(warp::any().map(String::new)).unify();

    // Ballots and polls.
    let api_cast = warp::path!("api" / "polls" / String / "ballots")
        .and(warp::post())
        .and(timed("ballots"))
        .and(with_voting.clone())
        .and(head())
        .and(body.clone())
        .then(|slug, timer: RequestTimer, voting, head: Head, body| {
            timer.measure(api::cast(voting, slug, head, body))
        });
    let form_cast = page_path()
        .and(warp::post())
        .and(timed("ballot_form"))
        .and(with_voting.clone())
        .and(head())
        .and(query)
        .and(body)
        .then(|slug, timer: RequestTimer, voting, head: Head, query, body| {
            timer.measure(form::cast(voting, slug, head, query, body))
        });
    let page = page_path()
        .and(get)
        .and(timed("ballot_page"))
        .and(with_voting.clone())
        .and(head())
        .and(query)
        .then(|slug, timer: RequestTimer, voting, head: Head, query| {
            timer.measure(form::page(voting, slug, head, query))
        });
    let results = warp::path!("polls" / String / "results")
        .and(get)
        .and(timed("results_link"))
        .and(with_voting.clone())
        .and(head())
        .and(query)
        .then(|slug, timer: RequestTimer, voting, head: Head, query| {
            timer.measure(form::results(voting, slug, head, query))
        });
    let receipt = warp::path!("polls" / String / "receipt")
        .and(get)
        .and(timed("receipt"))
        .and(with_voting.clone())
        .and(head())
        .and(query)
        .then(|slug, timer: RequestTimer, voting, head: Head, query| {
            timer.measure(form::receipt(voting, slug, head, query))
        });
    let check_receipt = warp::path!("polls" / String / "receipt" / "check")
        .and(get)
        .and(timed("receipt_link"))
        .and(with_voting.clone())
        .and(head())
        .and(query)
        .then(|slug, timer: RequestTimer, voting, head: Head, query| {
            timer.measure(form::check_receipt(voting, slug, head, query))
        });
    let receipt_picture = warp::path!("polls" / String / "receipt" / "picture.svg")
        .and(get)
        .and(timed("receipt_picture"))
        .and(with_voting.clone())
        .and(head())
        .and(query)
        .then(|slug, timer: RequestTimer, voting, head: Head, query| {
            timer.measure(form::receipt_picture(voting, slug, head, query))
        });
    let follow_code = warp::path!("v" / String)
        .and(get)
        .and(timed("short_code"))
        .and(with_voting.clone())
        .and(head())
        .and(query)
        .map(
            |code: String,
             timer: RequestTimer,
             voting: Arc<VotingService>,
             head: Head,
             query: String| {
                timer.stop(form::follow_code(&voting, &code, &head, &query))
            },
        );
    let api_receipt = warp::path!("api" / "polls" / String / "receipt")
        .and(get)
        .and(timed("receipt"))
        .and(with_voting.clone())
        .and(head())
        .then(|slug, timer: RequestTimer, voting, head: Head| {
            timer.measure(api::receipt(voting, slug, head))
        });
    let preflight = warp::path!("api" / "polls" / String / ..)
        .and(poll_methods())
        .and(warp::options())
        .and(timed("preflight"))
        .and(with_voting.clone())
        .and(head())
        .map(|_, methods, timer: RequestTimer, voting: Arc<VotingService>, head: Head| {
            timer.stop(api::preflight(&voting, &head.headers, methods))
        });
    let api_state = warp::path!("api" / "polls" / String / "state")
        .and(get)
        .and(timed("state"))
        .and(with_voting.clone())
        .and(head())
        .map(|slug: String, timer: RequestTimer, voting: Arc<VotingService>, head: Head| {
            timer.stop(state::state(&voting, &slug, &head.headers))
        });
    let state_events = warp::path!("api" / "polls" / String / "state" / "events")
        .and(get)
        .and(timed("state_events"))
        .and(with_voting.clone())
        .and(warp::method())
        .and(head())
        .map(
            |slug: String,
             timer: RequestTimer,
             voting: Arc<VotingService>,
             method: Method,
             head: Head| {
                timer.stop(state::events(&voting, &slug, head.peer, &method))
            },
        );
    let api_poll = warp::path!("api" / "polls" / String)
        .and(get)
        .and(timed("poll"))
        .and(with_voting)
        .and(head())
        .then(|slug, timer: RequestTimer, voting, head: Head| {
            timer.measure(api::poll(voting, slug, head))
        });

    // Addresses that are the same for everybody.
    let openapi = warp::path!("openapi.json")
        .and(get)
        .and(timed("openapi"))
        .map(|timer: RequestTimer| timer.stop(http::json(StatusCode::OK, OPENAPI)));

    // Boxed by themselves: each further link of a chain makes its type, and the time to compile it, larger.
    let receipts = receipt.or(check_receipt).unify().or(receipt_picture).unify();
    let receipts = receipts.or(api_receipt).unify().boxed();
    // warp clones every route behind an `or` for each request, and reserves room for those that are not
    // boxed. Most requests of a rush are ballots as JSON, so they come first and the rest is boxed.
    let rest = page
        .or(form_cast)
        .unify()
        .or(api_poll)
        .unify()
        .or(api_state)
        .unify()
        .or(state_events)
        .unify()
        .or(preflight)
        .unify()
        .or(follow_code)
        .unify()
        .or(receipts)
        .unify()
        .or(results)
        .unify()
        .or(static_files(&pages::FILES))
        .unify()
        .or(openapi)
        .unify()
        .or(explanations(problems::TYPES))
        .unify()
        .or(other_methods())
        .unify()
        .boxed();
    api_cast.or(rest).unify().recover(answer_unrouted).unify()
}

/// Answers 405 for the addresses that take ballots, once all methods that they accept were tried.
fn other_methods() -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let page = page_path().map(|_| "GET, HEAD, POST");
    let polls = warp::path!("api" / "polls" / String / ..).and(poll_methods());
    page.or(polls.map(|_, methods| methods))
        .unify()
        .map(|allow| unrouted(Problem::method_not_allowed(allow)))
}

/// Matches the rest of the address of a poll, of its ballots, or of its state, and returns the methods there.
fn poll_methods() -> impl Filter<Extract = (&'static str,), Error = Rejection> + Clone {
    let poll = warp::path::end().map(|| "GET, HEAD, OPTIONS");
    let state = warp::path!("state").map(|| "GET, HEAD, OPTIONS");
    poll.or(warp::path!("ballots").map(|| "OPTIONS, POST")).unify().or(state).unify()
}

/// Matches `/` (no slug) and `/polls/{slug}`.
fn page_path() -> impl Filter<Extract = (Option<String>,), Error = Rejection> + Clone {
    let root = warp::path::end().map(|| None);
    root.or(warp::path!("polls" / String).map(Some)).unify()
}
