//! The URL tree.
//!
//! ```text
//! GET  /                          the default poll's results
//! GET  /polls/{slug}              a poll's results
//! GET  /polls/{slug}/picture.png  the same as a picture, for previews of links
//! GET  /polls/{slug}/accounts     what became of every ballot
//! GET  /polls/{slug}/at/{time}    the result as it stood at a past second
//! GET  /polls/{slug}/receipt      checks a receipt, in the browser
//! GET  /polls/{slug}/log/{rest}   the public log: checkpoint, keys, tile/…, entry/…
//! GET  /present/{slug}            a poll on the screen of a hall
//! GET  /embed/{slug}              a poll's results in a frame of another site
//! GET  /api/polls                 the polls
//! GET  /api/polls/{slug}/tally    a poll's tally
//! GET  /api/polls/{slug}/accounts what became of every ballot, as JSON
//! GET  /api/polls/{slug}/at/{time} the result as it stood at a past second
//! GET  /api/polls/{slug}/log      the state of the public log
//! GET  /api/polls/{slug}/series   people counted per second
//! GET  /api/polls/{slug}/events   every change, as server-sent events
//! GET  /problems/{name}           the explanation of a problem's type
//! GET  /openapi.json
//! GET  /static/{file}             styles and scripts, also /favicon.ico
//! ```

use std::convert::Infallible;
use std::sync::Arc;

use votestream_service::http::{self, RequestTimer, timed};
use votestream_service::listener::{Head, head};
use votestream_service::page::static_files;
use votestream_service::problem::{answer_unrouted, explanations};
use warp::http::{Method, StatusCode};
use warp::path::Tail;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use crate::handlers::{AppState, Query};
use crate::spans::{RequestSpan, traced};
use crate::{pages, problems};

const OPENAPI: &str = include_str!("../openapi.json");

/// Builds the filter of all routes; a request that matches none is answered with a problem.
pub(crate) fn all(
    state: Arc<AppState>,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone + Send + Sync + 'static {
    let state = warp::any().map(move || state.clone());
    let openapi = warp::path!("openapi.json")
        .and(timed("openapi"))
        .map(|timer: RequestTimer| timer.stop(http::json(StatusCode::OK, OPENAPI)));

    // GET and HEAD only; everything else, and every unknown address, is answered with a problem.
    let routes = page_routes(state.clone())
        .or(result_routes(state))
        .unify()
        .or(static_files(&pages::FILES))
        .unify()
        .or(openapi)
        .unify()
        .or(explanations(problems::TYPES))
        .unify();
    warp::get().or(warp::head()).unify().and(routes).recover(answer_unrouted).unify()
}

/// Routes the pages for people.
fn page_routes(
    state: impl Filter<Extract = (Arc<AppState>,), Error = Infallible> + Clone + Send + Sync + 'static,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let root = warp::path::end().map(|| None);
    let page = root
        .or(warp::path!("polls" / String).map(Some))
        .unify()
        .and(state.clone())
        .and(timed("results_page"))
        .and(traced("show results"))
        .and(head())
        .and(raw_query())
        .map(
            |slug: Option<String>,
             state: Arc<AppState>,
             timer: RequestTimer,
             span: RequestSpan,
             head: Head,
             query: String| {
                timer.stop(span.end(slug.as_deref(), state.page(slug.as_deref(), &head, &query)))
            },
        );
    let present = warp::path!("present" / String)
        .and(state.clone())
        .and(timed("present_page"))
        .and(head())
        .and(raw_query())
        .map(
            |slug: String, state: Arc<AppState>, timer: RequestTimer, head: Head, query: String| {
                timer.stop(state.present(&slug, &head, &query))
            },
        );
    let embedded = warp::path!("embed" / String)
        .and(state.clone())
        .and(timed("embedded_page"))
        .and(head())
        .and(raw_query())
        .map(
            |slug: String, state: Arc<AppState>, timer: RequestTimer, head: Head, query: String| {
                timer.stop(state.embedded(&slug, &head, &query))
            },
        );
    let picture = warp::path!("polls" / String / "picture.png")
        .and(state.clone())
        .and(timed("picture"))
        .then(|slug: String, state: Arc<AppState>, timer: RequestTimer| async move {
            timer.stop(state.picture(&slug).await)
        });
    let log =
        warp::path!("polls" / String / "log" / ..)
            .and(warp::path::tail())
            .and(state.clone())
            .and(timed("log"))
            .and(query())
            .then(
                |slug: String,
                 rest: Tail,
                 state: Arc<AppState>,
                 timer: RequestTimer,
                 query: Query| async move {
                    timer.stop(state.log(&slug, rest.as_str(), &query).await)
                },
            );
    let receipt = warp::path!("polls" / String / "receipt")
        .and(state.clone())
        .and(timed("receipt_page"))
        .and(head())
        .and(raw_query())
        .map(
            |slug: String, state: Arc<AppState>, timer: RequestTimer, head: Head, query: String| {
                timer.stop(state.receipt_page(&slug, &head, &query))
            },
        );
    let past = warp::path!("polls" / String / "at" / String)
        .and(state.clone())
        .and(timed("past_page"))
        .and(head())
        .and(raw_query())
        .then(
            |slug: String,
             time: String,
             state: Arc<AppState>,
             timer: RequestTimer,
             head: Head,
             query: String| async move {
                timer.stop(state.past_page(&slug, &time, &head, &query).await)
            },
        );
    let accounts =
        warp::path!("polls" / String / "accounts")
            .and(state)
            .and(timed("accounts_page"))
            .and(head())
            .and(raw_query())
            .then(
                |slug: String,
                 state: Arc<AppState>,
                 timer: RequestTimer,
                 head: Head,
                 query: String| async move {
                    timer.stop(state.accounts_page(&slug, &head, &query).await)
                },
            );
    let pages = page.or(present).unify().or(embedded).unify().or(picture).unify();
    pages.or(accounts).unify().or(past).unify().or(receipt).unify().or(log).unify()
}

