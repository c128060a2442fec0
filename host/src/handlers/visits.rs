//! Who asks for a page or sends a form: an organiser who is signed in, or somebody else, who gets another reply.

use votestream_service::language::Message;
use votestream_service::problem::Problem;
use warp::reply::Response;

use super::signing_in::sign_in_page;
use super::{AppState, Request, see_other};
use crate::access::Visitor;
use crate::fields::Fields;
use crate::pages::problem_page;
use crate::problems::NOT_SIGNED_IN;

/// Returns the organiser who asks for a page, or the reply for somebody who is not signed in: it leads to the page that
/// signs in.
pub(super) async fn reader(state: &AppState, request: &Request) -> Result<Visitor, Box<Response>> {
    let frame = state.frame(request);
    match state.access.visitor(&request.head).await {
        Ok(Some(visitor)) => Ok(visitor),
        Ok(None) => Err(Box::new(see_other(&frame, "/sign-in"))),
        Err(problem) => Err(Box::new(problem_page(&frame, &problem, None))),
    }
}

/// Returns the organiser who sends a form of ours, and the form; or the reply that refuses it, with a link to the page
/// `back`.
pub(super) async fn sender(
    state: &AppState,
    request: &Request,
    back: &str,
) -> Result<(Visitor, Fields), Box<Response>> {
    let frame = state.frame(request);
    let visitor = match state.access.visitor(&request.head).await {
        Ok(Some(visitor)) => visitor,
        Ok(None) => {
            let ended = Message::new("host-detail-session-ended");
            let problem = Problem::new(&NOT_SIGNED_IN, ended);
            return Err(Box::new(sign_in_page(frame, &problem)));
        }
        Err(problem) => return Err(Box::new(problem_page(&frame, &problem, None))),
    };
    let form = request.body.clone().map(|body| Fields::from_form(&body));
    let checked = form.and_then(|form| {
        state.access.check_form(&request.head, &visitor, &form)?;
        Ok(form)
    });
    match checked {
        Ok(form) => Ok((visitor, form)),
        Err(problem) => Err(Box::new(problem_page(&frame, &problem, Some(back)))),
    }
}
