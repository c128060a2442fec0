//! Voting codes: the page that makes and adds them, the page that hands new ones out, and the same for programs.

use serde_json::json;
use votestream_schema::code::Code;
use votestream_service::language::Message;
use votestream_service::page::QrPicture;
use votestream_service::problem::Problem;
use votestream_votectl::operations::polls::PollWithResults;
use votestream_votectl::{BallotAddress, guessable};
use warp::http::StatusCode;
use warp::reply::Response;

use super::people::read;
use super::visits::{reader, sender};
use super::{AppState, Request, api, problem_of};
use crate::access::Visitor;
use crate::codes::{self, CodesOrder, Written};
use crate::desk::HandedOut;
use crate::fields::Fields;
use crate::pages::{Card, CardsPage, CodesPage, Field, Frame, Trouble, problem_page, render};
use crate::problems::REFUSED;

/// Answers `GET /polls/{slug}/codes`.
pub(crate) async fn page(state: &AppState, slug: &str, request: Request) -> Response {
    let frame = state.frame(&request);
    let visitor = match reader(state, &request).await {
        Ok(visitor) => visitor,
        Err(reply) => return *reply,
    };
    let shown = match read(state, &visitor, slug).await {
        Ok((shown, _)) => shown,
        Err(problem) => return problem_page(&frame, &problem, Some("/")),
    };
    if !codes::are_possible(&shown.poll, shown.state) {
        let problem = Problem::new(&REFUSED, Message::new("host-detail-not-now"));
        return problem_page(&frame, &problem, Some(&format!("/polls/{slug}")));
    }
    render(
        StatusCode::OK,
        request.words,
        &codes_page(frame.of(&visitor), &shown, &Fields::default()),
    )
}

/// Answers `POST /polls/{slug}/codes`: hands new codes out, or says how many were added.
pub(crate) async fn send(state: &AppState, slug: &str, request: Request) -> Response {
    let frame = state.frame(&request);
    let back = format!("/polls/{slug}");
    let (visitor, form) = match sender(state, &request, &back).await {
        Ok(sent) => sent,
        Err(reply) => return *reply,
    };
    let order = CodesOrder::of_form(&form).map_err(|mistake| Problem::new(&REFUSED, mistake));
    let handed_out = match order {
        Ok(order) => hand_out(state, &visitor, slug, order).await,
        Err(problem) => Err(problem),
    };
    let words = frame.words;
    let shown = match read(state, &visitor, slug).await {
        Ok((shown, _)) => shown,
        Err(problem) => return problem_page(&frame, &problem, Some("/")),
    };
    let frame = frame.of(&visitor);
    match handed_out {
        Ok(HandedOut::New(codes)) => {
            let address = state.ballot_address(&shown);
            render(StatusCode::OK, words, &cards_page(frame, &shown, &codes, address.as_ref()))
        }
        Ok(HandedOut::Added { codes, added, already_there }) => {
            let done = Message::new("host-codes-added").with("added", added);
            let done = words.say(&done.with("there", already_there)).into_owned();
            let warning = !guessable::warnings(&codes).is_empty();
            let warning = warning.then(|| words.text("host-codes-guessable"));
            let page = codes_page(frame, &shown, &Fields::default());
            render(StatusCode::OK, words, &CodesPage { done: Some(done), warning, ..page })
        }
        Err(problem) => {
            let page = codes_page(frame, &shown, &form);
            let page = CodesPage { problem: Some(Trouble::of(&problem, words)), ..page };
            problem.mark(render(problem.kind.status, words, &page))
        }
    }
}

/// Answers `POST /api/polls/{slug}/codes`.
pub(crate) async fn send_json(state: &AppState, slug: &str, request: Request) -> Response {
    api::answer(state, &request, async |organiser| {
        let slug = api::parse(slug)?;
        let body = request.body.clone()?;
        let written: Written = serde_json::from_slice(&body).map_err(|_| {
            Problem::malformed("send {\"count\": N} for new codes, or {\"codes\": [CODE, …]}")
        })?;
        let order = CodesOrder::of_json(written);
        let order = order.map_err(|mistake| Problem::new(&REFUSED, mistake))?;
        let handed_out = state.desk.codes(&organiser, &slug, order).await;
        Ok(match handed_out.map_err(|error| problem_of(&error))? {
            HandedOut::New(codes) => {
                let codes: Vec<String> = codes.iter().map(Code::printed).collect();
                (StatusCode::CREATED, json!({ "codes": codes }))
            }
            HandedOut::Added { added, already_there, .. } => {
                let counts = json!({ "added": added, "already_there": already_there });
                (StatusCode::OK, counts)
            }
        })
    })
    .await
}

async fn hand_out(
    state: &AppState,
    visitor: &Visitor,
    slug: &str,
    order: CodesOrder,
) -> Result<HandedOut, Problem> {
    let slug = slug.parse().map_err(|_| Problem::unknown_poll(slug))?;
    let handed_out = state.desk.codes(&visitor.organiser, &slug, order).await;
    handed_out.map_err(|error| problem_of(&error))
}

fn codes_page(frame: Frame, shown: &PollWithResults, form: &Fields) -> CodesPage {
    let Frame { base, words, person } = frame;
    let count = form.get("count").unwrap_or("10").to_owned();
    CodesPage {
        base,
        words,
        person,
        slug: shown.poll.slug.to_string(),
        title: shown.poll.title.clone(),
        count: Field::text("count", words.text("host-codes-count"), count)
            .with_hint(words.text("host-codes-count-hint")),
        // Codes are not sent back: they would stand in the page's source.
        done: None,
        warning: None,
        problem: None,
    }
}

fn cards_page(
    frame: Frame,
    shown: &PollWithResults,
    codes: &[Code],
    address: Option<&BallotAddress>,
) -> CardsPage {
    let Frame { base, words, person } = frame;
    let card = |code: &Code| {
        let qr = address.and_then(|address| QrPicture::of(&address.link(code)));
        Card { code: code.printed(), qr }
    };
    CardsPage {
        base,
        words,
        person,
        slug: shown.poll.slug.to_string(),
        title: shown.poll.title.clone(),
        address: address.map(ToString::to_string),
        cards: codes.iter().map(card).collect(),
    }
}
