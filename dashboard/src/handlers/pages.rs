//! Pages for people, and the picture that stands for one of them.

use std::collections::HashMap;
use std::sync::Arc;

use votestream_schema::poll::short_code::ShortCode;
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_schema::submission::forwarded;
use votestream_service::http;
use votestream_service::language::{Language, Message, Words};
use votestream_service::listener::Head;
use votestream_service::page::{self, render};
use votestream_service::problem::Problem;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

use super::AppState;
use crate::pages::accounts::AccountsPage;
use crate::pages::present::{Door, Order, PresentPage};
use crate::pages::receipt::ReceiptPage;
use crate::pages::{FILES, PollLink, ResultView, ResultsPage, share_words};
use crate::snapshot::Snapshot;

/// How long caches may keep a picture. Even that of a final result may be hidden by the operator.
const PICTURE_CACHING: HeaderValue = HeaderValue::from_static("public, max-age=10");

impl AppState {
    /// Renders the results page, for `GET /` (where `slug` is `None`) and `GET /polls/{slug}`.
    pub(crate) fn page(&self, slug: Option<&str>, head: &Head, query: &str) -> Response {
        match self.poll(slug.unwrap_or(&self.default_poll)) {
            Ok(snapshot) => {
                let words = words_of(&snapshot, Some(head), query);
                let path = slug.map_or_else(|| "/".to_owned(), |slug| format!("/polls/{slug}"));
                if let Some(admitted) = self.admit(&snapshot.poll, &words.link(path), head, query) {
                    return admitted;
                }
                let is_hidden = !snapshot.visible;
                let shown = self.opened_for(snapshot, head);
                let page = self.results_page(&shown, words, slug, Some(head));
                let is_opened = is_hidden && shown.visible;
                let page = ResultsPage { is_opened, ..page };
                render(StatusCode::OK, words, &page, Some(&head.headers))
            }
            Err(problem) => self.problem_page(&problem, head, query),
        }
    }

    /// Renders the results for a frame of another site, for `GET /embed/{slug}`.
    pub(crate) fn embedded(&self, slug: &str, head: &Head, query: &str) -> Response {
        let reply = match self.poll(slug) {
            Ok(snapshot) => {
                let words = words_of(&snapshot, Some(head), query);
                let page = self.results_page(&snapshot, words, Some(slug), Some(head));
                let page = ResultsPage { is_embedded: true, ..page };
                render(StatusCode::OK, words, &page, Some(&head.headers))
            }
            Err(problem) => self.problem_page(&problem, head, query),
        };
        self.embedding.allow(reply)
    }

    /// Renders the presenter view, for `GET /present/{slug}?order=…&curtain=…`.
    pub(crate) fn present(&self, slug: &str, head: &Head, query: &str) -> Response {
        let snapshot = match self.poll(slug) {
            Ok(snapshot) => snapshot,
            Err(problem) => return self.problem_page(&problem, head, query),
        };
        let words = words_of(&snapshot, Some(head), query);
        let parameters: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
        let code = ShortCode::of(snapshot.poll.id).to_string();
        let page = PresentPage {
            words,
            turnout: self.turnout(&snapshot).map(i64::unsigned_abs),
            now: rfc3339(now_ms()),
            order: Order::of(parameters.get("order").map(AsRef::as_ref)),
            curtain: parameters.contains_key("curtain"),
            door: self.vote_url.as_deref().and_then(|url| Door::new(url, code)),
            results: self.results_page(&snapshot, words, Some(slug), Some(head)),
        };
        render(StatusCode::OK, words, &page, Some(&head.headers))
    }

    /// Renders what became of a poll's ballots, for `GET /polls/{slug}/accounts`.
    pub(crate) async fn accounts_page(&self, slug: &str, head: &Head, query: &str) -> Response {
        match self.account(slug).await {
            Ok((snapshot, account)) => {
                let words = words_of(&snapshot, Some(head), query);
                let (title, title_lang) = snapshot.poll.title_in(words.lang()).to_owned_parts();
                let page = AccountsPage {
                    words,
                    title,
                    title_lang,
                    base: self.base.clone(),
                    slug: slug.to_owned(),
                    is_listed: snapshot.poll.is_listed(),
                    account,
                    now_ms: now_ms(),
                };
                render(StatusCode::OK, words, &page, Some(&head.headers))
            }
            Err(problem) => self.problem_page(&problem, head, query),
        }
    }

