//! The page of a task: what it does, its form, and the form when it is sent.

use votestream_schema::poll::rfc3339;
use votestream_service::language::Message;
use votestream_service::page::plain_time;
use votestream_service::problem::Problem;
use votestream_votectl::operations::polls::PollWithResults;
use warp::http::StatusCode;
use warp::reply::Response;

use super::people::read;
use super::visits::{reader, sender};
use super::{AppState, Request, problem_of, see_other};
use crate::access::Visitor;
use crate::fields::Fields;
use crate::order::{Order, Task};
use crate::pages::{Field, Frame, TaskPage, Trouble, problem_page, render};
use crate::problems::{REFUSED, UNCONFIRMED};

/// Answers `GET /polls/{slug}/{task}`.
pub(crate) async fn page(state: &AppState, slug: &str, task: Task, request: Request) -> Response {
    let frame = state.frame(&request);
    let visitor = match reader(state, &request).await {
        Ok(visitor) => visitor,
        Err(reply) => return *reply,
    };
    let (shown, _) = match read(state, &visitor, slug).await {
        Ok(read) => read,
        Err(problem) => return problem_page(&frame, &problem, Some("/")),
    };
    if !task.is_possible(&shown.poll, shown.state) {
        let problem = Problem::new(&REFUSED, Message::new("host-detail-not-now"));
        return problem_page(&frame, &problem, Some(&format!("/polls/{slug}")));
    }
    render(
        StatusCode::OK,
        request.words,
        &task_page(frame, &visitor, &shown, task, &Fields::default()),
    )
}

/// Answers `POST /polls/{slug}/{task}`: carries the task out, and leads back to the poll.
pub(crate) async fn send(state: &AppState, slug: &str, task: Task, request: Request) -> Response {
    let frame = state.frame(&request);
    let back = format!("/polls/{slug}");
    let (visitor, form) = match sender(state, &request, &back).await {
        Ok(sent) => sent,
        Err(reply) => return *reply,
    };
    match carry_out(state, &visitor, slug, task, &request, &form).await {
        Ok(()) => see_other(&frame, &format!("{back}?done={}", task.name())),
        Err(problem) => again(state, frame, &visitor, (slug, task), &form, &problem).await,
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
    let order = Order::read(task, form).map_err(|mistake| Problem::new(&REFUSED, mistake))?;
    // Only now: a form with a mistake need not be confirmed twice.
    if task.is_final() && !visitor.is_confirmed {
        let Some(token) = form.get("token") else {
            return Err(Problem::new(&UNCONFIRMED, Message::new("host-detail-unconfirmed")));
        };
        state.access.confirm(&request.head, visitor, token).await?;
    }
    let done = state.desk.carry_out(&visitor.organiser, &slug, order).await;
    done.map(drop).map_err(|error| problem_of(&error))
}

/// The form once more, with the reason why it was not carried out.
async fn again(
    state: &AppState,
    frame: Frame,
    visitor: &Visitor,
    (slug, task): (&str, Task),
    form: &Fields,
    problem: &Problem,
) -> Response {
    match read(state, visitor, slug).await {
        Ok((shown, _)) => {
            let words = frame.words;
            let page = TaskPage {
                problem: Some(Trouble::of(problem, words)),
                ..task_page(frame, visitor, &shown, task, form)
            };
            problem.mark(render(problem.kind.status, words, &page))
        }
        Err(unreadable) => problem_page(&frame, &unreadable, Some("/")),
    }
}

fn task_page(
    frame: Frame,
    visitor: &Visitor,
    shown: &PollWithResults,
    task: Task,
    form: &Fields,
) -> TaskPage {
    let poll = &shown.poll;
    let Frame { base, words, person } = frame.of(visitor);
    let given = |name: &str, otherwise: &str| form.get(name).unwrap_or(otherwise).to_owned();
    let time = |name: &str, label: &str, otherwise: &str| {
        Field::time(words, name, label, given(name, otherwise))
    };
    let closes_at = poll.closes_at_ms.map(rfc3339);
    let fields = match task {
        Task::Open => vec![
            time("opens_at", "host-field-opens", "now"),
            time("closes_at", "host-field-closes", closes_at.as_deref().unwrap_or_default()),
        ],
        Task::Extend => vec![time("closes_at", "host-field-later", "+10m")],
        Task::Close => vec![time("at", "host-field-closes-now", "")],
        Task::Hide => {
            let until = [
                ("close", "host-hide-close"),
                ("vote", "host-hide-vote"),
                ("revealed", "host-hide-revealed"),
            ];
            vec![Field::choice(words, "until", "host-field-hide", &until, given("until", "close"))]
        }
        Task::Correct => {
            let title = words.text("host-field-title");
            let title = Field::text("title", title, given("title", &poll.title));
            let labels = poll.options.iter().map(|option| {
                let name = format!("label-{}", option.slug);
                let label = Message::new("host-field-option").with("slug", option.slug.as_str());
                Field::text(&name, words.say(&label), given(&name, &option.label))
            });
            std::iter::once(title).chain(labels).collect()
        }
        Task::Reveal | Task::Cancel | Task::Archive => Vec::new(),
    };
    TaskPage {
        base,
        words,
        person,
        slug: poll.slug.to_string(),
        title: poll.title.clone(),
        state: shown.state,
        closes_at: closes_at.as_deref().map(plain_time),
        task,
        fields,
        asks_token: task.is_final() && !visitor.is_confirmed,
        problem: None,
    }
}
