//! The booth: everything between a parsed request and its verdict.
//!
//! Knows polls, voters and the register; knows nothing of HTML or JSON.

use std::sync::{Arc, LazyLock};

use votestream_schema::code::Code;
use votestream_schema::poll::{VoterPolicy, now_ms, rfc3339};
use votestream_schema::submission::Submission;
use votestream_schema::voter::Identity;
use votestream_schema::{Ballot, BallotId, Choices, EntryId, Poll, PollState, VoterId};
use votestream_service::listener::PeerAddr;
use votestream_service::metric::CounterHandle;
use votestream_service::problem::Problem;
use votestream_service::redis::Pool;
use votestream_service::trace::{self, Span};
use warp::http::{HeaderMap, HeaderValue, StatusCode};

use crate::catalog::Catalog;
use crate::client::{Client, Trust};
use crate::cookie_keys::CookieKeys;
use crate::durability::Promise;
use crate::identity;
use crate::limiter::Limiter;
use crate::metrics;
use crate::publisher::Publisher;
use crate::register::{Register, Registration, Verdict};

/// What handlers share.
pub(crate) struct Booth {
    pub(crate) catalog: Catalog,
    pub(crate) publisher: Publisher,
    pub(crate) promise: Promise,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) trust: Trust,
    pub(crate) cookie_keys: CookieKeys,
    pub(crate) register: Register,
    pub(crate) pool: Pool,
    pub(crate) partitions: u16,
    pub(crate) default_poll: String,
    pub(crate) results_url: Option<String>,
}

/// A ballot that is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) entry: EntryId,
    pub(crate) choices: Choices,
}

/// The outcome, and the cookie that goes with it whatever the outcome.
pub(crate) struct Cast {
    pub(crate) outcome: Result<Accepted, Problem>,
    pub(crate) cookie: Option<HeaderValue>,
}

impl Cast {
    fn refused(problem: Problem) -> Self {
        Self { outcome: Err(problem), cookie: None }
    }
}

impl Booth {
    /// The poll with this slug.
    pub(crate) fn poll(&self, slug: &str) -> Result<Arc<Poll>, Problem> {
        self.catalog.get(slug).ok_or_else(|| {
            if self.catalog.is_loaded() {
                Problem::unknown_poll(slug)
            } else {
                Problem::unavailable("the polls are not known yet")
            }
        })
    }

    /// The client of a request.
    pub(crate) fn client(&self, peer: PeerAddr, headers: &HeaderMap) -> Client {
        self.trust.client(peer, headers)
    }

    /// The voter's choices that stand, as far as Redis tells: pages do without rather than fail.
    pub(crate) async fn standing(&self, poll: &Poll, voter: VoterId) -> Option<Choices> {
        let ask = self.register.ask_standing(voter.partition(self.partitions), poll.id, voter);
        let mut connection = self.pool.get().await.ok()?;
        let answer: Option<String> = ask.query_async(&mut *connection).await.ok()?;
        Register::read_standing(answer.as_deref())
    }

    /// Who a page is shown to: the voter its cookies name, or a new one with the cookie to set. A
    /// network that brings too many new voters is shown the page without one.
    pub(crate) fn visitor(
        &self,
        poll: &Poll,
        client: Client,
        headers: &HeaderMap,
    ) -> (Option<VoterId>, Option<HeaderValue>) {
        let now_s = now_ms() / 1_000;
        match identity::read(&self.cookie_keys.ring(), poll, headers, now_s, client.secure) {
            Identity::Known(voter) => (Some(voter), None),
            _ if poll.voter_policy == VoterPolicy::Code => (None, None),
            _ if !self.limiter.lets_pass(client.address) => (None, None),
            _ => (None, Some(self.cookie(poll, VoterId::new(), now_s, client))),
        }
    }

    /// Registers one ballot.
    pub(crate) async fn cast(
        &self,
        poll: &Poll,
        submission: &Submission,
        peer: PeerAddr,
        headers: &HeaderMap,
    ) -> Cast {
        let cast = self.cast_unmeasured(poll, submission, peer, headers).await;
        count(cast.outcome.as_ref().err());
        cast
    }

    async fn cast_unmeasured(
        &self,
        poll: &Poll,
        submission: &Submission,
        peer: PeerAddr,
        headers: &HeaderMap,
    ) -> Cast {
        if self.trust.is_cross_site(peer, headers) {
            return Cast::refused(cross_site());
        }
        if poll.archived_at_ms.is_some() {
            return Cast::refused(not_open(poll));
        }
        let choices = match poll.choose(submission.choices.iter().map(String::as_str)) {
            Ok(choices) => choices,
            Err(invalid) => return Cast::refused(invalid_choice(invalid.to_string())),
        };
        let client = self.client(peer, headers);
        let (voter, cookie) = match self.voter(poll, submission.code.as_deref(), client, headers) {
            Ok(found) => found,
            Err(refused) => return *refused,
        };
        if !self.promise.is_kept() {
            let problem = Problem::unavailable("ballots cannot be stored safely at the moment");
            return Cast { outcome: Err(problem), cookie };
        }
        let ballot = Ballot { poll: poll.id, voter, id: BallotId::new(), choices };
        let replaces = poll.vote_policy.replaces();
        let caller = trace::traceparent(headers);
        let mut span = Span::of_request("cast ballot", caller);
        // Whoever asked to be traced is followed by a consumer that traces, even if we do not.
        let trace = if trace::is_on() { span.traceparent() } else { caller.map(str::to_owned) };
        let answer = self.publisher.publish(Registration { ballot, trace, replaces }).await;
        let outcome = match answer {
            Ok(Verdict::Accepted(entry)) => {
                tracing::debug!(poll = %poll.slug, %entry, "ballot accepted");
                span.set("votestream.poll", &poll.id);
                span.set("votestream.entry", &entry);
                Ok(Accepted { entry, choices })
            }
            Ok(Verdict::AlreadyVoted { choices, .. }) => Err(already_voted(poll, choices)),
            Ok(Verdict::NotOpen) => Err(not_open(poll)),
            Ok(Verdict::BadCode) => return Cast::refused(bad_code()),
            Ok(Verdict::UnknownPoll) => {
                Err(Problem::unavailable("this poll is being set up; try again in a moment"))
            }
            Ok(Verdict::Full) => {
                Err(Problem::unavailable("more ballots wait to be counted than may").retry_after(5))
            }
            Err(unavailable) => {
                span.fail("not stored");
                Err(Problem::unavailable(format!(
                    "your vote could not be stored; it is safe to try again ({unavailable})"
                )))
            }
        };
        Cast { outcome, cookie }
    }