    /// Renders the page that checks a receipt, for `GET /polls/{slug}/receipt`.
    pub(crate) fn receipt_page(&self, slug: &str, head: &Head, query: &str) -> Response {
        match self.poll(slug) {
            Ok(snapshot) => {
                let words = words_of(&snapshot, Some(head), query);
                let poll = &snapshot.poll;
                let (title, title_lang) = poll.title_in(words.lang()).to_owned_parts();
                let label = |option| poll.label_in(option, words.lang()).text.to_owned();
                let page = ReceiptPage {
                    words,
                    title,
                    title_lang,
                    base: self.base.clone(),
                    slug: slug.to_owned(),
                    is_listed: poll.is_listed(),
                    has_receipts: poll.secrecy.receipts,
                    options: poll.options.iter().map(label).collect(),
                };
                render(StatusCode::OK, words, &page, Some(&head.headers))
            }
            Err(problem) => self.problem_page(&problem, head, query),
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
        // The picture is the same for everybody.
        let words = words_of(&snapshot, None, "");
        let page = || self.results_page(&snapshot, words, Some(slug), None);
        let Some(png) = self.pictures.get(&snapshot, page).await else {
            return Problem::unavailable(Message::new("detail-no-picture")).into_response();
        };
        let mut reply = http::cacheable("image/png", png);
        reply.headers_mut().insert(header::CACHE_CONTROL, PICTURE_CACHING);
        reply
    }

    fn results_page(
        &self,
        snapshot: &Snapshot,
        words: Words,
        slug: Option<&str>,
        head: Option<&Head>,
    ) -> ResultsPage {
        let poll = &snapshot.poll;
        let visible = snapshot.visible;
        let shares = if visible { snapshot.tally.shares() } else { Vec::new() };
        let is_for_voters = !visible && poll.shows_results_to_voters();
        let turnout = is_for_voters.then(|| self.turnout(snapshot)).flatten();
        let count = |n: i64| if visible { n.unsigned_abs() } else { 0 };
        let label = |option| poll.label_in(option, words.lang()).to_owned_parts();
        let labelled = poll.options.iter().map(|option| (option, label(option)));
        let options =
            labelled.enumerate().map(|(position, (option, (label, label_lang)))| ResultView {
                slug: option.slug.to_string(),
                label,
                label_lang,
                colour: option.colour.clone(),
                votes: count(snapshot.tally.votes.get(position).copied().unwrap_or(0)),
                share_tenths: shares.get(position).map_or(0, |share| share.tenths),
                share_words: shares
                    .get(position)
                    .map_or_else(|| words.percent(0), |share| share_words(*share, words)),
            });
        let (title, title_lang) = poll.title_in(words.lang()).to_owned_parts();
        ResultsPage {
            words,
            title,
            title_lang,
            words_number: poll.words(),
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
                Some(slug) => words.link(format!("{}/polls/{slug}", url.trim_end_matches('/'))),
                None => words.link(url),
            }),
            polls: self.links(words),
            revision: poll.revision,
            is_listed: poll.is_listed(),
            address: head.and_then(|head| self.address(head)),
            is_embedded: false,
            is_opened: false,
            turnout: turnout.map(i64::unsigned_abs),
            has_receipts: poll.secrecy.receipts,
        }
    }

    fn links(&self, words: Words) -> Vec<PollLink> {
        let link = |other: Arc<Snapshot>| {
            let (title, title_lang) = other.poll.title_in(words.lang()).to_owned_parts();
            PollLink {
                slug: other.poll.slug.to_string(),
                title,
                title_lang,
                state: other.state.to_string(),
            }
        };
        self.listed().map(link).collect()
    }

    /// The address of this dashboard for links on other sites: as it is set, else as the client named it.
    fn address(&self, head: &Head) -> Option<String> {
        if let Some(url) = &self.results_url {
            return Some(url.trim_end_matches('/').to_owned());
        }
        let named = || {
            let elements = forwarded::forwarded(&lines(head, "forwarded"));
            forwarded::forwarded_host(&lines(head, "x-forwarded-host"), &elements)
        };
        let asked = || forwarded::host(std::str::from_utf8(lines(head, "host").first()?).ok()?);
        // Whoever is no proxy of ours may name any host.
        let host = self.comes_from_proxy(head).then(named).flatten().or_else(asked)?;
        let scheme = if self.is_https(head) { "https" } else { "http" };
        Some(format!("{scheme}://{host}{}", self.base))
    }

    /// Whether the client came through TLS.
    pub(super) fn is_https(&self, head: &Head) -> bool {
        match lines(head, "x-forwarded-proto").first() {
            Some(proto) => http::is_https(proto),
            None => {
                let elements = forwarded::forwarded(&lines(head, "forwarded"));
                self.comes_from_proxy(head) && elements.last().is_some_and(|it| it.is_https)
            }
        }
    }

    fn comes_from_proxy(&self, head: &Head) -> bool {
        self.proxies.iter().any(|network| network.contains(&head.peer.0))
    }

    pub(super) fn problem_page(&self, problem: &Problem, head: &Head, query: &str) -> Response {
        let words = Words::choose(query, None, &head.headers);
        page::problem(problem, words, &FILES, "results.css", &self.base, None)
    }
}

fn lines<'a>(head: &'a Head, name: &str) -> Vec<&'a [u8]> {
    head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}

/// The language of a page about this poll; without a request, that of the poll.
pub(super) fn words_of(snapshot: &Snapshot, head: Option<&Head>, query: &str) -> Words {
    let of_poll = snapshot.poll.lang.as_ref().and_then(|lang| Language::of_tag(lang.as_str()));
    match head {
        Some(head) => Words::choose(query, of_poll, &head.headers),
        None => of_poll.unwrap_or_default().into(),
    }
}
