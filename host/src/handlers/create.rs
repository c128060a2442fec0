//! The page that creates a poll.

use votestream_service::http::BasePath;
use votestream_service::page::render;
use votestream_service::problem::Problem;
use warp::http::StatusCode;
use warp::reply::Response;

use super::signing_in::sign_in_page;
use super::{AppState, Request, problem_of, see_other};
use crate::access::Visitor;
use crate::fields::Fields;
use crate::order::definition;
use crate::pages::{CreatePage, Field, Person, problem_page};
use crate::problems::{NOT_SIGNED_IN, REFUSED};

/// Answers `GET /create`.
pub(crate) async fn page(state: &AppState, request: Request) -> Response {
    match state.access.visitor(&request.head).await {
        Ok(Some(visitor)) => {
            render(StatusCode::OK, &create_page(&state.base, &visitor, &Fields::default()))
        }
        Ok(None) => see_other(&state.base, "/sign-in"),
        Err(problem) => problem_page(&state.base, &problem, None),
    }
}

/// Answers `POST /create`: creates the poll, and leads to its page.
pub(crate) async fn send(state: &AppState, request: Request) -> Response {
    let visitor = match state.access.visitor(&request.head).await {
        Ok(Some(visitor)) => visitor,
        Ok(None) => {
            let detail = "your session has ended, and nothing was created";
            return sign_in_page(&state.base, &Problem::new(&NOT_SIGNED_IN, detail));
        }
        Err(problem) => return problem_page(&state.base, &problem, None),
    };
    let form = match request.body {
        Ok(body) => Fields::from_form(&body),
        Err(problem) => return problem_page(&state.base, &problem, Some("/create")),
    };
    if let Err(problem) = state.access.check_form(&request.head, &visitor, &form) {
        return problem_page(&state.base, &problem, Some("/create"));
    }
    let created = match definition(&form) {
        Ok(definition) => {
            let created = state.desk.create(&visitor.organiser, definition).await;
            created.map_err(|error| match error {
                votestream_votectl::Error::NoSuchPoll(slug) => {
                    let detail = format!(
                        "you may not create a poll `{slug}`: it is none of those named for you"
                    );
                    Problem::new(&REFUSED, detail)
                }
                error => problem_of(&error),
            })
        }
        Err(error) => Err(Problem::new(&REFUSED, error.to_string())),
    };
    match created {
        Ok(outcome) => see_other(&state.base, &format!("/polls/{}?done=create", outcome.poll.slug)),
        Err(problem) => {
            let page = CreatePage {
                problem: Some((&problem).into()),
                ..create_page(&state.base, &visitor, &form)
            };
            problem.mark(render(problem.kind.status, &page))
        }
    }
}

fn create_page(base: &BasePath, visitor: &Visitor, form: &Fields) -> CreatePage {
    let given = |name: &str, otherwise: &str| form.get(name).unwrap_or(otherwise).to_owned();
    let policy =
        [("keep_first", "The first vote counts"), ("replace", "Voters may change their vote")];
    let voters =
        [("open", "Everybody, once in each browser"), ("code", "Whoever has a voting code")];
    let seen = [
        ("always", "Everybody, from the start"),
        ("after_close", "Everybody, once the poll has closed"),
        ("after_vote", "Whoever has voted, and everybody once the poll has closed"),
        ("admin", "Nobody, until somebody reveals them"),
    ];
    CreatePage {
        base: base.clone(),
        person: Some(Person::of(visitor)),
        slug: Field::text("slug", "Name in addresses", given("slug", ""))
            .with_hint("Small letters a to z, digits and hyphens, such as cats-vs-dogs"),
        title: Field::text("title", "Question", given("title", "")),
        options: given("options", ""),
        fields: vec![
            Field::text(
                "choices_max",
                "How many options a ballot may choose",
                given("choices_max", "1"),
            ),
            Field::choice(
                "vote_policy",
                "A second vote",
                &policy,
                &given("vote_policy", "keep_first"),
            ),
            Field::choice("voter_policy", "Who may vote", &voters, &given("voter_policy", "open")),
            Field::choice(
                "visibility",
                "Who sees the results",
                &seen,
                &given("visibility", "always"),
            ),
            Field::time("opens_at", "Opens (leave it empty for a draft)", given("opens_at", "")),
            Field::time(
                "closes_at",
                "Closes (leave it empty to close the poll by hand)",
                given("closes_at", ""),
            ),
        ],
        problem: None,
    }
}
