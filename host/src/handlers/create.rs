//! The page that creates a poll.

use votestream_service::problem::Problem;
use warp::http::StatusCode;
use warp::reply::Response;

use super::visits::{reader, sender};
use super::{AppState, Request, problem_of, see_other};
use crate::fields::Fields;
use crate::mistakes;
use crate::order::definition;
use crate::pages::{CreatePage, Field, Frame, Trouble, render};
use crate::problems::REFUSED;

/// Answers `GET /create`.
pub(crate) async fn page(state: &AppState, request: Request) -> Response {
    let frame = state.frame(&request);
    match reader(state, &request).await {
        Ok(visitor) => {
            let page = create_page(frame.of(&visitor), &Fields::default());
            render(StatusCode::OK, request.words, &page)
        }
        Err(reply) => *reply,
    }
}

/// Answers `POST /create`: creates the poll, and leads to its page.
pub(crate) async fn send(state: &AppState, request: Request) -> Response {
    let frame = state.frame(&request);
    let (visitor, form) = match sender(state, &request, "/create").await {
        Ok(sent) => sent,
        Err(reply) => return *reply,
    };
    let created = match definition(&form) {
        Ok(definition) => {
            let created = state.desk.create(&visitor.organiser, definition).await;
            created.map_err(|error| match error {
                votestream_votectl::Error::NoSuchPoll(slug) => {
                    Problem::new(&REFUSED, mistakes::not_yours(&slug))
                }
                error => problem_of(&error),
            })
        }
        Err(mistake) => Err(Problem::new(&REFUSED, mistake)),
    };
    match created {
        Ok(outcome) => see_other(&frame, &format!("/polls/{}?done=create", outcome.poll.slug)),
        Err(problem) => {
            let words = frame.words;
            let page = CreatePage {
                problem: Some(Trouble::of(&problem, words)),
                ..create_page(frame.of(&visitor), &form)
            };
            problem.mark(render(problem.kind.status, words, &page))
        }
    }
}

fn create_page(frame: Frame, form: &Fields) -> CreatePage {
    let Frame { base, words, person } = frame;
    let given = |name: &str, otherwise: &str| form.get(name).unwrap_or(otherwise).to_owned();
    let policy = [("keep_first", "host-second-keep"), ("replace", "host-second-replace")];
    let voters = [("open", "host-voters-open"), ("code", "host-voters-code")];
    let seen = [
        ("always", "host-seen-always"),
        ("after_close", "host-seen-close"),
        ("after_vote", "host-seen-vote"),
        ("admin", "host-seen-admin"),
    ];
    let choice = |name: &str, label: &str, choices: &[(&'static str, &'static str)]| {
        let first = choices.first().map_or("", |(value, _)| value);
        Field::choice(words, name, label, choices, given(name, first))
    };
    CreatePage {
        base,
        words,
        person,
        slug: Field::text("slug", words.text("host-field-slug"), given("slug", ""))
            .with_hint(words.text("host-field-slug-hint")),
        title: Field::text("title", words.text("host-field-title"), given("title", "")),
        options: given("options", ""),
        fields: vec![
            Field::text("choices_max", words.text("host-field-choices"), given("choices_max", "1")),
            choice("vote_policy", "host-field-second", &policy),
            choice("voter_policy", "host-field-voters", &voters),
            choice("visibility", "host-field-seen", &seen),
            Field::time(words, "opens_at", "host-field-opens-draft", given("opens_at", "")),
            Field::time(words, "closes_at", "host-field-closes", given("closes_at", "")),
        ],
        problem: None,
    }
}
