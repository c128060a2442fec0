//! The public log of a poll, for programs and for the page that checks receipts.
//!
//! Hashes are open to everybody at all times: they say nothing about choices. Entries follow the poll's visibility as the tally
//! does, for everybody alike. Whoever has a receipt sees its own entry before that, because the receipt has all of it.

use std::fmt::Display;
use std::sync::Arc;

use serde_json::{Value, json};
use votestream_schema::poll::rfc3339;
use votestream_service::http;
use votestream_service::language::Message;
use votestream_service::problem::{Detail, Problem};
use votestream_transparency::checkpoint;
use votestream_transparency::entry::{Nonce, StreamEntry};
use votestream_transparency::tree::{Asked, TILE_WIDTH, parse_path};
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

use super::{AppState, Query, public, results_hidden};
use crate::log::{Found, LogState};
use crate::snapshot::Snapshot;

/// Checkpoints are new once a second.
const SHORT: HeaderValue = HeaderValue::from_static("public, max-age=1");
/// Hashes never change.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Entries never change either, but they are deleted when a poll is sealed. Caches are to forget them as well.
const A_DAY: HeaderValue = HeaderValue::from_static("public, max-age=86400, immutable");

const PLAIN: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

impl AppState {
    /// Serves the log of a poll, for `GET /polls/{slug}/log/{rest}`.
    pub(crate) async fn log(&self, slug: &str, rest: &str, query: &Query) -> Response {
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let outcome = match rest {
            "checkpoint" => self.newest_checkpoint(slug).await,
            "cosigned" => self.cosigned_checkpoint(slug).await,
            "keys" => self.log_keys(slug).await,
            rest => match rest.split_once('/') {
                Some(("checkpoint", size)) => self.checkpoint_of(slug, size).await,
                Some(("entry", entry)) => self.entries_of(slug, entry, query).await,
                Some(("tile", _)) => self.piece(slug, rest).await,
                _ => Err(Problem::not_found()),
            },
        };
        public(outcome.unwrap_or_else(Reply::into_response))
    }

    /// Describes the log of a poll, for `GET /api/polls/{slug}/log`.
    pub(crate) async fn log_json(&self, slug: &str) -> Response {
        let outcome = self.log_state(slug).await.map(|(snapshot, state)| {
            let LogState { origin, checkpoint, cosigned, keys } = &*state;
            let others = checkpoint::other_signatures(&checkpoint.note, keys).unwrap_or_default();
            let body = json!({
                "poll": snapshot.poll.slug,
                "origin": origin,
                "size": checkpoint.size,
                "root": root_of(&checkpoint.note),
                "at": rfc3339(checkpoint.at_ms),
                "keys": keys.as_lines(),
                "cosignatures": others,
                "cosigned_size": cosigned.as_ref().map(|it| it.size),
                "entries": entries_are(&snapshot),
            });
            http::json(StatusCode::OK, body.to_string())
        });
        public(outcome.unwrap_or_else(Reply::into_response))
    }

    async fn newest_checkpoint(&self, slug: &str) -> Result<Response, Problem> {
        let (_, state) = self.log_state(slug).await?;
        Ok(kept(http::cacheable(PLAIN, state.checkpoint.note.clone()), SHORT))
    }

    async fn cosigned_checkpoint(&self, slug: &str) -> Result<Response, Problem> {
        let (_, state) = self.log_state(slug).await?;
        let cosigned = state.cosigned.as_ref();
        let cosigned = cosigned.ok_or_else(|| missing("no witness has signed a checkpoint"))?;
        Ok(kept(http::cacheable(PLAIN, cosigned.note.clone()), SHORT))
    }

    async fn checkpoint_of(&self, slug: &str, size: &str) -> Result<Response, Problem> {
        let snapshot = self.logged(slug)?;
        let size: u64 = size
            .parse()
            .ok()
            .filter(|it: &u64| it.to_string() == size)
            .ok_or_else(Problem::not_found)?;
        let found = self.logs.checkpoint(snapshot.poll.id, size).await;
        let found = found.map_err(|error| self.log_away(slug, &error))?;
        let found = found.ok_or_else(|| missing("no checkpoint of this size was signed"))?;
        Ok(kept(http::cacheable(PLAIN, found.note), FOR_GOOD))
    }

    async fn log_keys(&self, slug: &str) -> Result<Response, Problem> {
        let (_, state) = self.log_state(slug).await?;
        let lines: String = state.keys.as_lines().iter().map(|key| format!("{key}\n")).collect();
        Ok(kept(http::cacheable(PLAIN, lines), SHORT))
    }

