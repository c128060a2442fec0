//! A challenge that the voter's browser solves by calculating.

use std::future::ready;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_schema::submission::work::{AGE_MAX_S, Challenge as Work, PARTS, Solution};

use super::kind::{Challenge, Challenged, Verdict};
use crate::cookie_keys::CookieKeys;

/// Proofs of work of this cost.
pub(super) struct ProofOfWork {
    hashes: u32,
    cookie_keys: CookieKeys,
}

impl ProofOfWork {
    /// Makes challenges that take so many hashes on average.
    pub(super) fn new(hashes: u32, cookie_keys: CookieKeys) -> Self {
        Self { hashes, cookie_keys }
    }
}

impl Challenge for ProofOfWork {
    fn describe(&self, of: Challenged<'_>) -> Value {
        let now_ms = now_ms();
        let keys = self.cookie_keys.ring();
        let work = Work::new(&keys, of.poll.id, of.voter, self.hashes, now_ms / 1_000);
        let seed: String = work.seed().iter().map(|byte| format!("{byte:02x}")).collect();
        json!({
            "kind": "work",
            "text": work.text,
            "seed": seed,
            "parts": PARTS,
            "below": work.below(),
            "hashes": work.hashes,
            "expires_at": rfc3339(now_ms + AGE_MAX_S * 1_000),
        })
    }

    fn check<'a>(&'a self, of: Challenged<'a>, solution: &'a str) -> BoxFuture<'a, Verdict> {
        let keys = self.cookie_keys.ring();
        let verified = Solution::parse(solution)
            .and_then(|it| it.verify(&keys, of.poll.id, of.voter, now_ms() / 1_000));
        Box::pin(ready(match verified {
            Ok(()) => Verdict::Solved,
            Err(unsolved) => Verdict::Wrong(unsolved.to_string()),
        }))
    }

    fn is_up(&self) -> bool {
        true
    }
}
