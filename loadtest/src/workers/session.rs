//! The session of one voter: its requests, the replies, and the figures that follow from them.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::http::connection::{Connection, ExchangeError};
use crate::http::endpoint::is_own_fault;
use crate::http::reply::Reply;
use crate::lock::lock;
use crate::measure::clock::{Clock, micros};
use crate::measure::machine::thread_time;
use crate::plan::arrivals::Arrival;
use crate::rng::Rng;
use crate::voters::challenge::{self, Challenge};
use crate::voters::crowd::{Behaviour, Crowd, Voter};
use crate::voters::expected_vote::ExpectedVote;
use crate::voters::outcome::{Outcome, OutcomeClass, RequestKind};
use crate::voters::requests::Requests;
use crate::workers::journal::Journal;
use crate::workers::recorder::{Recorder, Sent, VoterEvent};

/// Everything that the sessions of one worker share.
pub(crate) struct Sessions {
    /// The composers of requests, one for each target.
    pub(crate) requests: Vec<Requests>,
    pub(crate) recorder: Arc<Mutex<Recorder>>,
    pub(crate) crowd: Crowd,
    pub(crate) clock: Clock,
    pub(crate) reply_time_max: Duration,
    pub(crate) journal: Option<Arc<Journal>>,
    /// The end of each phase in µs; empty in the closed model.
    pub(crate) ends_us: Vec<u64>,
    /// A permit for each processor, shared by all workers: more calculations at once would only delay each other.
    pub(crate) solvers: Arc<Semaphore>,
}

/// The most challenges that a voter solves for one ballot. A second one comes if the first has expired meanwhile.
const CHALLENGES_MAX: u32 = 2;

/// Keeps the choice of a target apart from a voter's other random numbers.
const ROUTE_SEED: u64 = 0x0052_4F55_5445;

/// The session of one voter, while it goes on.
struct VoterSession<'a> {
    connection: &'a mut Connection,
    /// The composer for the target of this connection.
    requests: &'a Requests,
    request: &'a mut Vec<u8>,
    voter: Voter,
    expected: ExpectedVote,
    phase: usize,
}

