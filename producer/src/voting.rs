//! Decides on ballots: everything between a parsed request and its verdict.
//!
//! This module knows polls, voters and the register, and knows nothing of HTML or JSON.

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
use warp::http::{HeaderMap, HeaderValue};

use crate::catalog::Catalog;
use crate::client::{Client, Trust};
use crate::cookie_keys::CookieKeys;
use crate::durability::DurabilityStatus;
use crate::identity;
use crate::limiter::Limiter;
use crate::metrics;
use crate::problems::{
    ALREADY_VOTED, BAD_CODE, CROSS_SITE, INVALID_CHOICE, NOT_OPEN, TOO_MANY_NEW_VOTERS,
};
use crate::publisher::Publisher;
use crate::register::{Register, Registration, Verdict};

/// Everything that handlers need to show a poll and to register a ballot; one per process.
pub(crate) struct VotingService {
    /// This replica's copy of the polls.
    pub(crate) catalog: Catalog,
    /// Stores ballots in Redis.
    pub(crate) publisher: Publisher,
    /// Whether Redis stores ballots as durably as configured.
    pub(crate) durability: DurabilityStatus,
    /// Limits new voters per client network.
    pub(crate) limiter: Arc<Limiter>,
    /// Decides which headers of a request are believed.
    pub(crate) trust: Trust,
    /// Keys that sign voter cookies.
    pub(crate) cookie_keys: CookieKeys,
    /// Reads standing votes, for pages.
    pub(crate) register: Register,
    /// Connections that pages share; ballots use those of the publisher.
    pub(crate) pool: Pool,
    /// The deployment's number of partitions.
    pub(crate) partitions: u16,
    /// Slug of the poll shown at `/`.
    pub(crate) default_poll: String,
    /// Address of the dashboard, which the ballot page links to.
    pub(crate) results_url: Option<String>,
}

/// A ballot that Redis has stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) entry: EntryId,
    pub(crate) choices: Choices,
}

/// The outcome of one ballot, and the cookie to set with either outcome.
pub(crate) struct CastResult {
    pub(crate) outcome: Result<Accepted, Problem>,
    pub(crate) cookie: Option<HeaderValue>,
}

impl CastResult {
    fn refused(problem: Problem) -> Self {
        Self { outcome: Err(problem), cookie: None }
    }
}

impl VotingService {
    /// Returns the poll with this slug, or the problem that there is none.
    pub(crate) fn poll(&self, slug: &str) -> Result<Arc<Poll>, Problem> {
        self.catalog.get(slug).ok_or_else(|| {
            if self.catalog.is_loaded() {
                Problem::unknown_poll(slug)
            } else {
                Problem::unavailable("the polls are not known yet")
            }
        })
    }

    /// Returns address and transport of the client that sent a request.
    pub(crate) fn client(&self, peer: PeerAddr, headers: &HeaderMap) -> Client {
        self.trust.client(peer, headers)
    }

    /// Asks Redis for the voter's standing vote. Returns `None` also when Redis is away, because a page
    /// without it is better than none.
    pub(crate) async fn standing(&self, poll: &Poll, voter: VoterId) -> Option<Choices> {
        let query = self.register.standing_query(voter.partition(self.partitions), poll.id, voter);
        let mut connection = self.pool.get().await.ok()?;
        let answer: Option<String> = query.query_async(&mut *connection).await.ok()?;
        Register::read_standing(answer.as_deref())
    }

    /// Identifies the voter whom a page is shown to. Returns the voter whom the cookies name, or else the
    /// cookie of a new voter, which is withheld from a network that brings too many.
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

