//! The result of a poll as it stood at a past second, as a page and as JSON. It follows the poll's visibility as the entries of
//! the log do, because it is made of them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_service::http;
use votestream_service::language::Message;
use votestream_service::listener::Head;
use votestream_service::page::render;
use votestream_service::problem::Problem;
use warp::http::StatusCode;
use warp::reply::{Reply, Response};

use super::log::{expect_open, missing};
use super::pages::words_of;
use super::{AppState, public};
use crate::pages::past::{PastOption, PastPage};
use crate::past::{NoSum, PastResult};
use crate::snapshot::Snapshot;

impl AppState {
    /// Returns the result of a past second, for `GET /api/polls/{slug}/at/{time}`.
    pub(crate) async fn past_json(&self, slug: &str, time: &str) -> Response {
        let outcome = self.past(slug, time).await.map(|(snapshot, second, past)| {
            let options = snapshot.poll.options.iter().enumerate().map(|(position, option)| {
                json!({
                    "slug": option.slug,
                    "label": option.label,
                    "votes": past.standing.votes(position),
                })
            });
            let body = json!({
                "poll": snapshot.poll.slug,
                "at": rfc3339(second * 1_000),
                "options": options.collect::<Vec<_>>(),
                "voters": past.standing.voters,
                "entries": past.entries,
                "series_agrees": past.in_log == past.in_series,
                "standing": [past.in_log, past.in_series],
            });
            http::json(StatusCode::OK, body.to_string())
        });
        public(outcome.unwrap_or_else(Reply::into_response))
    }

    /// Renders the result of a past second, for `GET /polls/{slug}/at/{time}`.
    pub(crate) async fn past_page(
        &self,
        slug: &str,
        time: &str,
        head: &Head,
        query: &str,
    ) -> Response {
        let (snapshot, second, past) = match self.past(slug, time).await {
            Ok(found) => found,
            Err(problem) => return self.problem_page(&problem, head, query),
        };
        let words = words_of(&snapshot, Some(head), query);
        let poll = &snapshot.poll;
        let (title, title_lang) = poll.title_in(words.lang()).to_owned_parts();
        let options = poll.options.iter().enumerate().map(|(position, option)| {
            let (label, label_lang) = poll.label_in(option, words.lang()).to_owned_parts();
            PastOption { label, label_lang, votes: past.standing.votes(position).unsigned_abs() }
        });
        let page = PastPage {
            words,
            title,
            title_lang,
            base: self.base.clone(),
            slug: slug.to_owned(),
            second,
            now_second: now_ms().div_euclid(1_000),
            options: options.collect(),
            voters: past.standing.voters.unsigned_abs(),
            in_log: past.in_log.unsigned_abs(),
            in_series: past.in_series.unsigned_abs(),
        };
        render(StatusCode::OK, words, &page, Some(&head.headers))
    }

    /// Returns the poll, the second that the address names, and the result at its end.
    async fn past(
        &self,
        slug: &str,
        time: &str,
    ) -> Result<(Arc<Snapshot>, i64, PastResult), Problem> {
        let snapshot = self.logged(slug)?;
        expect_open(&snapshot)?;
        let time: Timestamp =
            time.parse().map_err(|_| missing(Message::new("detail-no-second")))?;
        let second = time.as_millisecond().div_euclid(1_000);
        if second >= now_ms().div_euclid(1_000) {
            return Err(missing(Message::new("detail-second-to-come")));
        }
        let outcome = self.pasts.at(snapshot.poll.id, second).await;
        match outcome.map_err(|error| self.log_away(slug, &error))? {
            Ok(past) => Ok((snapshot, second, past)),
            Err(NoSum::TooLong) => {
                Err(missing(Message::new("detail-log-too-long").with("poll", slug)))
            }
            Err(NoSum::Wrong(reason)) => {
                tracing::error!(
                    poll = slug,
                    "the public log of poll `{slug}` cannot be added up, and its past results are answered with 503: {reason}. \
                     The runbook PublicLogBehind says what to do"
                );
                Err(Problem::unavailable(Message::new("detail-log-wrong")))
            }
        }
    }
}
