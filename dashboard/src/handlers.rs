//! The handlers: each turns one request into a reply, from the state on the board. Pages have a module of their own.

mod log;
mod pages;
mod past;
mod voters;

use std::collections::HashMap;
use std::sync::Arc;

use ipnet::IpNet;
use serde_json::json;
use votestream_schema::db::accounts::Account;
use votestream_schema::poll::{PollState, rfc3339};
use votestream_service::http::{self, BasePath};
use votestream_service::language::Message;
use votestream_service::listener::{Head, PeerAddr, budget};
use votestream_service::problem::Problem;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

use crate::accounts::Accounts;
use crate::board::Board;
use crate::embedding::Embedding;
use crate::history::History;
use crate::log::Logs;
use crate::metrics;
use crate::past::Pasts;
use crate::picture::Pictures;
use crate::problems::RESULTS_HIDDEN;
use crate::snapshot::Snapshot;
use crate::viewers::Viewers;

/// The parameter with which a page asks for what its reader may see, where others see less.
const OPENED: &str = "opened";

/// The parameters of the query string, by name.
pub(crate) type Query = HashMap<String, String>;

/// The longest series that one request returns, in seconds.
const SERIES_S_MAX: i64 = 3_600;

/// The state that all handlers share.
pub(crate) struct AppState {
    pub(crate) board: Board,
    pub(crate) viewers: Viewers,
    pub(crate) accounts: Accounts,
    pub(crate) history: History,
    pub(crate) logs: Logs,
    pub(crate) pasts: Pasts,
    pub(crate) default_poll: String,
    /// The path in front of all addresses.
    pub(crate) base: BasePath,
    pub(crate) vote_url: Option<String>,
    /// Host and port of Postgres, for log lines.
    pub(crate) postgres: Arc<str>,
    pub(crate) results_url: Option<String>,
    pub(crate) embedding: Embedding,
    pub(crate) pictures: Pictures,
    /// Networks of trusted proxies, which speak for many viewers.
    pub(crate) proxies: Vec<IpNet>,
}

impl AppState {
    fn poll(&self, slug: &str) -> Result<Arc<Snapshot>, Problem> {
        self.board.get(slug).ok_or_else(|| {
            if self.board.all().is_empty() {
                Problem::unavailable(Message::new("detail-polls-unknown"))
            } else {
                Problem::unknown_poll(slug)
            }
        })
    }

    /// Lists all polls but the archived and the unlisted ones, for `GET /api/polls`.
    pub(crate) fn list(&self) -> Response {
        let polls = self.listed().map(|snapshot| {
            json!({
                "slug": snapshot.poll.slug,
                "title": snapshot.poll.title,
                "state": snapshot.state,
                "visibility": snapshot.poll.visibility,
            })
        });
        let polls: Vec<_> = polls.collect();
        public(http::json(StatusCode::OK, json!({ "polls": polls }).to_string()))
    }

    /// Returns the poll as everybody sees it, or as the reader of this request may see it if the query asks for that.
    fn asked(&self, slug: &str, head: &Head, query: &Query) -> Result<Arc<Snapshot>, Problem> {
        let snapshot = self.poll(slug)?;
        Ok(match query.contains_key(OPENED) {
            true => self.opened_for(snapshot, head),
            false => snapshot,
        })
    }

    /// Returns a poll's tally, for `GET /api/polls/{slug}/tally`; a problem while results are hidden.
    pub(crate) fn tally(&self, slug: &str, head: &Head, query: &Query) -> Response {
        let outcome = self
            .asked(slug, head, query)
            .and_then(|snapshot| snapshot.tally_json().ok_or_else(|| results_hidden(&snapshot)));
        public(match outcome {
            Ok(json) => http::json(StatusCode::OK, json),
            Err(problem) => problem.into_response(),
        })
    }

    /// Returns votes per second, for `GET /api/polls/{slug}/series?seconds=…`; five minutes unless asked otherwise.
    pub(crate) async fn series(&self, slug: &str, head: &Head, query: &Query) -> Response {
        let seconds = query.get("seconds").and_then(|text| text.parse().ok());
        let seconds: i64 = seconds.unwrap_or(300).clamp(1, SERIES_S_MAX);
        let snapshot = match self.asked(slug, head, query) {
            Ok(snapshot) if snapshot.visible => snapshot,
            Ok(hidden) => return public(results_hidden(&hidden).into_response()),
            Err(problem) => return public(problem.into_response()),
        };
        public(match self.history.series(&snapshot.poll, seconds).await {
            Ok(series) => http::json(StatusCode::OK, series),
            Err(error) => {
                let servers = &self.postgres;
                tracing::warn!(
                    poll = slug,
                    %servers,
                    "the series of poll `{slug}` could not be read from postgres at {servers} and is answered with 503: \
                     {error}"
                );
                Problem::unavailable(Message::new("detail-no-history")).into_response()
            }
        })
    }

