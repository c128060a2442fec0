//! What voters see before everybody does: results with the visibility `after_vote`.
//!
//! The dashboard knows no voters. The producer sends the browser of a voter here with a proof in the address, and the dashboard
//! turns it into a cookie and an address without it ([`votestream_schema::poll::results_key`]).
//!
//! Invariant: replies to other addresses, and to requests that do not ask for this, are the same for everybody. So pictures,
//! frames of other sites, lists and the screen of a hall show what everybody may see.

use std::sync::Arc;

use votestream_schema::Poll;
use votestream_schema::poll::now_ms;
use votestream_schema::poll::results_key::{Carrier, IN_COOKIE_S};
use votestream_service::listener::Head;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::Response;

use super::{AppState, Query};
use crate::snapshot::Snapshot;

/// The parameter of an address that holds a proof.
const PROOF: &str = "proof";

impl AppState {
    /// Returns the snapshot as the reader of this request may see it: open to whoever has a proof, else as everybody sees it.
    pub(super) fn opened_for(&self, snapshot: Arc<Snapshot>, head: &Head) -> Arc<Snapshot> {
        if snapshot.visible || !self.has_voted(&snapshot.poll, &head.headers) {
            return snapshot;
        }
        self.board.opened(snapshot.poll.slug.as_str()).unwrap_or(snapshot)
    }

    /// Whether a cookie of this request proves that somebody has voted in this poll.
    pub(super) fn has_voted(&self, poll: &Poll, headers: &HeaderMap) -> bool {
        let Some(key) = poll.secrecy.results_key.as_ref() else { return false };
        let name = cookie_name(poll);
        let lines = headers.get_all(header::COOKIE).iter();
        let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
        let mut values = pairs.filter_map(|pair| pair.trim().split_once('='));
        poll.shows_results_to_voters()
            && values.any(|(found, value)| {
                found == name && key.accepts(poll.id, Carrier::Cookie, value, now_ms() / 1_000)
            })
    }

    /// Answers a request whose address has a good proof: sets the cookie, and leads to the same page without the proof, so that
    /// nobody passes it on with the address.
    pub(super) fn admit(
        &self,
        poll: &Poll,
        path: &str,
        head: &Head,
        query: &Query,
    ) -> Option<Response> {
        let (proof, now_s) = (query.get(PROOF)?, now_ms() / 1_000);
        let key = poll.secrecy.results_key.as_ref()?;
        if !poll.shows_results_to_voters() || !key.accepts(poll.id, Carrier::Address, proof, now_s)
        {
            return None;
        }
        let secure = if self.is_https(head) { "; Secure" } else { "" };
        let cookie = format!(
            "{}={}; Path={}; Max-Age={IN_COOKIE_S}; HttpOnly; SameSite=Lax{secure}",
            cookie_name(poll),
            key.prove(poll.id, Carrier::Cookie, now_s),
            self.base.of_cookies(),
        );
        let mut reply = Response::default();
        *reply.status_mut() = StatusCode::SEE_OTHER;
        let headers = reply.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
        headers.insert(header::LOCATION, HeaderValue::try_from(self.base.join(path)).ok()?);
        Some(reply)
    }
}

fn cookie_name(poll: &Poll) -> String {
    format!("results_{}", poll.slug)
}