    /// Registers one ballot and counts its outcome in the metrics.
    pub(crate) async fn cast(
        &self,
        poll: &Poll,
        submission: &Submission,
        peer: PeerAddr,
        headers: &HeaderMap,
    ) -> CastResult {
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
    ) -> CastResult {
        // Refuse whatever can be refused without asking Redis.
        if self.trust.is_cross_site(peer, headers) {
            return CastResult::refused(cross_site());
        }
        if poll.archived_at_ms.is_some() {
            return CastResult::refused(not_open(poll));
        }
        let choices = match poll.choose(submission.choices.iter().map(String::as_str)) {
            Ok(choices) => choices,
            Err(invalid) => return CastResult::refused(invalid_choice(invalid.to_string())),
        };
        let client = self.client(peer, headers);
        let (voter, cookie) = match self.voter(poll, submission.code.as_deref(), client, headers) {
            Ok(found) => found,
            Err(refused) => return *refused,
        };
        // Never say yes while Redis is not set up to keep ballots.
        if !self.durability.is_met() {
            let problem = Problem::unavailable("ballots cannot be stored safely at the moment");
            return CastResult { outcome: Err(problem), cookie };
        }
        // Register the ballot, in a span that continues the caller's trace.
        let ballot = Ballot { poll: poll.id, voter, id: BallotId::new(), choices };
        let replaces = poll.vote_policy.replaces();
        let caller = trace::traceparent(headers);
        let mut span = Span::of_request("cast ballot", caller);
        // A caller's trace reaches the consumer even while this service records none.
        let trace = if trace::is_on() { span.traceparent() } else { caller.map(str::to_owned) };
        let answer = self.publisher.publish(Registration { ballot, trace, replaces }).await;
        // Translate the verdict.
        let outcome = match answer {
            Ok(Verdict::Accepted(entry)) => {
                tracing::debug!(poll = %poll.slug, %entry, "ballot accepted");
                span.set("votestream.poll", &poll.id);
                span.set("votestream.entry", &entry);
                Ok(Accepted { entry, choices })
            }
            Ok(Verdict::AlreadyVoted { choices, .. }) => Err(already_voted(poll, choices)),
            Ok(Verdict::NotOpen) => Err(not_open(poll)),
            Ok(Verdict::BadCode) => return CastResult::refused(bad_code()),
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
        CastResult { outcome, cookie }
    }

    /// Returns the voter of a ballot and the cookie to set, or the refusal of the ballot.
    fn voter(
        &self,
        poll: &Poll,
        code: Option<&str>,
        client: Client,
        headers: &HeaderMap,
    ) -> Result<(VoterId, Option<HeaderValue>), Box<CastResult>> {
        let refuse = |problem| Box::new(CastResult::refused(problem));
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
                Err(Box::new(CastResult { outcome: Err(Problem::malformed(detail)), cookie }))
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

/// Counts a ballot's outcome. Handlers call it for ballots that they refuse before [`VotingService::cast`].
pub(crate) fn count(problem: Option<&Problem>) {
    // Looking up a counter by its labels costs more than counting, and most ballots are accepted.
    static ACCEPTED: LazyLock<CounterHandle> =
        LazyLock::new(|| metrics::BALLOTS.with(["accepted"]));
    match problem {
        None => ACCEPTED.increment(1),
        Some(problem) => metrics::BALLOTS.with([problem.kind.name]).increment(1),
    }
}

/// Returns the slugs of the chosen options, in ballot order.
pub(crate) fn slugs(poll: &Poll, choices: Choices) -> Vec<&str> {
    poll.chosen(choices).map(|option| option.slug.as_str()).collect()
}

fn cross_site() -> Problem {
    let detail = "ballots are taken from this site's own pages only";
    Problem::new(&CROSS_SITE, detail)
}

fn invalid_choice(detail: String) -> Problem {
    Problem::new(&INVALID_CHOICE, detail)
}

fn bad_code() -> Problem {
    let detail = "this poll needs a valid voting code, of the form XXXX-XXXX-XXXX-XXXX";
    Problem::new(&BAD_CODE, detail)
}

fn too_many_new_voters() -> Problem {
    let detail = "very many new voters come from your network; try again in a minute";
    Problem::new(&TOO_MANY_NEW_VOTERS, detail).retry_after(60)
}

fn already_voted(poll: &Poll, choices: Choices) -> Problem {
    let labels: Vec<&str> = poll.chosen(choices).map(|option| option.label.as_str()).collect();
    let detail = format!("your vote for {} stands", labels.join(", "));
    Problem::new(&ALREADY_VOTED, detail).with("choices", slugs(poll, choices))
}

fn not_open(poll: &Poll) -> Problem {
    let state = poll.state(now_ms());
    let detail = match state {
        PollState::Scheduled => "this poll has not opened yet",
        _ => "this poll takes no ballots now",
    };
    Problem::new(&NOT_OPEN, detail)
        .with("state", state.as_str())
        .with("opens_at", poll.opens_at_ms.map(rfc3339))
        .with("closes_at", poll.closes_at_ms.map(rfc3339))
}