    /// Returns what became of a poll's ballots, for `GET /api/polls/{slug}/accounts`.
    pub(crate) async fn account_json(&self, slug: &str) -> Response {
        public(match self.account(slug).await {
            Ok((snapshot, Some(account))) => {
                let body = json!({
                    "poll": snapshot.poll.slug,
                    "taken_at": rfc3339(account.taken_at_ms),
                    "accepted": account.accepted,
                    "counted": account.counted,
                    "replaced": account.replaced,
                    "out_of_time": account.out_of_time,
                    "no_such_code": account.no_such_code,
                    "dead": account.dead,
                    "dropped": account.dropped,
                    "waiting": account.waiting,
                    "unexplained": account.unexplained,
                    "differs_since": account.differs_since_ms.map(rfc3339),
                });
                http::json(StatusCode::OK, body.to_string())
            }
            Ok((_, None)) => {
                Problem::unavailable("the account of this poll has not been taken yet")
                    .into_response()
            }
            Err(problem) => problem.into_response(),
        })
    }

    /// Reads the last account of a poll, unless the poll keeps its turnout to the operator.
    async fn account(&self, slug: &str) -> Result<(Arc<Snapshot>, Option<Account>), Problem> {
        let snapshot = self.poll(slug)?;
        if !snapshot.visible && !snapshot.poll.shows_turnout() {
            return Err(results_hidden(&snapshot));
        }
        match self.accounts.of(snapshot.poll.id).await {
            Ok(account) => Ok((snapshot, account)),
            Err(error) => {
                let servers = &self.postgres;
                tracing::warn!(
                    poll = slug,
                    %servers,
                    "the account of poll `{slug}` could not be read from postgres at {servers} and is answered with 503: \
                     {error}"
                );
                Err(Problem::unavailable(Message::new("detail-no-account")))
            }
        }
    }

    /// Streams a poll's frames, for `GET /api/polls/{slug}/events`. The stream takes the connection over.
    pub(crate) fn events(&self, slug: &str, head: &Head, query: &Query) -> Response {
        let is_opened = query.contains_key(OPENED)
            && self.board.get(slug).is_some_and(|it| self.has_voted(&it.poll, &head.headers));
        let owner = budget::owner(head.peer.0, &self.proxies);
        match self.viewers.take_over(slug, is_opened, owner) {
            Some(reply) => reply.unwrap_or_else(no_seat),
            None => self.unknown(slug),
        }
    }

    /// Says whether a poll's frames can be streamed, for `HEAD /api/polls/{slug}/events`.
    pub(crate) fn events_head(&self, slug: &str, peer: PeerAddr) -> Response {
        match self.viewers.has_seat(slug, budget::owner(peer.0, &self.proxies)) {
            Some(true) => http::event_stream(Response::default()),
            Some(false) => no_seat(),
            None => self.unknown(slug),
        }
    }

    fn unknown(&self, slug: &str) -> Response {
        self.poll(slug).err().unwrap_or_else(|| Problem::unknown_poll(slug)).into_response()
    }

    fn listed(&self) -> impl Iterator<Item = std::sync::Arc<Snapshot>> {
        let all = self.board.all().into_iter();
        all.filter(|snapshot| {
            let poll = &snapshot.poll;
            snapshot.state != PollState::Archived && poll.is_listed() && !poll.slug.is_canary()
        })
    }
}

/// Lets the scripts of every site read a reply, which is the same for everybody.
fn public(mut reply: Response) -> Response {
    let any = HeaderValue::from_static("*");
    reply.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    reply
}

fn no_seat() -> Response {
    metrics::VIEWERS_REFUSED.increment(1);
    let detail = Message::new("detail-too-many-viewers");
    Problem::unavailable(detail).retry_after(5).into_response()
}

fn results_hidden(snapshot: &Snapshot) -> Problem {
    let detail = Message::new("detail-results-hidden");
    Problem::new(&RESULTS_HIDDEN, detail)
        .with("visibility", snapshot.poll.visibility.as_str())
        .with("closes_at", snapshot.poll.closes_at_ms.map(rfc3339))
}
