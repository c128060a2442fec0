//! Shows polls to people.

use votestream_schema::db::audit_trail::StoredStep;
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_schema::{PollOption, Slug};
use votestream_service::page::{plain_time, render};
use votestream_service::problem::Problem;
use votestream_votectl::operations::polls::PollWithResults;
use warp::http::StatusCode;
use warp::reply::Response;

use super::{AppState, Request, problem_of, see_other};
use crate::access::Visitor;
use crate::order::Task;
use crate::pages::{
    ChangeRow, ListPage, OptionRow, Person, PollPage, PollRow, StepRow, problem_page,
};

/// Answers `GET /`: the polls that the organiser may use.
pub(crate) async fn list(state: &AppState, request: Request) -> Response {
    let visitor = match state.access.visitor(&request.head).await {
        Ok(Some(visitor)) => visitor,
        Ok(None) => return see_other(&state.base, "/sign-in"),
        Err(problem) => return problem_page(&state.base, &problem, None),
    };
    let list = match state.desk.list(&visitor.organiser).await {
        Ok(list) => list,
        Err(error) => return problem_page(&state.base, &problem_of(&error), Some("/")),
    };
    let time = |time: &Option<String>| time.as_deref().map(plain_time);
    let row = |poll: &votestream_votectl::operations::polls::Listed| PollRow {
        slug: poll.slug.to_string(),
        title: poll.title.clone(),
        state: poll.state.to_string(),
        voters: poll.voters,
        opens_at: time(&poll.opens_at),
        closes_at: time(&poll.closes_at),
    };
    let polls = list.polls.iter().rev().map(row).collect();
    render(
        StatusCode::OK,
        &ListPage { base: state.base.clone(), person: Some(Person::of(&visitor)), polls },
    )
}

/// Answers `GET /polls/{slug}`: the state of a poll, and the tasks that are possible now.
pub(crate) async fn poll(state: &AppState, slug: &str, request: Request) -> Response {
    let visitor = match state.access.visitor(&request.head).await {
        Ok(Some(visitor)) => visitor,
        Ok(None) => return see_other(&state.base, "/sign-in"),
        Err(problem) => return problem_page(&state.base, &problem, None),
    };
    match read(state, &visitor, slug).await {
        Ok((poll, steps)) => {
            let done = request.query.strip_prefix("done=").and_then(done_words);
            render(StatusCode::OK, &poll_page(state, &visitor, &poll, &steps, done))
        }
        Err(problem) => problem_page(&state.base, &problem, Some("/")),
    }
}

/// Reads a poll that the visitor may use, with its last steps.
pub(super) async fn read(
    state: &AppState,
    visitor: &Visitor,
    slug: &str,
) -> Result<(PollWithResults, Vec<StoredStep>), Problem> {
    let slug: Slug = slug.parse().map_err(|_| Problem::unknown_poll(slug))?;
    let read = state.desk.show(&visitor.organiser, &slug).await;
    read.map_err(|error| problem_of(&error))
}

/// The notice on a poll's page after a task.
fn done_words(name: &str) -> Option<&'static str> {
    if name == "create" {
        return Some("The poll is created.");
    }
    Some(match Task::of_name(name)? {
        Task::Open => "The opening time is set.",
        Task::Extend => "The closing time is later now.",
        Task::Close => "The closing time is set.",
        Task::Reveal => "Everybody sees the results now.",
        Task::Hide => "The results are hidden now.",
        Task::Correct => "The new texts are stored. The earlier ones stay listed below.",
        Task::Cancel => "The opening is cancelled. The poll is a draft again.",
        Task::Archive => "The poll is archived.",
    })
}

fn poll_page(
    state: &AppState,
    visitor: &Visitor,
    shown: &PollWithResults,
    steps: &[StoredStep],
    done: Option<&'static str>,
) -> PollPage {
    let PollWithResults { poll, results, changes, .. } = shown;
    let time = |ms: Option<i64>| ms.map(|ms| plain_time(&rfc3339(ms)));
    let option =
        |(option, result): (&PollOption, &votestream_votectl::operations::polls::OptionResult)| {
            OptionRow {
                label: option.label.clone(),
                description: option.description.clone(),
                votes: result.votes,
                share: result.share.clone(),
            }
        };
    let address = |base: &Option<String>| {
        let base = base.as_deref()?.trim_end_matches('/');
        Some(format!("{base}/polls/{}", poll.slug))
    };
    PollPage {
        base: state.base.clone(),
        person: Some(Person::of(visitor)),
        done,
        slug: poll.slug.to_string(),
        title: poll.title.clone(),
        state: shown.state.to_string(),
        as_of: plain_time(&rfc3339(now_ms())),
        tasks: Task::ALL.into_iter().filter(|task| task.is_possible(poll, shown.state)).collect(),
        is_sealed_when_archived: poll.secrecy.secret,
        opens_at: time(poll.opens_at_ms),
        closes_at: time(poll.closes_at_ms),
        visibility: poll.visibility,
        needs_code: poll.voter_policy.needs_code(),
        replaces: poll.vote_policy.replaces(),
        choices_min: poll.choices_min,
        choices_max: poll.choices_max,
        voters: results.voters,
        completeness: results.completeness(shown.state),
        options: poll.options.iter().zip(&results.options).map(option).collect(),
        vote_address: address(&state.vote_url),
        results_address: address(&state.results_url),
        changes: changes
            .iter()
            .rev()
            .map(|change| ChangeRow {
                at: plain_time(&rfc3339(change.changed_at_ms)),
                field: change.field.clone(),
                before: change.before.clone().unwrap_or_default(),
                after: change.after.clone().unwrap_or_default(),
            })
            .collect(),
        steps: steps
            .iter()
            .rev()
            .map(|step| StepRow {
                at: plain_time(&rfc3339(step.at_ms)),
                actor: step.actor.clone(),
                action: step.action.clone(),
            })
            .collect(),
    }
}
