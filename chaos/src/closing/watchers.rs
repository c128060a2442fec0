//! Watches all places that show the result of a poll, and notes each result that one of them calls final.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::ledger::{Shown, Source};
use super::results;
use super::state::State;
use crate::http;

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The pause between two looks once the result was called final.
const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(1);
/// The time for which a result is watched after it was called final: longer than most faults.
const WATCHED_FOR: Duration = Duration::from_secs(20);
const REPLY_WITHIN: Duration = Duration::from_secs(2);
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// The event stream has a sign of life more often than this.
const FRAME_WITHIN: Duration = Duration::from_secs(6);

/// Reads a result from the body of a reply.
type Read = fn(&str) -> Option<Shown>;

/// Watches a page, a tally and a series, each by a request of its own.
pub(super) async fn replies(state: Arc<State>, slug: String) {
    let mut final_since = None;
    while !is_over(&state, final_since) {
        look(&state, &slug).await;
        let all = [Source::Tally, Source::Series, Source::Page];
        if all.into_iter().all(|source| state.has_claimed(&slug, source)) {
            final_since.get_or_insert_with(Instant::now);
        }
        pause(&state, if final_since.is_some() { LOOK_AGAIN_EVERY } else { LOOK_EVERY }).await;
    }
}

/// Asks for tally, series and page once.
pub(super) async fn look(state: &State, slug: &str) {
    let places: [(Source, String, Read); 3] = [
        (Source::Tally, format!("/api/polls/{slug}/tally"), results::of_tally),
        (Source::Series, format!("/api/polls/{slug}/series"), results::of_series),
        (Source::Page, format!("/polls/{slug}"), results::of_page),
    ];
    for (source, path, read) in places {
        let reply = http::get(state.results_port, &path, REPLY_WITHIN).await;
        if let Some(shown) = reply.ok().and_then(|reply| read(&reply.body)) {
            state.note(slug, source, shown);
        }
    }
}

/// Exports the result again and again, until the export has called it final for a while.
pub(super) async fn export(state: Arc<State>, slug: String) {
    let mut final_since = None;
    while !is_over(&state, final_since) {
        if look_at_export(&state, &slug).await {
            final_since.get_or_insert_with(Instant::now);
        }
        pause(&state, LOOK_AGAIN_EVERY).await;
    }
}

/// Exports the result once. Returns whether the export has called it final, now or before.
pub(super) async fn look_at_export(state: &State, slug: &str) -> bool {
    let votectl = state.votectl();
    let exported = votectl.run_aside(&["poll", "export", slug, "--format", "json"]).await;
    if let Some(shown) = exported.ok().and_then(|json| results::of_export(&json)) {
        state.note(slug, Source::Export, shown);
    }
    state.has_claimed(slug, Source::Export)
}

/// Follows the event stream, and connects again whenever it ends.
pub(super) async fn frames(state: Arc<State>, slug: String) {
    let mut final_since = None;
    while !is_over(&state, final_since) {
        // A stream that breaks or falls silent is opened again.
        let _ = follow(&state, &slug, &mut final_since).await;
        pause(&state, CONNECT_AGAIN_AFTER).await;
    }
}

async fn follow(
    state: &State,
    slug: &str,
    final_since: &mut Option<Instant>,
) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", state.results_port)).await?;
    let request = format!(
        "GET /api/polls/{slug}/events HTTP/1.1\r\nhost: chaos\r\naccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut lines = BufReader::new(stream).lines();
    while !is_over(state, *final_since) {
        let line = tokio::time::timeout(FRAME_WITHIN, lines.next_line()).await;
        let Ok(Some(line)) = line.map_err(std::io::Error::other)? else { return Ok(()) };
        let frame = line.strip_prefix("data: ").and_then(results::of_tally);
        if let Some(shown) = frame {
            if shown.is_final {
                final_since.get_or_insert_with(Instant::now);
            }
            state.note(slug, Source::Frame, shown);
        }
    }
    Ok(())
}

fn is_over(state: &State, final_since: Option<Instant>) -> bool {
    state.over.is_cancelled() || final_since.is_some_and(|since| since.elapsed() > WATCHED_FOR)
}

async fn pause(state: &State, time: Duration) {
    tokio::select! {
        () = state.over.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}