    /// Whose ballot this is, and the cookie to set.
    fn voter(
        &self,
        poll: &Poll,
        code: Option<&str>,
        client: Client,
        headers: &HeaderMap,
    ) -> Result<(VoterId, Option<HeaderValue>), Box<Cast>> {
        let refuse = |problem| Box::new(Cast::refused(problem));
        let now_s = now_ms() / 1_000;
        let identity =
            identity::read(&self.cookie_keys.ring(), poll, headers, now_s, client.secure);
        if poll.voter_policy == VoterPolicy::Code {
            return match (code.filter(|code| !code.trim().is_empty()), identity) {
                (Some(code), _) => {
                    let code = Code::parse(code).ok_or_else(|| refuse(bad_code()))?;
                    let voter = code.voter(poll.id);
                    Ok((voter, Some(self.cookie(poll, voter, now_s, client))))
                }
                (None, Identity::Known(voter)) => Ok((voter, None)),
                (None, _) => Err(refuse(bad_code())),
            };
        }
        match identity {
            Identity::Known(voter) => Ok((voter, None)),
            Identity::Invalid(error) => {
                let detail =
                    format!("{error}; it has been removed, reload the page and vote again");
                let cookie = Some(identity::clear_cookie(poll, client.secure));
                Err(Box::new(Cast { outcome: Err(Problem::malformed(detail)), cookie }))
            }
            Identity::New if !self.limiter.lets_pass(client.address) => {
                Err(refuse(too_many_new_voters()))
            }
            Identity::New => {
                let voter = VoterId::new();
                Ok((voter, Some(self.cookie(poll, voter, now_s, client))))
            }
        }
    }

    fn cookie(&self, poll: &Poll, voter: VoterId, now_s: i64, client: Client) -> HeaderValue {
        identity::set_cookie(&self.cookie_keys.ring(), poll, voter, now_s, client.secure)
    }
}

/// Counts a ballot's outcome; problems met before the booth are counted by the handlers.
pub(crate) fn count(problem: Option<&Problem>) {
    // Looking a counter up by its labels costs more than counting; most ballots are accepted.
    static ACCEPTED: LazyLock<CounterHandle> =
        LazyLock::new(|| metrics::BALLOTS.with(["accepted"]));
    match problem {
        None => ACCEPTED.increment(1),
        Some(problem) => metrics::BALLOTS.with([problem.name]).increment(1),
    }
}

/// The slugs of the options chosen.
pub(crate) fn slugs(poll: &Poll, choices: Choices) -> Vec<&str> {
    poll.chosen(choices).map(|option| option.slug.as_str()).collect()
}

fn cross_site() -> Problem {
    let detail = "ballots are taken from this site's own pages only";
    Problem::new("cross-site", StatusCode::FORBIDDEN, "Not from this site", detail)
}

fn invalid_choice(detail: String) -> Problem {
    Problem::new("invalid-choice", StatusCode::UNPROCESSABLE_ENTITY, "Not a valid choice", detail)
}

fn bad_code() -> Problem {
    let detail = "this poll needs a valid voting code, of the form XXXX-XXXX-XXXX-XXXX";
    Problem::new("bad-code", StatusCode::FORBIDDEN, "No valid voting code", detail)
}

fn too_many_new_voters() -> Problem {
    let detail = "very many new voters come from your network; try again in a minute";
    Problem::new(
        "too-many-new-voters",
        StatusCode::TOO_MANY_REQUESTS,
        "Too many new voters",
        detail,
    )
    .retry_after(60)
}

fn already_voted(poll: &Poll, choices: Choices) -> Problem {
    let labels: Vec<&str> = poll.chosen(choices).map(|option| option.label.as_str()).collect();
    let detail = format!("your vote for {} stands", labels.join(", "));
    Problem::new("already-voted", StatusCode::CONFLICT, "You have already voted", detail)
        .with("choices", slugs(poll, choices))
}

fn not_open(poll: &Poll) -> Problem {
    let state = poll.state(now_ms());
    let detail = match state {
        PollState::Scheduled => "this poll has not opened yet",
        _ => "this poll takes no ballots now",
    };
    Problem::new("not-open", StatusCode::FORBIDDEN, "Voting is not open", detail)
        .with("state", state.as_str())
        .with("opens_at", poll.opens_at_ms.map(rfc3339))
        .with("closes_at", poll.closes_at_ms.map(rfc3339))
}
