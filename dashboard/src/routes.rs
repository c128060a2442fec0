//! The URL tree.
//!
//! ```text
//! GET  /                          the default poll's results
//! GET  /polls/{slug}              a poll's results
//! GET  /api/polls                 the polls
//! GET  /api/polls/{slug}/tally    a poll's tally
//! GET  /api/polls/{slug}/series   people counted per second
//! GET  /api/polls/{slug}/events   every change, as server-sent events
//! GET  /openapi.json
//! GET  /static/{file}
//! ```

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use votestream_service::http;
use votestream_service::problem::Problem;
use warp::Filter;
use warp::Rejection;
use warp::http::{Method, StatusCode};
use warp::reply::{Reply, Response};

use crate::handlers::AppState;
use crate::pages;

/// The parameters of the query string, by name.
type Query = HashMap<String, String>;

const OPENAPI: &str = include_str!("../openapi.json");

/// Builds the filter of all routes; a request that matches none is answered with a problem.
pub(crate) fn all(
    state: Arc<AppState>,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone + Send + Sync + 'static {
    let state = warp::any().map(move || state.clone());
    let timer = warp::method().map(|method| Timer { method, since: Instant::now() });
    let with = state.and(timer);

    let root = warp::path::end().map(|| None);
    let page = root.or(warp::path!("polls" / String).map(Some)).unify().and(with.clone()).map(
        |slug: Option<String>, state: Arc<AppState>, timer: Timer| {
            timer.stop("results_page", state.page(slug.as_deref()))
        },
    );
    let list = warp::path!("api" / "polls")
        .and(with.clone())
        .map(|state: Arc<AppState>, timer: Timer| timer.stop("polls", state.list()));
    let tally = warp::path!("api" / "polls" / String / "tally").and(with.clone()).map(
        |slug: String, state: Arc<AppState>, timer: Timer| timer.stop("tally", state.tally(&slug)),
    );
    let series = warp::path!("api" / "polls" / String / "series")
        .and(with.clone())
        .and(warp::query())
        .then(|slug: String, state: Arc<AppState>, timer: Timer, query: Query| async move {
            let seconds = query.get("seconds").and_then(|text| text.parse().ok());
            timer.stop("series", state.series(&slug, seconds).await)
        });
    let events = warp::path!("api" / "polls" / String / "events").and(with.clone()).map(
        |slug: String, state: Arc<AppState>, timer: Timer| {
            timer.stop("events", state.events(&slug))
        },
    );
    let assets =
        warp::path!("static" / String).and(with.clone()).map(|path: String, _, timer: Timer| {
            let found = http::asset(pages::ASSETS, &path);
            timer.stop("static", found.unwrap_or_else(|| Problem::not_found().into_response()))
        });
    let openapi = warp::path!("openapi.json").and(with).map(|_, timer: Timer| {
        timer.stop("openapi", http::json(StatusCode::OK, OPENAPI.to_owned()))
    });

    let routes = page
        .or(tally)
        .unify()
        .or(list)
        .unify()
        .or(series)
        .unify()
        .or(events)
        .unify()
        .or(assets)
        .unify()
        .or(openapi)
        .unify();
    warp::get().or(warp::head()).unify().and(routes).recover(fits_nothing).unify()
}

/// Measures one request from here to its reply.
struct Timer {
    method: Method,
    since: Instant,
}

impl Timer {
    fn stop(self, route: &'static str, response: Response) -> Response {
        http::measure(route, &self.method, response.status(), self.since);
        response
    }
}

async fn fits_nothing(rejection: Rejection) -> Result<Response, Infallible> {
    let problem = Problem::of_rejection(&rejection, http::READ_ONLY);
    http::measure("other", &Method::OPTIONS, problem.status, Instant::now());
    Ok(problem.into_response())
}
