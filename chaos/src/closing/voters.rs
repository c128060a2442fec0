//! The voters of a poll that closes: each casts one ballot, and the ledger notes the answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use votestream_schema::VoterId;
use votestream_schema::poll::now_ms;
use votestream_schema::voter::CookieKind;

use super::ledger::Cast;
use super::state::State;
use crate::http::{self, HttpError, Reply};
use crate::testbed::OPTIONS;

/// The pause between two voters.
const CAST_EVERY: Duration = Duration::from_millis(100);
/// Longer than a producer waits for Redis, so that the producer gives up first and answers 503.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);

/// Casts ballots until the token is cancelled, and waits for all answers.
pub(super) async fn vote(state: Arc<State>, slug: String, closed: CancellationToken) {
    let mut casts = JoinSet::new();
    for option in (0..OPTIONS.len()).cycle() {
        if closed.is_cancelled() {
            break;
        }
        casts.spawn(cast(state.clone(), slug.clone(), option));
        while casts.try_join_next().is_some() {}
        tokio::time::sleep(CAST_EVERY).await;
    }
    while casts.join_next().await.is_some() {}
}

async fn cast(state: Arc<State>, slug: String, option: usize) {
    let voter = VoterId::new();
    let name = state.cookies.cookie_name("voter", CookieKind::Plain);
    let cookie = format!("{name}={}", state.cookies.sign("voter", voter, now_ms() / 1_000));
    let path = format!("/api/polls/{slug}/ballots");
    let body = format!(r#"{{"choices":["{}"]}}"#, OPTIONS[option]);
    let reply = http::post(state.vote_port, &path, &cookie, &body, ANSWER_WITHIN).await;
    let answer = match reply {
        Ok(Reply { status: 202, .. }) => Cast::Acknowledged,
        Ok(Reply { status: 503, retry_after: true, .. }) | Err(HttpError::NoReply) => Cast::Unknown,
        // The poll has closed, or this producer has not read its definition yet.
        Ok(Reply { status: 403 | 404, .. }) | Err(HttpError::NotConnected) => return,
        Ok(Reply { status, body, .. }) => {
            state.wrong().push(format!("status {status} in poll {slug}: {body}"));
            Cast::Unknown
        }
    };
    let mut polls = state.polls();
    polls.entry(slug).or_default().ledger.cast(voter, option, answer);
}
