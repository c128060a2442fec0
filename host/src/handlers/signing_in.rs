//! Signs people in and out.

use votestream_service::problem::Problem;
use warp::http::StatusCode;
use warp::reply::Response;

use super::{AppState, Request, see_other, with_cookie};
use crate::fields::Fields;
use crate::pages::{Frame, SignInPage, Trouble, problem_page, render};

/// Answers `GET /sign-in`, and `GET /sign-in/{link}`, which uses no link up: programs that make previews open it too.
pub(crate) fn page(state: &AppState, link: Option<&str>, request: &Request) -> Response {
    let frame = state.frame(request);
    match state.access.check_transport(&request.head) {
        Ok(()) => {
            let words = frame.words;
            let page = SignInPage { link_token: link.map(str::to_owned), ..empty(frame) };
            render(StatusCode::OK, words, &page)
        }
        Err(problem) => problem_page(&frame, &problem, None),
    }
}

/// Answers `POST /sign-in`: exchanges a token or a link for a session.
pub(crate) async fn sign_in(state: &AppState, request: Request) -> Response {
    let signed_in = match &request.body {
        Ok(body) => state.access.sign_in(&request.head, &Fields::from_form(body)).await,
        Err(problem) => Err(problem.clone()),
    };
    let frame = state.frame(&request);
    match signed_in {
        Ok(cookie) => with_cookie(see_other(&frame, "/"), cookie),
        Err(problem) => sign_in_page(frame, &problem),
    }
}

/// The page that asks for the token, with the reason why it is needed.
pub(crate) fn sign_in_page(frame: Frame, problem: &Problem) -> Response {
    let words = frame.words;
    let page = SignInPage { problem: Some(Trouble::of(problem, words)), ..empty(frame) };
    problem.mark(render(problem.kind.status, words, &page))
}

/// Answers `POST /sign-out`.
pub(crate) async fn sign_out(state: &AppState, request: Request) -> Response {
    let ended = async {
        let Some(visitor) = state.access.visitor(&request.head).await? else { return Ok(None) };
        let form = Fields::from_form(&request.body.clone()?);
        state.access.check_form(&request.head, &visitor, &form)?;
        state.access.sign_out(&request.head, &visitor).await.map(Some)
    };
    let ended = ended.await;
    let frame = state.frame(&request);
    match ended {
        Ok(Some(cookie)) => with_cookie(see_other(&frame, "/sign-in"), cookie),
        Ok(None) => see_other(&frame, "/sign-in"),
        Err(problem) => problem_page(&frame, &problem, Some("/")),
    }
}

fn empty(frame: Frame) -> SignInPage {
    let Frame { base, words, .. } = frame;
    SignInPage { base, words, person: None, link_token: None, problem: None }
}
