//! Shows polls to people.

use std::borrow::Cow;

use votestream_schema::db::audit_trail::StoredStep;
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_schema::tally::{Share, Tally};
use votestream_schema::{PollOption, Slug};
use votestream_service::language::Words;
use votestream_service::page::plain_time;
use votestream_service::problem::Problem;
use votestream_votectl::operations::polls::PollWithResults;
use warp::http::StatusCode;
use warp::reply::Response;

use super::visits::reader;
use super::{AppState, Request, problem_of};
use crate::access::Visitor;
use crate::codes;
use crate::order::Task;
use crate::pages::{
    ChangeRow, Frame, ListPage, OptionRow, PollPage, PollRow, Progress, StepRow, problem_page,
    render,
};

/// Answers `GET /`: the polls that the organiser may use.
pub(crate) async fn list(state: &AppState, request: Request) -> Response {
    let frame = state.frame(&request);
    let visitor = match reader(state, &request).await {
        Ok(visitor) => visitor,
        Err(reply) => return *reply,
    };
    let list = match state.desk.list(&visitor.organiser).await {
        Ok(list) => list,
        Err(error) => return problem_page(&frame, &problem_of(&error), Some("/")),
    };
    let time = |time: &Option<String>| time.as_deref().map(plain_time);
    let row = |poll: &votestream_votectl::operations::polls::Listed| PollRow {
        slug: poll.slug.to_string(),
        title: poll.title.clone(),
        state: poll.state,
        voters: poll.voters,
        opens_at: time(&poll.opens_at),
        closes_at: time(&poll.closes_at),
    };
    let polls = list.polls.iter().rev().map(row).collect();
    let Frame { base, words, person } = frame.of(&visitor);
    render(StatusCode::OK, words, &ListPage { base, words, person, polls })
}

/// Answers `GET /polls/{slug}`: the state of a poll, and the tasks that are possible now.
pub(crate) async fn poll(state: &AppState, slug: &str, request: Request) -> Response {
    let frame = state.frame(&request);
    let visitor = match reader(state, &request).await {
        Ok(visitor) => visitor,
        Err(reply) => return *reply,
    };
    match read(state, &visitor, slug).await {
        Ok((poll, steps)) => {
            let done = request.query.split('&').find_map(|part| part.strip_prefix("done="));
            let done = done.and_then(|task| done_words(frame.words, task));
            let page = poll_page(state, frame.of(&visitor), &poll, &steps, done);
            render(StatusCode::OK, request.words, &page)
        }
        Err(problem) => problem_page(&frame, &problem, Some("/")),
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
fn done_words(words: Words, name: &str) -> Option<Cow<'static, str>> {
    let is_known = name == "create" || Task::of_name(name).is_some();
    is_known.then(|| words.text(&format!("host-done-{name}")))
}

fn poll_page(
    state: &AppState,
    frame: Frame,
    shown: &PollWithResults,
    steps: &[StoredStep],
    done: Option<Cow<'static, str>>,
) -> PollPage {
    let Frame { base, words, person } = frame;
    let PollWithResults { poll, results, changes, .. } = shown;
    let time = |ms: Option<i64>| ms.map(|ms| plain_time(&rfc3339(ms)));
    let option = |(option, (votes, share)): (&PollOption, (&i64, Share))| {
        let (sign, tenths) = share.shown();
        OptionRow {
            label: option.label.clone(),
            description: option.description.clone(),
            votes: words.number(votes.unsigned_abs()),
            share: format!("{sign}{}", words.percent(tenths.unsigned_abs())),
        }
    };
    let tally = Tally {
        version: results.version,
        voters: results.voters,
        votes: results.options.iter().map(|option| option.votes).collect(),
    };
    let address = |base: &Option<String>| {
        let base = base.as_deref()?.trim_end_matches('/');
        Some(format!("{base}/polls/{}", poll.slug))
    };
    PollPage {
        base,
        words,
        person,
        done,
        slug: poll.slug.to_string(),
        title: poll.title.clone(),
        state: shown.state,
        as_of: plain_time(&rfc3339(now_ms())),
        tasks: Task::ALL.into_iter().filter(|task| task.is_possible(poll, shown.state)).collect(),
        takes_codes: codes::are_possible(poll, shown.state),
        is_sealed_when_archived: poll.secrecy.secret,
        opens_at: time(poll.opens_at_ms),
        closes_at: time(poll.closes_at_ms),
        visibility: poll.visibility,
        needs_code: poll.voter_policy.needs_code(),
        replaces: poll.vote_policy.replaces(),
        choices_min: poll.choices_min,
        choices_max: poll.choices_max,
        voters: results.voters,
        progress: Progress { is_final: results.is_final, waiting: results.waiting },
        options: poll
            .options
            .iter()
            .zip(tally.votes.iter().zip(tally.shares()))
            .map(option)
            .collect(),
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
