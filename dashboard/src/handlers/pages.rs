//! Pages for people, and the picture that stands for one of them.

use std::collections::HashMap;
use std::sync::Arc;

use votestream_schema::poll::short_code::ShortCode;
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_schema::submission::forwarded;
use votestream_schema::tally::Share;
use votestream_service::http;
use votestream_service::listener::Head;
use votestream_service::page::{self, render};
use votestream_service::problem::Problem;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

use super::AppState;
use crate::pages::accounts::AccountsPage;
use crate::pages::present::{Door, Order, PresentPage};
use crate::pages::{FILES, PollLink, ResultView, ResultsPage};
use crate::snapshot::Snapshot;

/// How long caches may keep a picture. Even that of a final result may be hidden by the operator.
const PICTURE_CACHING: HeaderValue = HeaderValue::from_static("public, max-age=10");

impl AppState {
    /// Renders the results page, for `GET /` (where `slug` is `None`) and `GET /polls/{slug}`.
    pub(crate) fn page(&self, slug: Option<&str>, head: &Head) -> Response {
        match self.poll(slug.unwrap_or(&self.default_poll)) {
            Ok(snapshot) => render(StatusCode::OK, &self.results_page(&snapshot, slug, Some(head))),
            Err(problem) => self.problem_page(&problem),
        }
    }

    /// Renders the results for a frame of another site, for `GET /embed/{slug}`.
    pub(crate) fn embedded(&self, slug: &str, head: &Head) -> Response {
        let reply = match self.poll(slug) {
            Ok(snapshot) => {
                let page = self.results_page(&snapshot, Some(slug), Some(head));
                render(StatusCode::OK, &ResultsPage { is_embedded: true, ..page })
            }
            Err(problem) => self.problem_page(&problem),
        };
        self.embedding.allow(reply)
    }

    /// Renders the presenter view, for `GET /present/{slug}?order=…&curtain=…`.
    pub(crate) fn present(
        &self,
        slug: &str,
        head: &Head,
        query: &HashMap<String, String>,
    ) -> Response {
        let snapshot = match self.poll(slug) {
            Ok(snapshot) => snapshot,
            Err(problem) => return self.problem_page(&problem),
        };
        let code = ShortCode::of(snapshot.poll.id).to_string();
        let page = PresentPage {
            turnout: self.turnout(&snapshot).map(i64::unsigned_abs),
            now: rfc3339(now_ms()),
            order: Order::of(query.get("order").map(String::as_str)),
            curtain: query.contains_key("curtain"),
            door: self.vote_url.as_deref().and_then(|url| Door::new(url, code)),
            results: self.results_page(&snapshot, Some(slug), Some(head)),
        };
        render(StatusCode::OK, &page)
    }

    /// Renders what became of a poll's ballots, for `GET /polls/{slug}/accounts`.
    pub(crate) async fn accounts_page(&self, slug: &str) -> Response {
        match self.account(slug).await {
            Ok((snapshot, account)) => {
                let page = AccountsPage {
                    title: snapshot.poll.title.clone(),
                    base: self.base.clone(),
                    slug: slug.to_owned(),
                    is_listed: snapshot.poll.is_listed(),
                    account,
                    now_ms: now_ms(),
                };
                render(StatusCode::OK, &page)
            }
            Err(problem) => self.problem_page(&problem),
        }
    }

    /// The turnout as viewers have it: while results are hidden, it is no newer than the last frame.
    fn turnout(&self, snapshot: &Snapshot) -> Option<i64> {
        match snapshot.visible {
            true => snapshot.turnout(),
            false => self.board.shown(snapshot.poll.slug.as_str())?.turnout(),
        }
    }

    /// Draws the results as they stand, for `GET /polls/{slug}/picture.png`.
    pub(crate) async fn picture(&self, slug: &str) -> Response {
        let snapshot = match self.poll(slug) {
            Ok(snapshot) => snapshot,
            Err(problem) => return problem.into_response(),
        };
        let page = || self.results_page(&snapshot, Some(slug), None);
        let Some(png) = self.pictures.get(&snapshot, page).await else {
            return Problem::unavailable("the picture cannot be drawn at the moment")
                .into_response();
        };
        let mut reply = http::cacheable("image/png", png);
        reply.headers_mut().insert(header::CACHE_CONTROL, PICTURE_CACHING);
        reply
    }

    fn results_page(
        &self,
        snapshot: &Snapshot,
        slug: Option<&str>,
        head: Option<&Head>,
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
            base: self.base.clone(),
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
            vote_url: self.vote_url.as_deref().map(|url| match slug {
                Some(slug) => format!("{}/polls/{slug}", url.trim_end_matches('/')),
                None => url.to_owned(),
            }),
            polls: self.links(),
            revision: poll.revision,
            is_listed: poll.is_listed(),
            address: head.and_then(|head| self.address(head)),
            is_embedded: false,
        }
    }

    fn links(&self) -> Vec<PollLink> {
        let link = |other: Arc<Snapshot>| PollLink {
            slug: other.poll.slug.to_string(),
            title: other.poll.title.clone(),
            state: other.state.to_string(),
        };
        self.listed().map(link).collect()
    }

    /// The address of this dashboard for links on other sites: as it is set, else as the client named it.
    fn address(&self, head: &Head) -> Option<String> {
        if let Some(url) = &self.results_url {
            return Some(url.trim_end_matches('/').to_owned());
        }
        let lines = |name: &str| -> Vec<&[u8]> {
            head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
        };
        let elements = forwarded::forwarded(&lines("forwarded"));
        // Whoever is no proxy of ours may name any host.
        let is_proxy = self.proxies.iter().any(|network| network.contains(&head.peer.0));
        let named = || forwarded::forwarded_host(&lines("x-forwarded-host"), &elements);
        let asked = || forwarded::host(std::str::from_utf8(lines("host").first()?).ok()?);
        let host = is_proxy.then(named).flatten().or_else(asked)?;
        let is_https = match lines("x-forwarded-proto").first() {
            Some(proto) => http::is_https(proto),
            None => is_proxy && elements.last().is_some_and(|element| element.is_https),
        };
        let scheme = if is_https { "https" } else { "http" };
        Some(format!("{scheme}://{host}{}", self.base))
    }

    fn problem_page(&self, problem: &Problem) -> Response {
        page::problem(problem, &FILES, "results.css", &self.base, None)
    }
}
