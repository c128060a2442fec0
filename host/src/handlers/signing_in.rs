//! Signs people in and out.

use votestream_service::http::BasePath;
use votestream_service::page::render;
use votestream_service::problem::Problem;
use warp::http::StatusCode;
use warp::reply::Response;

use super::{AppState, Request, see_other, with_cookie};
use crate::fields::Fields;
use crate::pages::{SignInPage, problem_page};

/// Answers `GET /sign-in`, and `GET /sign-in/{link}`, which uses no link up: programs that make previews open it too.
pub(crate) fn page(state: &AppState, link: Option<&str>, request: &Request) -> Response {
    match state.access.check_transport(&request.head) {
        Ok(()) => {
            let link = link.map(str::to_owned);
            render(
                StatusCode::OK,
                &SignInPage { base: state.base.clone(), person: None, link, problem: None },
            )
        }
        Err(problem) => problem_page(&state.base, &problem, None),
    }
}

/// Answers `POST /sign-in`: exchanges a token or a link for a session.
pub(crate) async fn sign_in(state: &AppState, request: Request) -> Response {
    let signed_in = match &request.body {
        Ok(body) => state.access.sign_in(&request.head, &Fields::from_form(body)).await,
        Err(problem) => Err(problem.clone()),
    };
    match signed_in {
        Ok(cookie) => with_cookie(see_other(&state.base, "/"), cookie),
        Err(problem) => sign_in_page(&state.base, &problem),
    }
}

/// The page that asks for the token, with the reason why it is needed.
pub(crate) fn sign_in_page(base: &BasePath, problem: &Problem) -> Response {
    let page =
        SignInPage { base: base.clone(), person: None, link: None, problem: Some(problem.into()) };
    problem.mark(render(problem.kind.status, &page))
}

/// Answers `POST /sign-out`.
pub(crate) async fn sign_out(state: &AppState, request: Request) -> Response {
    let ended = async {
        let Some(visitor) = state.access.visitor(&request.head).await? else { return Ok(None) };
        let form = Fields::from_form(&request.body.clone()?);
        state.access.check_form(&request.head, &visitor, &form)?;
        state.access.sign_out(&request.head, &visitor).await.map(Some)
    };
    match ended.await {
        Ok(Some(cookie)) => with_cookie(see_other(&state.base, "/sign-in"), cookie),
        Ok(None) => see_other(&state.base, "/sign-in"),
        Err(problem) => problem_page(&state.base, &problem, Some("/")),
    }
}
