//! Serves people: HTML pages and plain forms, which work without JavaScript.

use std::sync::Arc;

use bytes::Bytes;
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_schema::submission::Submission;
use votestream_schema::{Choices, Poll};
use votestream_service::http;
use votestream_service::listener::Head;
use votestream_service::page::{self, render, sentence};
use votestream_service::problem::Problem;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use super::{body_of_type, with_cookies};
use crate::config::ChallengeMode;
use crate::pages::{BallotPage, Notice, NoticeKind, OptionView};
use crate::problems::CHALLENGE_REQUIRED;
use crate::voting::{self, Standing, Visitor, VotingService};

/// Answers `GET /` and `GET /polls/{slug}` with the ballot; `slug` is `None` for `/`.
pub(crate) async fn page(voting: Arc<VotingService>, slug: Option<String>, head: Head) -> Response {
    let poll = match voting.poll(slug.as_deref().unwrap_or(&voting.default_poll)) {
        Ok(poll) => poll,
        Err(problem) => return problem_page(&problem, None),
    };
    let client = voting.client(head.peer, &head.headers);
    let visitor = voting.visitor(&poll, client, &head.headers);
    let standing = voting.standing(&poll, visitor.voter).await;
    let page = ballot_page(&voting, &poll, slug.as_deref(), standing, &visitor);
    with_cookies(show(&voting, StatusCode::OK, &page), visitor.cookie)
}

/// Returns a ballot page, which may load the script of another service if challenges need it.
fn show(voting: &VotingService, status: StatusCode, page: &BallotPage) -> Response {
    let mut response = render(status, page);
    if let Some(origins) = voting.challenges.script_origins() {
        http::allow_scripts_of(&mut response, origins);
    }
    response
}

/// Answers `POST /` and `POST /polls/{slug}`: registers the ballot of a form, and redirects to the page.
pub(crate) async fn cast(
    voting: Arc<VotingService>,
    slug: Option<String>,
    head: Head,
    body: Result<Bytes, Problem>,
) -> Response {
    let path = path_of(slug.as_deref());
    let prepared = voting.poll(slug.as_deref().unwrap_or(&voting.default_poll)).and_then(|poll| {
        let media_type = "application/x-www-form-urlencoded";
        Ok((poll, body_of_type(media_type, &head.headers, body)?))
    });
    let (poll, body) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => {
            voting::count(Some(&problem));
            return problem_page(&problem, Some(path));
        }
    };
    let submission = Submission::from_form(&body);
    if submission.forget {
        let client = voting.client(head.peer, &head.headers);
        return with_cookies(see_other(&path), voting.forget(&poll, client, &head.headers));
    }
    let cast = voting.cast(&poll, &submission, head.peer, &head.headers).await;
    let slug = slug.as_deref();
    let response = match cast.outcome {
        // A browser that keeps no cookies would show an empty ballot after a redirect.
        Ok(accepted) if submission.token.is_some() && !cast.has_cookie => {
            let vote = Standing::Stands(accepted.choices);
            let visitor = Visitor {
                token: submission.token,
                is_remembered: submission.remember,
                ..Visitor::default()
            };
            show(&voting, StatusCode::OK, &ballot_page(&voting, &poll, slug, vote, &visitor))
        }
        Ok(_) => see_other(&path),
        Err(problem) => {
            let client = voting.client(head.peer, &head.headers);
            let visitor =
                voting.visitor_after(&poll, cast.voter, &submission, client, &head.headers);
            let vote = match stated_choices(&poll, &problem) {
                Some(choices) => Standing::Stands(choices),
                None => voting.standing(&poll, visitor.voter).await,
            };
            let page = ballot_page(&voting, &poll, slug, vote, &visitor);
            let cookies = match cast.cookies.is_empty() {
                true => visitor.cookie.into_iter().collect(),
                false => cast.cookies,
            };
            return with_cookies(refused_page(&voting, page, &problem), cookies);
        }
    };
    with_cookies(response, cast.cookies)
}