impl Sessions {
    /// Locks the worker's recorder.
    pub(crate) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        lock(&self.recorder)
    }

    /// Plays one voter from its arrival to its end. There is a connection for each target.
    pub(crate) async fn serve(
        &self,
        connections: &mut [Connection],
        request: &mut Vec<u8>,
        arrival: Arrival,
    ) {
        let now_us = self.clock.now_us();
        let phase_end_us = self.ends_us.get(arrival.phase).copied().unwrap_or(u64::MAX);
        self.recorder().start(arrival.due_us, arrival.phase, now_us, phase_end_us);
        let voter = self.crowd.voter(arrival.voter);
        let route = self.route(arrival.voter);
        let connection = &mut connections[route];
        if voter.fresh {
            connection.close();
        }
        let mut session = VoterSession {
            connection,
            requests: &self.requests[route],
            request,
            voter,
            expected: ExpectedVote::default(),
            phase: arrival.phase,
        };
        self.vote(&mut session, arrival.due_us).await;
        let mut recorder = self.recorder();
        if session.expected.certain.is_none() && session.expected.possible.is_some() {
            recorder.note(VoterEvent::Unanswered { clicked_us: arrival.due_us });
        }
        recorder.settle(session.voter.id(), session.expected);
    }

    /// Returns the position of the target of this voter.
    fn route(&self, voter: u64) -> usize {
        match self.requests.len() {
            1 => 0,
            targets => Rng::for_index(self.crowd.seed ^ ROUTE_SEED, voter).below(targets),
        }
    }

    async fn vote(&self, session: &mut VoterSession<'_>, mut due_us: u64) {
        // A browser loads the ballot page first, and its latency counts from there.
        if session.voter.page {
            match self.load_page(session, due_us).await {
                Some(now_us) => due_us = now_us,
                None => return,
            }
        }
        if session.voter.behaviour == Behaviour::Rubbish {
            session.requests.rubbish(session.request, &session.voter);
            self.cast(session, None, RequestKind::Rubbish, due_us).await;
            return;
        }
        let first = session.voter.first;
        let now_us = self.cast(session, Some(first), RequestKind::First, due_us).await;
        // A voter whose first ballot may be stored comes back, if the deployment can recognise it.
        let may_be_in = session.expected != ExpectedVote::default();
        let is_known = session.voter.cookie.is_some() || self.crowd.codes.is_some();
        if session.voter.comes_back() && is_known && may_be_in {
            if session.voter.behaviour == Behaviour::OtherConnection {
                session.connection.close();
            }
            let refusable = !self.crowd.poll.vote_policy.replaces();
            let answered = session.expected.certain.is_some();
            let kind =
                if answered { RequestKind::Second { refusable } } else { RequestKind::Retry };
            let second = session.voter.second;
            self.cast(session, Some(second), kind, now_us).await;
        }
    }

    /// Loads the ballot page for its cookie. Returns the time at which it came, in µs; `None` if it
    /// did not.
    async fn load_page(&self, session: &mut VoterSession<'_>, due_us: u64) -> Option<u64> {
        session.requests.page(session.request, &session.voter);
        let reply = session.connection.exchange(session.request, self.reply_time_max).await;
        self.note_connection(session, reply.as_ref().err());
        let now_us = self.clock.now_us();
        match reply {
            Ok(reply) if reply.status == 200 => {
                keep_cookie(session, &reply);
                self.recorder().page(due_us, now_us);
                Some(now_us)
            }
            failed => {
                let sent = Sent { due_us, phase: session.phase, kind: RequestKind::First };
                self.write(session, Outcome::NoPage, None, None);
                let mut recorder = self.recorder();
                recorder.finish(sent, Outcome::NoPage, now_us);
                recorder.sample(|| match failed {
                    Ok(reply) => {
                        let text = text_of(session.connection, &reply);
                        format!("ballot page: status {} {text}", reply.status)
                    }
                    Err(error) => format!("ballot page: {error}"),
                });
                None
            }
        }
    }

    /// Sends a ballot with these choices, or the request as it stands if there are none, and
    /// records the outcome. Returns the time at which that was known, in µs.
    async fn cast(
        &self,
        session: &mut VoterSession<'_>,
        choices: Option<u64>,
        kind: RequestKind,
        due_us: u64,
    ) -> u64 {
        // Compose and send the request, and once more with the solution of a challenge.
        let mut solution = None;
        let mut challenges_left = CHALLENGES_MAX;
        let reply = loop {
            if let Some(choices) = choices {
                let code = self.crowd.code(session.voter.number);
                let solution = solution.as_deref();
                session.requests.ballot(session.request, &session.voter, choices, code, solution);
            }
            let reply = match session.voter.behaviour {
                Behaviour::HangUp => hang_up(session).await,
                _ => {
                    let exchange =
                        session.connection.exchange(session.request, self.reply_time_max);
                    exchange.await.map(Answer::Reply)
                }
            };
            self.note_connection(session, reply.as_ref().err());
            let Ok(Answer::Reply(answer)) = &reply else { break reply };
            keep_cookie(session, answer);
            if answer.status != 403 || choices.is_none() || challenges_left == 0 {
                break reply;
            }
            challenges_left -= 1;
            let asked = challenge::read(session.connection.text(&answer.body));
            solution = match asked {
                Some(asked) => self.solve(asked).await,
                None => None,
            };
            if solution.is_none() {
                break reply;
            }
        };
        let now_us = self.clock.now_us();
        // Read the reply: the cookie, the stored choices, and whether a 503 says when to retry.
        let mut read = InReply::default();
        let outcome = match &reply {
            Err(error) => outcome_of(error),
            Ok(Answer::HungUp) => Outcome::HungUp,
            Ok(Answer::Reply(reply)) => {
                if reply.status == 409 {
                    read.choices = self.read_choices(session.connection.text(&reply.body));
                }
                if reply.status == 202 && self.journal.is_some() {
                    read.receipt = read_receipt(session.connection.text(&reply.body));
                }
                if reply.status == 503 && !reply.retry_after {
                    self.recorder().unavailable_without_retry_after += 1;
                }
                Outcome::of_status(reply.status, session.voter.form)
            }
        };
        self.enter(
            session,
            choices,
            outcome,
            read,
            Sent { due_us, phase: session.phase, kind },
            now_us,
        );
        if kind.is_error(outcome) {
            self.recorder().sample(|| {
                let text = match &reply {
                    Ok(Answer::Reply(reply)) => text_of(session.connection, reply),
                    Ok(Answer::HungUp) => String::new(),
                    Err(error) => format!("({error})"),
                };
                sample(session.voter.number, kind, outcome, &text)
            });
        }
        now_us
    }

    /// Solves a challenge on a thread of its own, so that the other voters of this worker go on. Returns `None` for one
    /// that cannot be solved.
    async fn solve(&self, asked: Challenge) -> Option<String> {
        self.recorder().challenges.asked += 1;
        let work = match asked {
            Challenge::Work(work) => work,
            Challenge::Impossible(kind) => {
                let challenges = &mut self.recorder().challenges;
                challenges.impossible += 1;
                challenges.impossible_kind.get_or_insert(kind);
                return None;
            }
        };
        let _permit = self.solvers.acquire().await.ok()?;
        let hashes = u64::from(work.hashes);
        let calculated = tokio::task::spawn_blocking(move || {
            let before = thread_time();
            (work.solve(), thread_time().saturating_sub(before))
        });
        let (solution, time) = calculated.await.ok()?;
        let challenges = &mut self.recorder().challenges;
        challenges.solved += 1;
        challenges.hashes += hashes;
        challenges.cpu_us += micros(time);
        Some(solution)
    }

    fn enter(
        &self,
        session: &mut VoterSession<'_>,
        choices: Option<u64>,
        outcome: Outcome,
        read: InReply,
        sent: Sent,
        now_us: u64,
    ) {
        let InReply { choices: choices_in_reply, receipt } = read;
        let before = session.expected;
        // An invalid ballot has no choices, so it stays out of the ledger. If the target counts a
        // vote for it, the audit shows a phantom.
        if let Some(choices) = choices {
            session.expected.enter(self.crowd.poll.vote_policy, choices, outcome, choices_in_reply);
        }
        self.write(session, outcome, choices, receipt);
        let mut recorder = self.recorder();
        recorder.finish(sent, outcome, now_us);
        if before.certain.is_none() && session.expected.certain.is_some() {
            recorder.acknowledge(sent.due_us, now_us);
        }
        if choices_in_reply.is_some()
            && session.expected.certain.is_some()
            && choices_in_reply != session.expected.certain
        {
            recorder.contradicted += 1;
        }
    }

    /// Records a connection that was opened for the last request, or that the machine of the load
    /// tester could not open.
    fn note_connection(&self, session: &mut VoterSession<'_>, error: Option<&ExchangeError>) {
        if let Some(time) = session.connection.take_connect_time() {
            self.recorder().connect_times.record(micros(time));
        }
        if let Some(ExchangeError::Connect(error)) = error
            && is_own_fault(error)
        {
            let mut recorder = self.recorder();
            recorder.own_faults += 1;
            recorder.own_fault.get_or_insert_with(|| error.to_string());
        }
    }

    /// Writes the outcome to the journal, if there is one.
    fn write(
        &self,
        session: &VoterSession<'_>,
        outcome: Outcome,
        choices: Option<u64>,
        receipt: Option<Value>,
    ) {
        if let Some(journal) = &self.journal {
            journal.write(session.voter.id(), outcome, choices, receipt);
        }
    }

    /// Returns the stored choices that an "already voted" reply names, as a bit mask.
    fn read_choices(&self, body: &[u8]) -> Option<u64> {
        #[derive(Deserialize)]
        struct AlreadyVoted {
            choices: Vec<String>,
        }
        let reply: AlreadyVoted = serde_json::from_slice(body).ok()?;
        self.crowd.poll.mask(reply.choices.iter().map(String::as_str))
    }
}

