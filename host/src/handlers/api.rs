//! Answers programs, with JSON. Each request carries the token of an organiser.

use serde::Serialize;
use serde_json::json;
use votestream_schema::Slug;
use votestream_schema::organiser::Organiser;
use votestream_schema::poll::{Definition, Invalid};
use votestream_service::http;
use votestream_service::language::Message;
use votestream_service::problem::Problem;
use votestream_votectl::operations::polls::PollWithResults;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

use super::{AppState, Request, problem_of};
use crate::fields::Fields;
use crate::order::{Order, Task};
use crate::problems::{NOT_SIGNED_IN, REFUSED};

/// Answers `GET /api/polls`: the polls that the organiser may use.
pub(crate) async fn list(state: &AppState, request: Request) -> Response {
    answer(state, &request, async |organiser| {
        let list = state.desk.list(&organiser).await.map_err(|error| problem_of(&error))?;
        Ok((StatusCode::OK, json!({ "polls": list.polls })))
    })
    .await
}

/// A poll with its results, and the tasks that are possible now.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    poll: PollWithResults,
    tasks: Vec<&'static str>,
}

/// Answers `GET /api/polls/{slug}`.
pub(crate) async fn poll(state: &AppState, slug: &str, request: Request) -> Response {
    answer(state, &request, async |organiser| {
        let slug = parse(slug)?;
        let read = state.desk.show(&organiser, &slug).await;
        let (poll, _) = read.map_err(|error| problem_of(&error))?;
        let possible =
            Task::ALL.into_iter().filter(|task| task.is_possible(&poll.poll, poll.state));
        let tasks = possible.map(Task::name).collect();
        Ok((StatusCode::OK, Shown { poll, tasks }))
    })
    .await
}

/// Answers `POST /api/polls`: creates the poll of a definition, as `votectl poll create --file` reads it.
pub(crate) async fn create(state: &AppState, request: Request) -> Response {
    answer(state, &request, async |organiser| {
        let body = request.body.clone()?;
        let read = serde_json::from_slice::<Definition>(&body);
        let definition = read.map_err(|error| Problem::malformed(error.to_string()))?;
        let refused = |Invalid(reason)| Problem::new(&REFUSED, reason);
        let definition = definition.validated().map_err(refused)?;
        let created = state.desk.create(&organiser, definition).await;
        Ok((StatusCode::CREATED, created.map_err(|error| problem_of(&error))?))
    })
    .await
}

/// Answers `POST /api/polls/{slug}/{task}`: carries the task out.
pub(crate) async fn send(state: &AppState, slug: &str, task: Task, request: Request) -> Response {
    answer(state, &request, async |organiser| {
        let slug = parse(slug)?;
        let body = request.body.clone()?;
        let order = Order::read(task, &Fields::from_json(&body)?)
            .map_err(|mistake| Problem::new(&REFUSED, mistake))?;
        let outcome = state.desk.carry_out(&organiser, &slug, order).await;
        Ok((StatusCode::OK, outcome.map_err(|error| problem_of(&error))?))
    })
    .await
}

/// Reads the slug of an address.
pub(super) fn parse(slug: &str) -> Result<Slug, Problem> {
    slug.parse().map_err(|_| Problem::unknown_poll(slug))
}

/// Answers with a value or a problem, after the token was checked.
pub(super) async fn answer<T: Serialize>(
    state: &AppState,
    request: &Request,
    make: impl AsyncFnOnce(Organiser) -> Result<(StatusCode, T), Problem>,
) -> Response {
    let outcome = match state.access.bearer(&request.head).await {
        Ok(organiser) => make(organiser).await,
        Err(problem) => Err(problem),
    };
    let problem = match outcome.map(|(status, value)| (status, serde_json::to_vec(&value))) {
        Ok((status, Ok(json))) => return http::json(status, json),
        Ok((_, Err(error))) => {
            tracing::error!("a reply could not be written and is answered with 503: {error}");
            Problem::unavailable(Message::new("host-detail-failed"))
        }
        Err(problem) => problem,
    };
    refuse(problem)
}

/// Answers with a problem; who sent no valid token learns how to send one.
pub(super) fn refuse(problem: Problem) -> Response {
    let is_unknown = problem.kind == &NOT_SIGNED_IN;
    let mut response = problem.into_response();
    if is_unknown {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}
