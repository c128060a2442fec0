//! Serves programs: JSON requests, and JSON or problem details as replies.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use votestream_schema::poll::translations::{LanguageTag, Translations};
use votestream_schema::poll::{PollOption, PollState, Visibility, VotePolicy, VoterPolicy};
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_schema::submission::Submission;
use votestream_schema::{Poll, Slug};
use votestream_service::http;
use votestream_service::listener::Head;
use votestream_service::problem::Problem;
use votestream_transparency::receipt::Receipt;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::{Reply, Response};

use super::{body_of_type, cross_origin, with_cookies};
use crate::receipts::Signed;
use crate::voting::{self, VotingService};

#[derive(Serialize)]
struct AcceptedBody<'a> {
    status: &'static str,
    entry: String,
    choices: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
}

#[derive(Serialize)]
struct PollBody<'a> {
    slug: &'a Slug,
    title: &'a str,
    #[serde(skip_serializing_if = "Translations::is_empty")]
    titles: &'a Translations,
    #[serde(skip_serializing_if = "Option::is_none")]
    lang: Option<&'a LanguageTag>,
    state: PollState,
    options: &'a [PollOption],
    choices_min: u8,
    choices_max: u8,
    shuffle: bool,
    vote_policy: VotePolicy,
    voter_policy: VoterPolicy,
    visibility: Visibility,
    opens_at: Option<String>,
    closes_at: Option<String>,
    your_vote: &'static str,
    your_choices: Option<Vec<&'a str>>,
    token: Option<String>,
}

/// Answers `POST /api/polls/{slug}/ballots`: registers the ballot in the JSON body.
pub(crate) async fn cast(
    voting: Arc<VotingService>,
    slug: String,
    head: Head,
    body: Result<Bytes, Problem>,
) -> Response {
    let prepared = voting.poll(&slug).and_then(|poll| {
        let body = body_of_type("application/json", &head.headers, body)?;
        Ok((poll, parse(&body)?))
    });
    let origin = voting.allowed_origin(&head.headers);
    let (poll, submission) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => {
            voting::count(Some(&problem));
            return cross_origin::share(problem.into_response(), origin);
        }
    };
    let cast = voting.cast(&poll, &submission, head.peer, &head.headers, true).await;
    let response = match cast.outcome {
        Ok(accepted) => accepted_reply(&poll, &accepted),
        Err(problem) => problem.into_response(),
    };
    cross_origin::share(with_cookies(response, cast.cookies), origin)
}

/// Answers `OPTIONS` at the addresses of polls and ballots: whether a page of another site may use them.
pub(crate) fn preflight(
    voting: &VotingService,
    headers: &HeaderMap,
    methods: &'static str,
) -> Response {
    cross_origin::preflight(voting.allowed_origin(headers), methods)
}

/// Answers `GET /api/polls/{slug}`: the poll, and the caller's standing vote if it has one.
pub(crate) async fn poll(voting: Arc<VotingService>, slug: String, head: Head) -> Response {
    let origin = voting.allowed_origin(&head.headers);
    let poll = match voting.poll(&slug) {
        Ok(poll) => poll,
        Err(problem) => return cross_origin::share(problem.into_response(), origin),
    };
    let client = voting.client(head.peer, &head.headers);
    let visitor = voting.visitor(&poll, client, &head.headers);
    let standing = voting.standing(&poll, visitor.voter).await;
    let body = PollBody {
        slug: &poll.slug,
        title: &poll.title,
        titles: &poll.titles,
        lang: poll.lang.as_ref(),
        state: poll.state(now_ms()),
        options: &poll.options,
        choices_min: poll.choices_min,
        choices_max: poll.choices_max,
        shuffle: poll.shuffle,
        vote_policy: poll.vote_policy,
        voter_policy: poll.voter_policy,
        visibility: poll.visibility,
        opens_at: poll.opens_at_ms.map(rfc3339),
        closes_at: poll.closes_at_ms.map(rfc3339),
        your_vote: standing.as_str(),
        your_choices: standing.choices().map(|choices| voting::slugs(&poll, choices)),
        token: visitor.token,
    };
    let reply = http::json(StatusCode::OK, to_json(&body));
    cross_origin::share(with_cookies(reply, visitor.cookie), origin)
}

/// Answers `GET /api/polls/{slug}/receipt` with the receipt of the caller's vote.
pub(crate) async fn receipt(voting: Arc<VotingService>, slug: String, head: Head) -> Response {
    match voting.own_receipt(&slug, &head).await {
        Ok((_, receipt)) => http::json(StatusCode::OK, receipt.to_json()),
        Err(problem) => problem.into_response(),
    }
}

fn parse(body: &[u8]) -> Result<Submission, Problem> {
    Submission::from_json(body).map_err(|error| {
        Problem::malformed(format!("the body is not {{\"choices\": [\"…\"]}}: {error}"))
    })
}

fn accepted_reply(poll: &Poll, accepted: &voting::Accepted) -> Response {
    let body = AcceptedBody {
        status: "accepted",
        entry: accepted.entry.to_string(),
        choices: voting::slugs(poll, accepted.choices),
        receipt: accepted.signed.as_ref().map(Signed::receipt),
    };
    http::json(StatusCode::ACCEPTED, to_json(&body))
}

fn to_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("plain structs of texts and numbers always serialise")
}
