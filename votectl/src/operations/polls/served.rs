//! Waits until every producer serves a poll that has just been written to Redis.

use std::time::{Duration, Instant};

use serde::Serialize;
use votestream_schema::Slug;
use votestream_schema::projection::presence::{self, Presence};

use crate::error::Error;
use crate::servers::Redis;

/// Producers read the polls every second; one that needs longer than this is named.
const SERVED_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Which producers serve a poll.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Served {
    /// Producers that are alive and serve the poll.
    pub serving: usize,
    /// Producers that are alive and do not, each with the reason.
    pub late: Vec<String>,
}

/// Waits until every producer that is alive has read the poll, for five seconds at most.
pub(super) async fn wait(redis: &mut Redis, slug: &Slug) -> Result<Served, Error> {
    let written_at_ms = redis.now_ms().await?;
    let since = Instant::now();
    loop {
        let now_ms = redis.now_ms().await?;
        let producers = redis.send(&presence::all(&redis.keys)).await?;
        let producers = presence::parse(producers);
        let served = served(&producers, slug, written_at_ms, now_ms);
        if served.late.is_empty() || since.elapsed() >= SERVED_WITHIN {
            return Ok(served);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn served(
    producers: &[(String, Presence)],
    slug: &Slug,
    written_at_ms: i64,
    now_ms: i64,
) -> Served {
    let mut served = Served::default();
    for (name, presence) in producers.iter().filter(|(_, presence)| presence.is_alive(now_ms)) {
        if presence.unreadable.iter().any(|unreadable| unreadable == slug.as_str()) {
            served.late.push(format!("{name} (its release cannot read the poll)"));
        } else if presence.read_at_ms < written_at_ms {
            let age_s = (now_ms - presence.read_at_ms) / 1_000;
            served.late.push(format!("{name} (it last read the polls {age_s} s ago)"));
        } else {
            served.serving += 1;
        }
    }
    served
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_serves_a_poll_that_it_has_read_since() {
        let producer = |name: &str, read_at_ms, unreadable: &[&str]| {
            let unreadable = unreadable.iter().map(|slug| (*slug).to_owned()).collect();
            (name.to_owned(), Presence { read_at_ms, unreadable })
        };
        let producers = [
            producer("a", 20_001, &[]),
            producer("dead", 1_000, &[]),
            producer("old", 20_001, &["pets"]),
            producer("slow", 17_000, &[]),
        ];
        let slug = "pets".parse().unwrap();
        let served = served(&producers, &slug, 20_000, 20_500);
        assert_eq!(served.serving, 1);
        let late =
            ["old (its release cannot read the poll)", "slow (it last read the polls 3 s ago)"];
        assert_eq!(served.late, late);
    }
}
