//! The URL tree.
//!
//! ```text
//! GET,POST  /                          the default poll's ballot
//! GET,POST  /polls/{slug}              a poll's ballot
//! GET       /api/polls/{slug}          a poll, as JSON
//! POST      /api/polls/{slug}/ballots  a ballot, as JSON
//! GET       /openapi.json
//! GET       /static/{file}
//! ```

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use votestream_service::http;
use votestream_service::listener::{Head, head};
use votestream_service::problem::Problem;
use warp::http::{Method, StatusCode};
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use crate::booth::Booth;
use crate::handlers::{api, form};
use crate::{body, pages};

const OPENAPI: &str = include_str!("../openapi.json");

/// Every route; what fits none is told so as a problem.
pub(crate) fn all(
    booth: Arc<Booth>,
    body_timeout: Duration,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone + Send + Sync + 'static {
    let with_booth = warp::any().map(move || booth.clone());
    let body = body::bounded(body_timeout);
    let get = warp::get().or(warp::head()).unify();

    let api_cast = warp::path!("api" / "polls" / String / "ballots")
        .and(warp::post())
        .and(timed("ballots"))
        .and(with_booth.clone())
        .and(head())
        .and(body.clone())
        .then(|slug, timer: Timer, booth, head: Head, body| {
            timer.measure(api::cast(booth, slug, head, body))
        });
    let form_cast = page_path()
        .and(warp::post())
        .and(timed("ballot_form"))
        .and(with_booth.clone())
        .and(head())
        .and(body)
        .then(|slug, timer: Timer, booth, head: Head, body| {
            timer.measure(form::cast(booth, slug, head, body))
        });
    let page =
        page_path().and(get).and(timed("ballot_page")).and(with_booth.clone()).and(head()).then(
            |slug, timer: Timer, booth, head: Head| timer.measure(form::page(booth, slug, head)),
        );
    let api_poll = warp::path!("api" / "polls" / String)
        .and(get)
        .and(timed("poll"))
        .and(with_booth)
        .and(head())
        .then(|slug, timer: Timer, booth, head: Head| timer.measure(api::poll(booth, slug, head)));
    let assets = warp::path!("static" / String).and(get).and(timed("static")).map(
        |path: String, timer: Timer| {
            let found = http::asset(pages::ASSETS, &path);
            timer.stop(found.unwrap_or_else(|| Problem::not_found().into_response()))
        },
    );
    let openapi = warp::path!("openapi.json")
        .and(get)
        .and(timed("openapi"))
        .map(|timer: Timer| timer.stop(http::json(StatusCode::OK, OPENAPI.to_owned())));

    // All that stands behind an `or` is cloned for every request, and what is not boxed is made room
    // for: so the ballots of programs, which are most of a rush, come first, the rest as one.
    let rest = page
        .or(form_cast)
        .unify()
        .or(api_poll)
        .unify()
        .or(assets)
        .unify()
        .or(openapi)
        .unify()
        .or(other_methods())
        .unify()
        .boxed();
    api_cast.or(rest).unify().recover(fits_nothing).unify()
}

/// The addresses that are not merely read, after all that they take has been tried.
fn other_methods() -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let page = page_path().map(|_| "GET, HEAD, POST");
    let ballots = warp::path!("api" / "polls" / String / "ballots").map(|_| "POST");
    page.or(ballots).unify().map(|allow| unfit(Problem::method_not_allowed(allow)))
}

/// `/` (no slug) or `/polls/{slug}`.
fn page_path() -> impl Filter<Extract = (Option<String>,), Error = Rejection> + Clone {
    let root = warp::path::end().map(|| None);
    root.or(warp::path!("polls" / String).map(Some)).unify()
}

/// Measures one request from here to its reply.
struct Timer {
    route: &'static str,
    method: Method,
    since: Instant,
}

impl Timer {
    /// The handler's reply, measured. Boxed, since the chain of routes is moved about with room for
    /// the largest of its handlers.
    fn measure(
        self,
        handler: impl Future<Output = Response> + Send + 'static,
    ) -> Pin<Box<dyn Future<Output = Response> + Send>> {
        Box::pin(async move { self.stop(handler.await) })
    }

    fn stop(self, response: Response) -> Response {
        http::measure(self.route, &self.method, response.status(), self.since);
        response
    }
}

fn timed(route: &'static str) -> impl Filter<Extract = (Timer,), Error = Infallible> + Clone {
    warp::method().map(move |method| Timer { route, method, since: Instant::now() })
}

async fn fits_nothing(rejection: Rejection) -> Result<Response, Infallible> {
    Ok(unfit(Problem::of_rejection(&rejection, http::READ_ONLY)))
}

fn unfit(problem: Problem) -> Response {
    http::measure("other", &Method::OPTIONS, problem.status, Instant::now());
    problem.into_response()
}
