//! The handlers: each turns one request into a reply, from the state on the board.

use ipnet::IpNet;
use serde_json::json;
use votestream_schema::poll::{PollState, rfc3339};
use votestream_schema::tally::Share;
use votestream_service::http;
use votestream_service::listener::{PeerAddr, budget};
use votestream_service::page::{self, render};
use votestream_service::problem::Problem;
use warp::http::StatusCode;
use warp::reply::{Reply, Response};

use crate::board::Board;
use crate::history::History;
use crate::metrics;
use crate::pages::{PollLink, ResultView, ResultsPage};
use crate::problems::RESULTS_HIDDEN;
use crate::snapshot::Snapshot;
use crate::viewers::Viewers;

/// The longest series that one request returns, in seconds.
const SERIES_S_MAX: i64 = 3_600;

/// The state that all handlers share.
pub(crate) struct AppState {
    pub(crate) board: Board,
    pub(crate) viewers: Viewers,
    pub(crate) history: History,
    pub(crate) default_poll: String,
    pub(crate) vote_url: Option<String>,
    /// Networks of trusted proxies, which speak for many viewers.
    pub(crate) proxies: Vec<IpNet>,
}

impl AppState {
    fn poll(&self, slug: &str) -> Result<std::sync::Arc<Snapshot>, Problem> {
        self.board.get(slug).ok_or_else(|| {
            if self.board.all().is_empty() {
                Problem::unavailable("the polls are not known yet")
            } else {
                Problem::unknown_poll(slug)
            }
        })
    }

    /// Renders the results page, for `GET /` (where `slug` is `None`) and `GET /polls/{slug}`.
    pub(crate) fn page(&self, slug: Option<&str>) -> Response {
        let outcome = self.poll(slug.unwrap_or(&self.default_poll));
        let snapshot = match outcome {
            Ok(snapshot) => snapshot,
            Err(problem) => return page::problem(&problem, "results.css", None),
        };
        let vote_url = self.vote_url.as_deref().map(|url| match slug {
            Some(slug) => format!("{}/polls/{slug}", url.trim_end_matches('/')),
            None => url.to_owned(),
        });
        let polls = self.listed().map(|other| PollLink {
            slug: other.poll.slug.to_string(),
            title: other.poll.title.clone(),
            state: other.state.to_string(),
        });
        render(StatusCode::OK, &results_page(&snapshot, vote_url, polls.collect()))
    }

    /// Lists all polls but the archived ones, for `GET /api/polls`.
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
        http::json(StatusCode::OK, json!({ "polls": polls }).to_string())
    }

    /// Returns a poll's tally, for `GET /api/polls/{slug}/tally`; a problem while results are hidden.
    pub(crate) fn tally(&self, slug: &str) -> Response {
        let outcome = self
            .poll(slug)
            .and_then(|snapshot| snapshot.tally_json().ok_or_else(|| results_hidden(&snapshot)));
        match outcome {
            Ok(json) => http::json(StatusCode::OK, json),
            Err(problem) => problem.into_response(),
        }
    }

    /// Returns votes per second, for `GET /api/polls/{slug}/series?seconds=…`; five minutes unless asked otherwise.
    pub(crate) async fn series(&self, slug: &str, seconds: Option<i64>) -> Response {
        let seconds = seconds.unwrap_or(300).clamp(1, SERIES_S_MAX);
        let snapshot = match self.poll(slug) {
            Ok(snapshot) if snapshot.visible => snapshot,
            Ok(hidden) => return results_hidden(&hidden).into_response(),
            Err(problem) => return problem.into_response(),
        };
        match self.history.series(&snapshot.poll, seconds).await {
            Ok(series) => http::json(StatusCode::OK, series),
            Err(error) => {
                tracing::warn!(poll = slug, "the series of a poll could not be read: {error}");
                Problem::unavailable("the history cannot be read at the moment").into_response()
            }
        }
    }

    /// Streams a poll's frames, for `GET /api/polls/{slug}/events`. The stream takes the connection over.
    pub(crate) fn events(&self, slug: &str, peer: PeerAddr) -> Response {
        match self.viewers.take_over(slug, budget::owner(peer.0, &self.proxies)) {
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
            snapshot.state != PollState::Archived && !snapshot.poll.slug.is_canary()
        })
    }
}

fn no_seat() -> Response {
    metrics::VIEWERS_REFUSED.increment(1);
    let detail = "very many people watch; this page tries again by itself";
    Problem::unavailable(detail).retry_after(5).into_response()
}

fn results_page(
    snapshot: &Snapshot,
    vote_url: Option<String>,
    polls: Vec<PollLink>,
) -> ResultsPage {
    let poll = &snapshot.poll;
    let visible = snapshot.visible;
    let shares = if visible { snapshot.tally.shares() } else { Vec::new() };
    let count = |n: i64| if visible { n.unsigned_abs() } else { 0 };
    let options = poll.options.iter().enumerate().map(|(position, option)| ResultView {
        slug: option.slug.to_string(),
        label: option.label.clone(),
        colour: option.colour.clone(),
        votes: count(snapshot.tally.votes.get(position).copied().unwrap_or(0)),
        share_tenths: shares.get(position).map_or(0, |share| share.tenths),
        share_words: shares.get(position).map_or_else(|| "0.0%".to_owned(), Share::to_string),
    });
    ResultsPage {
        title: poll.title.clone(),
        slug: poll.slug.to_string(),
        state: snapshot.state.to_string(),
        visibility: poll.visibility.to_string(),
        hidden: !visible,
        options: options.collect(),
        voters: count(snapshot.tally.voters),
        version: count(snapshot.tally.version),
        as_of: rfc3339(snapshot.as_of_ms),
        is_final: snapshot.is_final,
        waiting: snapshot.progress.waiting.and_then(|waiting| u64::try_from(waiting).ok()),
        stale_since: snapshot.stale_since_ms.map(rfc3339),
        opens_at: poll.opens_at_ms.map(rfc3339),
        closes_at: poll.closes_at_ms.map(rfc3339),
        vote_url,
        polls,
    }
}

fn results_hidden(snapshot: &Snapshot) -> Problem {
    let detail = "the results of this poll are not shown now";
    Problem::new(&RESULTS_HIDDEN, detail)
        .with("visibility", snapshot.poll.visibility.as_str())
        .with("closes_at", snapshot.poll.closes_at_ms.map(rfc3339))
}
