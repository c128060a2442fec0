//! The URL tree.
//!
//! ```text
//! GET  /                          the default poll's results
//! GET  /polls/{slug}              a poll's results
//! GET  /api/polls                 the polls
//! GET  /api/polls/{slug}/tally    a poll's tally
//! GET  /api/polls/{slug}/series   people counted per second
//! GET  /api/polls/{slug}/events   every change, as server-sent events
//! GET  /problems/{name}           the explanation of a problem's type
//! GET  /openapi.json
//! GET  /static/{file}
//! ```

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use votestream_service::http::{self, RequestTimer, timed};
use votestream_service::problem::{Problem, answer_unrouted, explanations};
use warp::Filter;
use warp::http::StatusCode;
use warp::reply::Reply;

use crate::handlers::Desk;
use crate::{pages, problems};

/// What stands behind the question mark.
type Query = HashMap<String, String>;

const OPENAPI: &str = include_str!("../openapi.json");

/// Every route; what fits none is told so as a problem.
pub(crate) fn all(
    desk: Arc<Desk>,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone + Send + Sync + 'static {
    let desk = warp::any().map(move || desk.clone());

    let root = warp::path::end().map(|| None);
    let page = root
        .or(warp::path!("polls" / String).map(Some))
        .unify()
        .and(desk.clone())
        .and(timed("results_page"))
        .map(|slug: Option<String>, desk: Arc<Desk>, timer: RequestTimer| {
            timer.stop(desk.page(slug.as_deref()))
        });
    let list = warp::path!("api" / "polls")
        .and(desk.clone())
        .and(timed("polls"))
        .map(|desk: Arc<Desk>, timer: RequestTimer| timer.stop(desk.list()));
    let tally = warp::path!("api" / "polls" / String / "tally")
        .and(desk.clone())
        .and(timed("tally"))
        .map(|slug: String, desk: Arc<Desk>, timer: RequestTimer| timer.stop(desk.tally(&slug)));
    let series = warp::path!("api" / "polls" / String / "series")
        .and(desk.clone())
        .and(timed("series"))
        .and(warp::query())
        .then(|slug: String, desk: Arc<Desk>, timer: RequestTimer, query: Query| async move {
            let seconds = query.get("seconds").and_then(|text| text.parse().ok());
            timer.stop(desk.series(&slug, seconds).await)
        });
    let events = warp::path!("api" / "polls" / String / "events")
        .and(desk)
        .and(timed("events"))
        .map(|slug: String, desk: Arc<Desk>, timer: RequestTimer| timer.stop(desk.events(&slug)));
    let assets = warp::path!("static" / String).and(timed("static")).map(
        |path: String, timer: RequestTimer| {
            let found = http::asset(pages::ASSETS, &path);
            timer.stop(found.unwrap_or_else(|| Problem::not_found().into_response()))
        },
    );
    let openapi = warp::path!("openapi.json")
        .and(timed("openapi"))
        .map(|timer: RequestTimer| timer.stop(http::json(StatusCode::OK, OPENAPI.to_owned())));

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
        .unify()
        .or(explanations(problems::TYPES))
        .unify();
    warp::get().or(warp::head()).unify().and(routes).recover(answer_unrouted).unify()
}
