//! One voter's visit: the requests it sends, what it makes of the replies, what it tells the books.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::Deserialize;

use crate::arrivals::Arrival;
use crate::clock::Clock;
use crate::connection::{Connection, Fault};
use crate::journal::Journal;
use crate::lane::lock;
use crate::ledger::Standing;
use crate::outcome::{Class, Kind, Outcome};
use crate::recorder::{Recorder, Sent};
use crate::reply::Reply;
use crate::request::Requests;
use crate::screen::News;
use crate::voter::{Crowd, Manner, Voter};

/// What visits need of their lane.
pub(crate) struct Visits {
    pub(crate) requests: Requests,
    pub(crate) recorder: Arc<Mutex<Recorder>>,
    pub(crate) crowd: Crowd,
    pub(crate) clock: Clock,
    pub(crate) reply_time_max: Duration,
    pub(crate) journal: Option<Arc<Journal>>,
    /// Ends of the phases; empty in the closed model.
    pub(crate) ends_us: Vec<u64>,
}

/// A visit under way.
struct Visit<'a> {
    connection: &'a mut Connection,
    request: &'a mut Vec<u8>,
    voter: Voter,
    standing: Standing,
    phase: usize,
}

impl Visits {
    /// The lane's books.
    pub(crate) fn books(&self) -> MutexGuard<'_, Recorder> {
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
        self.books().start(arrival.due_us, arrival.phase, now_us, phase_end_us);
        let voter = self.crowd.voter(arrival.voter);
        if voter.fresh {
            connection.close();
        }
        let mut visit = Visit {
            connection,
            request,
            voter,
            standing: Standing::default(),
            phase: arrival.phase,
        };
        self.vote(&mut visit, arrival.due_us).await;
        let mut books = self.books();
        if visit.standing.certain.is_none() && visit.standing.possible.is_some() {
            books.tell(News::Unanswered { clicked_us: arrival.due_us });
        }
        books.settle(visit.voter.id(), visit.standing);
    }

    async fn vote(&self, visit: &mut Visit<'_>, mut due_us: u64) {
        if visit.voter.page {
            match self.load_page(visit, due_us).await {
                Some(now_us) => due_us = now_us,
                None => return,
            }
        }
        if visit.voter.manner == Manner::Rubbish {
            self.requests.rubbish(visit.request, &visit.voter);
            self.cast(visit, None, Kind::Rubbish, due_us).await;
            return;
        }
        let first = visit.voter.first;
        let now_us = self.cast(visit, Some(first), Kind::First, due_us).await;
        let may_be_in = visit.standing != Standing::default();
        let is_known = visit.voter.cookie.is_some() || self.crowd.codes.is_some();
        if visit.voter.comes_back() && is_known && may_be_in {
            if visit.voter.manner == Manner::OtherConnection {
                visit.connection.close();
            }
            let refusable = !self.crowd.poll.vote_policy.replaces();
            let answered = visit.standing.certain.is_some();
            let kind = if answered { Kind::Second { refusable } } else { Kind::Retry };
            let second = visit.voter.second;
            self.cast(visit, Some(second), kind, now_us).await;
        }
    }

    /// Loads the ballot page for its cookie; gives the moment it came.
    async fn load_page(&self, visit: &mut Visit<'_>, due_us: u64) -> Option<u64> {
        self.requests.page(visit.request, &visit.voter);
        let reply = visit.connection.exchange(visit.request, self.reply_time_max).await;
        let now_us = self.clock.now_us();
        match reply {
            Ok(reply) if reply.status == 200 => {
                keep_cookie(visit, &reply);
                self.books().page(due_us, now_us);
                Some(now_us)
            }
            failed => {
                let sent = Sent { due_us, phase: visit.phase, kind: Kind::First };
                self.write(visit, Outcome::NoPage, None);
                let mut books = self.books();
                books.finish(sent, Outcome::NoPage, now_us);
                books.sample(|| match failed {
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
        visit: &mut Visit<'_>,
        choices: Option<u64>,
        kind: Kind,
        due_us: u64,
    ) -> u64 {
        if let Some(choices) = choices {
            let code = self.crowd.code(visit.voter.number);
            self.requests.ballot(visit.request, &visit.voter, choices, code);
        }
        let reply = match visit.voter.manner {
            Manner::HangUp => Err(hang_up(visit).await),
            _ => visit
                .connection
                .exchange(visit.request, self.reply_time_max)
                .await
                .map_err(outcome_of),
        };
        let now_us = self.clock.now_us();
        let mut told = None;
        let outcome = match &reply {
            Err(outcome) => *outcome,
            Ok(reply) => {
                keep_cookie(visit, reply);
                if reply.status == 409 {
                    told = self.choices_told(visit.connection.text(&reply.body));
                }
                if reply.status == 503 && !reply.retry_after {
                    self.books().unexplained += 1;
                }
                Outcome::of_status(reply.status)
            }
        };
        self.enter(
            visit,
            choices,
            outcome,
            told,
            Sent { due_us, phase: visit.phase, kind },
            now_us,
        );
        if kind.is_error(outcome) {
            let body = reply.map(|reply| {
                String::from_utf8_lossy(visit.connection.text(&reply.body)).into_owned()
            });
            self.books()
                .sample(|| sample(visit.voter.number, kind, outcome, &body.unwrap_or_default()));
        }
        now_us
    }

    fn enter(
        &self,
        visit: &mut Visit<'_>,
        choices: Option<u64>,
        outcome: Outcome,
        told: Option<u64>,
        sent: Sent,
        now_us: u64,
    ) {
        let before = visit.standing;
        // Rubbish that is taken for a ballot is nobody's choice: it stays out of the ledger, and
        // what the target counts for it shows up as a phantom.
        if let Some(choices) = choices {
            visit.standing.enter(self.crowd.poll.vote_policy, choices, outcome, told);
        }
        self.write(visit, outcome, choices);
        let mut books = self.books();
        books.finish(sent, outcome, now_us);
        if before.certain.is_none() && visit.standing.certain.is_some() {
            let clicked_us = sent.due_us;
            books.tell(News::Acknowledged { clicked_us, acknowledged_us: now_us });
        }
        if told.is_some() && visit.standing.certain.is_some() && told != visit.standing.certain {
            books.contradicted += 1;
        }
    }

    /// Tells whoever reads along.
    fn write(&self, visit: &Visit<'_>, outcome: Outcome, choices: Option<u64>) {
        if let Some(journal) = &self.journal {
            journal.write(visit.voter.id(), outcome, choices);
        }
    }

    /// The choices that stand, from an "already voted".
    fn choices_told(&self, body: &[u8]) -> Option<u64> {
        #[derive(Deserialize)]
        struct AlreadyVoted {
            choices: Vec<String>,
        }
        let told: AlreadyVoted = serde_json::from_slice(body).ok()?;
        self.crowd.poll.mask(told.choices.iter().map(String::as_str))
    }
}

fn keep_cookie(visit: &mut Visit<'_>, reply: &Reply) {
    if let Some(cookie) = &reply.cookie {
        let cookie = std::str::from_utf8(visit.connection.text(cookie));
        visit.voter.cookie = cookie.ok().map(Box::from);
    }
}

async fn hang_up(visit: &mut Visit<'_>) -> Outcome {
    let sent = visit.connection.send(visit.request).await;
    visit.connection.close();
    sent.map_or_else(outcome_of, |()| Outcome::HungUp)
}

#[expect(clippy::needless_pass_by_value, reason = "used as a mapping of errors")]
fn outcome_of(fault: Fault) -> Outcome {
    match fault {
        Fault::Connect(_) => Outcome::NotConnected,
        Fault::Timeout => Outcome::TimedOut,
        Fault::Broken(_) => Outcome::Broken,
        Fault::Malformed(_) => Outcome::ServerError,
    }
}

fn sample(number: u64, kind: Kind, outcome: Outcome, body: &str) -> String {
    let what = match kind {
        Kind::First => "first ballot",
        Kind::Second { .. } | Kind::Retry => "second ballot",
        Kind::Rubbish => "rubbish",
    };
    let body: String = body.chars().take(200).collect();
    let class = match outcome.class() {
        Class::Unsent => "not sent: ",
        _ => "",
    };
    format!("voter {number}, {what}: {class}{} {body}", outcome.label()).trim_end().to_owned()
}