    async fn piece(&self, slug: &str, path: &str) -> Result<Response, Problem> {
        let asked = parse_path(path).ok_or_else(Problem::not_found)?;
        let snapshot = self.logged(slug)?;
        if matches!(asked, Asked::Bundle(..)) {
            expect_open(&snapshot)?;
        }
        let (_, state) = self.log_state(slug).await?;
        let (level, index, width) = match asked {
            Asked::Tile(id, width) => (id.level, id.index, width),
            Asked::Bundle(index, width) => (0, index, width),
        };
        let covered = state.checkpoint.size >> (8 * u32::from(level));
        let end = index.checked_mul(TILE_WIDTH).and_then(|first| first.checked_add(width));
        if end.is_none_or(|end| end > covered) {
            return Err(missing("the newest checkpoint covers no such tile, or not so much of it"));
        }
        let piece = self.logs.piece(snapshot.poll.id, asked).await;
        let piece = piece.map_err(|error| self.log_away(slug, &error))?;
        let piece = piece.ok_or_else(|| {
            missing("the log lacks this tile, although its newest checkpoint covers it")
        })?;
        let keeping = if matches!(asked, Asked::Bundle(..)) { A_DAY } else { FOR_GOOD };
        Ok(kept(http::cacheable(BYTES, piece), keeping))
    }

    async fn entries_of(
        &self,
        slug: &str,
        entry: &str,
        query: &Query,
    ) -> Result<Response, Problem> {
        let wanted: StreamEntry = entry.parse().map_err(|_| Problem::not_found())?;
        let nonce = query.get("nonce").and_then(|text| text.parse::<Nonce>().ok());
        let snapshot = self.logged(slug)?;
        if snapshot.poll.secrecy.is_sealed() {
            return Err(deleted());
        }
        let found = self.logs.entries_of(snapshot.poll.id, wanted).await;
        let found = found.map_err(|error| self.log_away(slug, &error))?;
        let shown = |Found { index, entry }: &Found| {
            let is_open = snapshot.visible || nonce.is_some_and(|it| is_same(it, entry.nonce));
            let line = if is_open { Value::from(entry.to_string()) } else { Value::Null };
            json!({ "index": index, "line": line })
        };
        let entries: Vec<Value> = found.iter().map(shown).collect();
        Ok(http::json(StatusCode::OK, json!({ "entries": entries }).to_string()))
    }

    /// Returns the poll, if it has a public log.
    pub(super) fn logged(&self, slug: &str) -> Result<Arc<Snapshot>, Problem> {
        let snapshot = self.poll(slug)?;
        match snapshot.poll.secrecy.receipts {
            true => Ok(snapshot),
            false => Err(missing(Message::new("detail-no-log"))),
        }
    }

    /// Returns the newest signed checkpoint of a poll.
    async fn log_state(&self, slug: &str) -> Result<(Arc<Snapshot>, Arc<LogState>), Problem> {
        let snapshot = self.logged(slug)?;
        let state = self.logs.state(snapshot.poll.id, slug).await;
        let state = state.map_err(|error| self.log_away(slug, &error))?;
        let state = state.ok_or_else(|| {
            missing(
                "the log of this poll has no signed checkpoint: no ballot is in it yet, or the consumers have no signing key",
            )
        })?;
        Ok((snapshot, state))
    }

    /// Logs why the log could not be read, and returns the answer.
    pub(super) fn log_away(&self, slug: &str, error: &impl Display) -> Problem {
        let servers = &self.postgres;
        tracing::warn!(
            poll = slug,
            %servers,
            "the public log of poll `{slug}` could not be read from postgres at {servers} and is answered with 503: {error}"
        );
        Problem::unavailable(Message::new("detail-log-away"))
    }
}

/// Whether everybody may see the entries of the log: `open`, `hidden`, or `deleted`.
fn entries_are(snapshot: &Snapshot) -> &'static str {
    match (snapshot.poll.secrecy.is_sealed(), snapshot.visible) {
        (true, _) => "deleted",
        (false, true) => "open",
        (false, false) => "hidden",
    }
}

/// Returns an error unless everybody may see the entries of the log.
pub(super) fn expect_open(snapshot: &Snapshot) -> Result<(), Problem> {
    match entries_are(snapshot) {
        "open" => Ok(()),
        "deleted" => Err(deleted()),
        _ => Err(results_hidden(snapshot)),
    }
}

/// Compares two nonces in a time that does not depend on how much of them is equal.
fn is_same(one: Nonce, other: Nonce) -> bool {
    let pairs = one.0.iter().zip(other.0);
    std::hint::black_box(pairs.fold(0, |differs, (one, other)| differs | (one ^ other))) == 0
}

/// The line of a checkpoint that has the root hash, in base64.
fn root_of(note: &str) -> &str {
    note.lines().nth(2).unwrap_or_default()
}

/// A problem for something that is not there.
pub(super) fn missing(detail: impl Into<Detail>) -> Problem {
    Problem { detail: detail.into(), ..Problem::not_found() }
}

fn deleted() -> Problem {
    missing(Message::new("detail-log-deleted"))
}

fn kept(mut reply: Response, caching: HeaderValue) -> Response {
    reply.headers_mut().insert(header::CACHE_CONTROL, caching);
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_are_equal_or_not() {
        let nonce = Nonce([7; 16]);
        let mut other = nonce;
        assert!(is_same(nonce, other));
        other.0[15] ^= 1;
        assert!(!is_same(nonce, other));
    }
}
