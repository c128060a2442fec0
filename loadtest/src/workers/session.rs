//! One voter's session: the requests it sends, what it makes of the replies, what it tells the recorder.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::Deserialize;

use crate::http::connection::{Connection, ExchangeError};
use crate::http::reply::Reply;
use crate::lock::lock;
use crate::measure::clock::Clock;
use crate::plan::arrivals::Arrival;
use crate::voters::crowd::{Behaviour, Crowd, Voter};
use crate::voters::expected_vote::ExpectedVote;
use crate::voters::outcome::{Outcome, OutcomeClass, RequestKind};
use crate::voters::requests::Requests;
use crate::workers::journal::Journal;
use crate::workers::recorder::{Recorder, Sent, VoterEvent};

/// What visits need of their lane.
pub(crate) struct Sessions {
    pub(crate) requests: Requests,
    pub(crate) recorder: Arc<Mutex<Recorder>>,
    pub(crate) crowd: Crowd,
    pub(crate) clock: Clock,
    pub(crate) reply_time_max: Duration,
    pub(crate) journal: Option<Arc<Journal>>,
    /// Ends of the phases; empty in the closed model.
    pub(crate) ends_us: Vec<u64>,
}

/// A session under way.
struct VoterSession<'a> {
    connection: &'a mut Connection,
    request: &'a mut Vec<u8>,
    voter: Voter,
    expected: ExpectedVote,
    phase: usize,
}

