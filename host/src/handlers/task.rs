//! The page of a task: what it does, its form, and the form when it is sent.

use votestream_schema::poll::rfc3339;
use votestream_service::http::BasePath;
use votestream_service::page::{plain_time, render};
use votestream_service::problem::Problem;
use votestream_votectl::operations::polls::PollWithResults;
use warp::http::StatusCode;
use warp::reply::Response;

use super::people::read;
use super::signing_in::sign_in_page;
use super::{AppState, Request, problem_of, see_other};
use crate::access::Visitor;
use crate::fields::Fields;
use crate::order::{Order, Task};
use crate::pages::{Field, Person, TaskPage, problem_page};
use crate::problems::{NOT_SIGNED_IN, REFUSED, UNCONFIRMED};

/// Answers `GET /polls/{slug}/{task}`.
pub(crate) async fn page(state: &AppState, slug: &str, task: Task, request: Request) -> Response {
    let visitor = match state.access.visitor(&request.head).await {
        Ok(Some(visitor)) => visitor,
        Ok(None) => return see_other(&state.base, "/sign-in"),
        Err(problem) => return problem_page(&state.base, &problem, None),
    };
    let (shown, _) = match read(state, &visitor, slug).await {
        Ok(read) => read,
        Err(problem) => return problem_page(&state.base, &problem, Some("/")),
    };
    if !task.is_possible(&shown.poll, shown.state) {
        let detail = format!(
            "poll `{slug}` is {}, and its settings and state do not allow this now",
            shown.state
        );
        let problem = Problem::new(&REFUSED, detail);
        return problem_page(&state.base, &problem, Some(&format!("/polls/{slug}")));
    }
    render(StatusCode::OK, &task_page(&state.base, &visitor, &shown, task, &Fields::default()))
}

/// Answers `POST /polls/{slug}/{task}`: carries the task out, and leads back to the poll.
pub(crate) async fn send(state: &AppState, slug: &str, task: Task, request: Request) -> Response {
    let visitor = match state.access.visitor(&request.head).await {
        Ok(Some(visitor)) => visitor,
        Ok(None) => {
            let detail = "your session has ended, and nothing was changed";
            return sign_in_page(&state.base, &Problem::new(&NOT_SIGNED_IN, detail));
        }
        Err(problem) => return problem_page(&state.base, &problem, None),
    };
    let back = format!("/polls/{slug}");
    let form = request.body.clone().map(|body| Fields::from_form(&body));
    let checked = form.and_then(|form| {
        state.access.check_form(&request.head, &visitor, &form)?;
        Ok(form)
    });
    let form = match checked {
        Ok(form) => form,
        Err(problem) => return problem_page(&state.base, &problem, Some(&back)),
    };
    match carry_out(state, &visitor, slug, task, &request, &form).await {
        Ok(()) => see_other(&state.base, &format!("{back}?done={}", task.name())),
        Err(problem) => again(state, &visitor, slug, task, &form, &problem).await,
    }
}

async fn carry_out(
    state: &AppState,
    visitor: &Visitor,
    slug: &str,
    task: Task,
    request: &Request,
    form: &Fields,
) -> Result<(), Problem> {
    let slug = slug.parse().map_err(|_| Problem::unknown_poll(slug))?;
    let order =
        Order::read(task, form).map_err(|error| Problem::new(&REFUSED, error.to_string()))?;
    // Only now: a form with a mistake need not be confirmed twice.
    if task.is_final() && !visitor.is_confirmed {
        let Some(token) = form.get("token") else {
            let detail = "this cannot be taken back: type your token to confirm it";
            return Err(Problem::new(&UNCONFIRMED, detail));
        };
        state.access.confirm(&request.head, visitor, token).await?;
    }
    let done = state.desk.carry_out(&visitor.organiser, &slug, order).await;
    done.map(drop).map_err(|error| problem_of(&error))
}

/// The form once more, with the reason why it was not carried out.
async fn again(
    state: &AppState,
    visitor: &Visitor,
    slug: &str,
    task: Task,
    form: &Fields,
    problem: &Problem,
) -> Response {
    match read(state, visitor, slug).await {
        Ok((shown, _)) => {
            let page = TaskPage {
                problem: Some(problem.into()),
                ..task_page(&state.base, visitor, &shown, task, form)
            };
            problem.mark(render(problem.kind.status, &page))
        }
        Err(unreadable) => problem_page(&state.base, &unreadable, Some("/")),
    }
}

fn task_page(
    base: &BasePath,
    visitor: &Visitor,
    shown: &PollWithResults,
    task: Task,
    form: &Fields,
) -> TaskPage {
    let poll = &shown.poll;
    let given = |name: &str, otherwise: &str| form.get(name).unwrap_or(otherwise).to_owned();
    let closes_at = poll.closes_at_ms.map(rfc3339);
    let fields = match task {
        Task::Open => vec![
            Field::time("opens_at", "Opens", given("opens_at", "now")),
            Field::time(
                "closes_at",
                "Closes (leave it empty to close the poll by hand)",
                given("closes_at", closes_at.as_deref().unwrap_or_default()),
            ),
        ],
        Task::Extend => {
            vec![Field::time(
                "closes_at",
                "By how much later, or until when",
                given("closes_at", "+10m"),
            )]
        }
        Task::Close => vec![Field::time(
            "at",
            "Closes (leave it empty to close the poll now)",
            given("at", ""),
        )],
        Task::Hide => vec![Field::choice(
            "until",
            "Until when",
            &[
                ("close", "Until the poll has closed and all votes are counted"),
                ("vote", "Until one has voted, or the poll has closed"),
                ("revealed", "Until somebody reveals them"),
            ],
            &given("until", "close"),
        )],
        Task::Correct => {
            let title = Field::text("title", "Question", given("title", &poll.title));
            let labels = poll.options.iter().map(|option| {
                let name = format!("label-{}", option.slug);
                Field::text(
                    &name,
                    &format!("Option `{}`", option.slug),
                    given(&name, &option.label),
                )
            });
            std::iter::once(title).chain(labels).collect()
        }
        Task::Reveal | Task::Cancel | Task::Archive => Vec::new(),
    };
    TaskPage {
        base: base.clone(),
        person: Some(Person::of(visitor)),
        slug: poll.slug.to_string(),
        title: poll.title.clone(),
        state: shown.state.to_string(),
        closes_at: closes_at.as_deref().map(plain_time),
        task,
        fields,
        asks_token: task.is_final() && !visitor.is_confirmed,
        problem: None,
    }
}