/// Returns the page for a problem that belongs to no poll; `back` is the path of a ballot to link to.
fn problem_page(problem: &Problem, back: Option<String>) -> Response {
    page::problem(problem, "ballot.css", back.map(|path| (path, "Back to the ballot")))
}

/// Returns the standing vote that a problem names.
fn stated_choices(poll: &Poll, problem: &Problem) -> Option<Choices> {
    let slugs = problem.extensions.get("choices")?.as_array()?;
    poll.choose(slugs.iter().filter_map(|slug| slug.as_str())).ok()
}

/// Returns the ballot page with a notice that describes the problem.
fn refused_page(voting: &VotingService, mut page: BallotPage, problem: &Problem) -> Response {
    let stands = problem.extensions.contains_key("choices");
    // A page with JavaScript does not send this form.
    let detail = match problem.kind.name == CHALLENGE_REQUIRED.name {
        true => without_script(page.asks_everybody),
        false => problem.detail.as_str(),
    };
    page.notice = Some(Notice {
        kind: if stands { NoticeKind::Info } else { NoticeKind::Error },
        title: problem.kind.title.to_owned(),
        detail: sentence(detail),
    });
    problem.mark(show(voting, problem.kind.status, &page))
}

/// Says to a person without JavaScript why the ballot is not stored.
fn without_script(asks_everybody: bool) -> &'static str {
    match asks_everybody {
        true => {
            "Your vote is not stored. Before it takes a vote, this poll has to check that no program votes many times, and \
             that needs JavaScript. Switch JavaScript on for this page, or use another browser, and vote again."
        }
        false => {
            "Your vote is not stored. Very many new voters come at the moment, so the service has to check that no program \
             votes many times, and that needs JavaScript. Switch JavaScript on for this page, or use another browser, and \
             vote again. Without JavaScript, try again in a few minutes."
        }
    }
}

fn ballot_page(
    voting: &VotingService,
    poll: &Poll,
    slug: Option<&str>,
    vote: Standing,
    visitor: &Visitor,
) -> BallotPage {
    let standing = vote.choices();
    let needs_code = poll.voter_policy.needs_code();
    // On a shared device the next person must not find the choices of the last one in the form.
    let prefilled = standing.filter(|_| !needs_code || visitor.is_remembered);
    let chosen = |position| prefilled.is_some_and(|choices| choices.mask() >> position & 1 == 1);
    let options = poll.options.iter().enumerate().map(|(position, option)| OptionView {
        slug: option.slug.to_string(),
        label: option.label.clone(),
        description: option.description.clone(),
        colour: option.colour.clone(),
        chosen: chosen(position),
    });
    let results_url = voting.results_url.as_deref().map(|url| match slug {
        Some(slug) => format!("{}/polls/{slug}", url.trim_end_matches('/')),
        None => url.to_owned(),
    });
    BallotPage {
        title: poll.title.clone(),
        slug: poll.slug.to_string(),
        action: path_of(slug),
        state: poll.state(now_ms()).to_string(),
        options: options.collect(),
        choices_min: poll.choices_min.into(),
        choices_max: poll.choices_max.into(),
        replace: poll.vote_policy.replaces(),
        needs_code,
        is_remembered: visitor.is_remembered,
        your_choices: standing.map_or_else(Vec::new, |choices| {
            poll.chosen(choices).map(|option| option.label.clone()).collect()
        }),
        opens_at: poll.opens_at_ms.map(rfc3339),
        closes_at: poll.closes_at_ms.map(rfc3339),
        results_url,
        notice: None,
        token: visitor.token.clone(),
        vote_is_unknown: vote == Standing::Unknown,
        vote_is_not_kept: vote == Standing::NotKept,
        asks_everybody: !needs_code && voting.challenges.mode() == ChallengeMode::Always,
        is_secret: poll.secrecy.secret,
    }
}

fn path_of(slug: Option<&str>) -> String {
    slug.map_or_else(|| "/".to_owned(), |slug| format!("/polls/{slug}"))
}

fn see_other(path: &str) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    let path = HeaderValue::try_from(path).expect("the path of a known poll is a slug");
    response.headers_mut().insert(header::LOCATION, path);
    response
}