impl Sessions {
    /// The lane's recorder.
    pub(crate) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        lock(&self.recorder)
    }

    /// Plays one voter from arrival to the end.
    pub(crate) async fn serve(
        &self,
        connection: &mut Connection,
        request: &mut Vec<u8>,
        arrival: Arrival,
    ) {
        let now_us = self.clock.now_us();
        let phase_end_us = self.ends_us.get(arrival.phase).copied().unwrap_or(u64::MAX);
        self.recorder().start(arrival.due_us, arrival.phase, now_us, phase_end_us);
        let voter = self.crowd.voter(arrival.voter);
        if voter.fresh {
            connection.close();
        }
        let mut session = VoterSession {
            connection,
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

    async fn vote(&self, session: &mut VoterSession<'_>, mut due_us: u64) {
        if session.voter.page {
            match self.load_page(session, due_us).await {
                Some(now_us) => due_us = now_us,
                None => return,
            }
        }
        if session.voter.behaviour == Behaviour::Rubbish {
            self.requests.rubbish(session.request, &session.voter);
            self.cast(session, None, RequestKind::Rubbish, due_us).await;
            return;
        }
        let first = session.voter.first;
        let now_us = self.cast(session, Some(first), RequestKind::First, due_us).await;
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

    /// Loads the ballot page for its cookie; gives the moment it came.
    async fn load_page(&self, session: &mut VoterSession<'_>, due_us: u64) -> Option<u64> {
        self.requests.page(session.request, &session.voter);
        let reply = session.connection.exchange(session.request, self.reply_time_max).await;
        let now_us = self.clock.now_us();
        match reply {
            Ok(reply) if reply.status == 200 => {
                keep_cookie(session, &reply);
                self.recorder().page(due_us, now_us);
                Some(now_us)
            }
            failed => {
                let sent = Sent { due_us, phase: session.phase, kind: RequestKind::First };
                self.write(session, Outcome::NoPage, None);
                let mut recorder = self.recorder();
                recorder.finish(sent, Outcome::NoPage, now_us);
                recorder.sample(|| match failed {
                    Ok(reply) => format!("ballot page: status {}", reply.status),
                    Err(fault) => format!("ballot page: {fault}"),
                });
                None
            }
        }
    }

    /// Sends a ballot with these choices (or, without, what stands in the request) and enters what
    /// became of it; gives the moment that was known.
    async fn cast(
        &self,
        session: &mut VoterSession<'_>,
        choices: Option<u64>,
        kind: RequestKind,
        due_us: u64,
    ) -> u64 {
        if let Some(choices) = choices {
            let code = self.crowd.code(session.voter.number);
            self.requests.ballot(session.request, &session.voter, choices, code);
        }
        let reply = match session.voter.behaviour {
            Behaviour::HangUp => Err(hang_up(session).await),
            _ => session
                .connection
                .exchange(session.request, self.reply_time_max)
                .await
                .map_err(outcome_of),
        };
        let now_us = self.clock.now_us();
        let mut choices_in_reply = None;
        let outcome = match &reply {
            Err(outcome) => *outcome,
            Ok(reply) => {
                keep_cookie(session, reply);
                if reply.status == 409 {
                    choices_in_reply = self.read_choices(session.connection.text(&reply.body));
                }
                if reply.status == 503 && !reply.retry_after {
                    self.recorder().unavailable_without_retry_after += 1;
                }
                Outcome::of_status(reply.status)
            }
        };
        self.enter(
            session,
            choices,
            outcome,
            choices_in_reply,
            Sent { due_us, phase: session.phase, kind },
            now_us,
        );
        if kind.is_error(outcome) {
            let body = reply.map(|reply| {
                String::from_utf8_lossy(session.connection.text(&reply.body)).into_owned()
            });
            self.recorder()
                .sample(|| sample(session.voter.number, kind, outcome, &body.unwrap_or_default()));
        }
        now_us
    }

    fn enter(
        &self,
        session: &mut VoterSession<'_>,
        choices: Option<u64>,
        outcome: Outcome,
        choices_in_reply: Option<u64>,
        sent: Sent,
        now_us: u64,
    ) {
        let before = session.expected;
        // Rubbish that is taken for a ballot is nobody's choice: it stays out of the ledger, and
        // what the target counts for it shows up as a phantom.
        if let Some(choices) = choices {
            session.expected.enter(self.crowd.poll.vote_policy, choices, outcome, choices_in_reply);
        }
        self.write(session, outcome, choices);
        let mut recorder = self.recorder();
        recorder.finish(sent, outcome, now_us);
        if before.certain.is_none() && session.expected.certain.is_some() {
            let clicked_us = sent.due_us;
            recorder.note(VoterEvent::Acknowledged { clicked_us, acknowledged_us: now_us });
        }
        if choices_in_reply.is_some()
            && session.expected.certain.is_some()
            && choices_in_reply != session.expected.certain
        {
            recorder.contradicted += 1;
        }
    }

    /// Tells whoever reads along.
    fn write(&self, session: &VoterSession<'_>, outcome: Outcome, choices: Option<u64>) {
        if let Some(journal) = &self.journal {
            journal.write(session.voter.id(), outcome, choices);
        }
    }

    /// The choices that stand, from an "already voted".
    fn read_choices(&self, body: &[u8]) -> Option<u64> {
        #[derive(Deserialize)]
        struct AlreadyVoted {
            choices: Vec<String>,
        }
        let choices_in_reply: AlreadyVoted = serde_json::from_slice(body).ok()?;
        self.crowd.poll.mask(choices_in_reply.choices.iter().map(String::as_str))
    }
}

fn keep_cookie(session: &mut VoterSession<'_>, reply: &Reply) {
    if let Some(cookie) = &reply.cookie {
        let cookie = std::str::from_utf8(session.connection.text(cookie));
        session.voter.cookie = cookie.ok().map(Box::from);
    }
}

async fn hang_up(session: &mut VoterSession<'_>) -> Outcome {
    let sent = session.connection.send(session.request).await;
    session.connection.close();
    sent.map_or_else(outcome_of, |()| Outcome::HungUp)
}

#[expect(clippy::needless_pass_by_value, reason = "used as a mapping of errors")]
fn outcome_of(fault: ExchangeError) -> Outcome {
    match fault {
        ExchangeError::Connect(_) => Outcome::NotConnected,
        ExchangeError::Timeout => Outcome::TimedOut,
        ExchangeError::Broken(_) => Outcome::Broken,
        ExchangeError::MalformedReply(_) => Outcome::ServerError,
    }
}

fn sample(number: u64, kind: RequestKind, outcome: Outcome, body: &str) -> String {
    let what = match kind {
        RequestKind::First => "first ballot",
        RequestKind::Second { .. } | RequestKind::Retry => "second ballot",
        RequestKind::Rubbish => "rubbish",
    };
    let body: String = body.chars().take(200).collect();
    let class = match outcome.class() {
        OutcomeClass::Unsent => "not sent: ",
        _ => "",
    };
    format!("voter {number}, {what}: {class}{} {body}", outcome.label()).trim_end().to_owned()
}