/// The parts of a reply to a ballot that matter beside its status.
#[derive(Default)]
struct InReply {
    /// The stored choices that an "already voted" names, as a bit mask.
    choices: Option<u64>,
    /// The receipt of an accepted ballot, if the journal keeps it.
    receipt: Option<Value>,
}

/// Returns the receipt in the reply to an accepted ballot.
fn read_receipt(body: &[u8]) -> Option<Value> {
    #[derive(Deserialize)]
    struct Accepted {
        receipt: Option<Value>,
    }
    serde_json::from_slice::<Accepted>(body).ok()?.receipt
}

fn keep_cookie(session: &mut VoterSession<'_>, reply: &Reply) {
    if let Some(cookie) = &reply.cookie {
        let cookie = std::str::from_utf8(session.connection.text(cookie));
        session.voter.cookie = cookie.ok().map(Box::from);
    }
}

/// What followed a request.
enum Answer {
    Reply(Reply),
    /// The voter did not wait for a reply.
    HungUp,
}

async fn hang_up(session: &mut VoterSession<'_>) -> Result<Answer, ExchangeError> {
    let sent = session.connection.send(session.request).await;
    session.connection.close();
    sent.map(|()| Answer::HungUp)
}

fn outcome_of(error: &ExchangeError) -> Outcome {
    match error {
        ExchangeError::Connect(_) => Outcome::NotConnected,
        ExchangeError::Timeout => Outcome::TimedOut,
        ExchangeError::Broken(_) => Outcome::Broken,
        ExchangeError::MalformedReply(_) => Outcome::ServerError,
    }
}

/// Returns the address to which a reply redirects, or else the beginning of its body.
fn text_of(connection: &Connection, reply: &Reply) -> String {
    let printable = |range| crate::text::printable(connection.text(range), 200);
    match &reply.location {
        Some(location) if (300..400).contains(&reply.status) => {
            format!("redirected to {}", printable(location))
        }
        _ => printable(&reply.body),
    }
}

fn sample(number: u64, kind: RequestKind, outcome: Outcome, body: &str) -> String {
    let what = match kind {
        RequestKind::First => "first ballot",
        RequestKind::Second { .. } | RequestKind::Retry => "second ballot",
        RequestKind::Rubbish => "rubbish",
    };
    let class = match outcome.class() {
        OutcomeClass::Unsent => "not sent: ",
        _ => "",
    };
    format!("voter {number}, {what}: {class}{} {body}", outcome.label()).trim_end().to_owned()
}