/// Routes JSON and event streams for programs.
fn result_routes(
    state: impl Filter<Extract = (Arc<AppState>,), Error = Infallible> + Clone + Send + Sync + 'static,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let list = warp::path!("api" / "polls")
        .and(state.clone())
        .and(timed("polls"))
        .map(|state: Arc<AppState>, timer: RequestTimer| timer.stop(state.list()));
    let tally = warp::path!("api" / "polls" / String / "tally")
        .and(state.clone())
        .and(timed("tally"))
        .and(traced("show tally"))
        .and(head())
        .and(query())
        .map(
            |slug: String,
             state: Arc<AppState>,
             timer: RequestTimer,
             span: RequestSpan,
             head: Head,
             query: Query| {
                timer.stop(span.end(Some(&slug), state.tally(&slug, &head, &query)))
            },
        );
    let accounts = warp::path!("api" / "polls" / String / "accounts")
        .and(state.clone())
        .and(timed("accounts"))
        .then(|slug: String, state: Arc<AppState>, timer: RequestTimer| async move {
            timer.stop(state.account_json(&slug).await)
        });
    let log = warp::path!("api" / "polls" / String / "log")
        .and(state.clone())
        .and(timed("log_state"))
        .then(|slug: String, state: Arc<AppState>, timer: RequestTimer| async move {
            timer.stop(state.log_json(&slug).await)
        });
    let past = warp::path!("api" / "polls" / String / "at" / String)
        .and(state.clone())
        .and(timed("past"))
        .then(|slug: String, time: String, state: Arc<AppState>, timer: RequestTimer| async move {
            timer.stop(state.past_json(&slug, &time).await)
        });
    let series = warp::path!("api" / "polls" / String / "series")
        .and(state.clone())
        .and(timed("series"))
        .and(traced("show series"))
        .and(head())
        .and(query())
        .then(
            |slug: String,
             state: Arc<AppState>,
             timer: RequestTimer,
             span: RequestSpan,
             head: Head,
             query: Query| async move {
                let reply = state.series(&slug, &head, &query).await;
                timer.stop(span.end(Some(&slug), reply))
            },
        );
    let events = warp::path!("api" / "polls" / String / "events")
        .and(state)
        .and(timed("events"))
        .and(traced("open event stream"))
        .and(warp::method())
        .and(head())
        .and(query())
        .map(
            |slug: String,
             state: Arc<AppState>,
             timer: RequestTimer,
             span: RequestSpan,
             method: Method,
             head: Head,
             query: Query| {
                let reply = match method == Method::HEAD {
                    true => state.events_head(&slug, head.peer),
                    false => state.events(&slug, &head, &query),
                };
                timer.stop(span.end(Some(&slug), reply))
            },
        );
    tally
        .or(list)
        .unify()
        .or(accounts)
        .unify()
        .or(log)
        .unify()
        .or(past)
        .unify()
        .or(series)
        .unify()
        .or(events)
        .unify()
}

/// The part of the address behind the question mark, as it is; empty where there is none.
fn raw_query() -> impl Filter<Extract = (String,), Error = Infallible> + Clone {
    warp::query::raw().or(warp::any().map(String::new)).unify()
}

/// The parameters of the address; none where it has none, or where they cannot be read.
fn query() -> impl Filter<Extract = (Query,), Error = Infallible> + Clone {
    warp::query().or(warp::any().map(Query::new)).unify()
}
