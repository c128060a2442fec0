//! The challenges that a target asks of new voters.
//!
//! A proof of work is solved as a browser would do it. A challenge of another service (siteverify) is made for people, and
//! no load tester can solve it.

use serde::{Deserialize, Serialize};
use votestream_schema::submission::work;

/// A challenge in the reply to a ballot.
#[derive(Debug)]
pub(crate) enum Challenge {
    /// A proof of work.
    Work(work::Challenge),
    /// A challenge of this kind, which cannot be solved here.
    Impossible(String),
}

/// The challenges of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Challenges {
    /// Challenges that the target asked for, with the warm-up.
    pub asked: u64,
    /// Proofs of work that were calculated.
    pub solved: u64,
    /// Hashes that those took, on average as the target states it.
    pub hashes: u64,
    /// Processor time of the load tester for them, in microseconds.
    pub cpu_us: u64,
    /// Challenges that no load tester can solve. Their ballots were refused.
    pub impossible: u64,
    /// The kind of these, such as `siteverify`.
    pub impossible_kind: Option<String>,
}

impl Challenges {
    /// Adds the challenges of another worker or run.
    pub(crate) fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.solved += other.solved;
        self.hashes += other.hashes;
        self.cpu_us += other.cpu_us;
        self.impossible += other.impossible;
        self.impossible_kind =
            self.impossible_kind.take().or_else(|| other.impossible_kind.clone());
    }
}

/// Reads the challenge in a problem; `None` if the body has none.
pub(crate) fn read(body: &[u8]) -> Option<Challenge> {
    #[derive(Deserialize)]
    struct Problem {
        challenge: Asked,
    }
    #[derive(Deserialize)]
    struct Asked {
        kind: String,
        #[serde(default)]
        text: String,
        #[serde(default)]
        hashes: u32,
    }
    let Asked { kind, text, hashes } = serde_json::from_slice::<Problem>(body).ok()?.challenge;
    // A target that asks for more than any producer does would keep the load tester busy for ever.
    Some(match kind.as_str() {
        "work" if work::HASHES.contains(&hashes) => {
            Challenge::Work(work::Challenge { text, hashes })
        }
        _ => Challenge::Impossible(kind),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_of_work_is_told_from_what_cannot_be_solved() {
        let kind = |challenge: &str| read(format!(r#"{{"challenge":{challenge}}}"#).as_bytes());
        let work = kind(r#"{"kind":"work","text":"w1.a.b.c","hashes":400000,"parts":16}"#);
        let Some(Challenge::Work(work)) = work else { panic!("{work:?}") };
        assert_eq!((work.text.as_str(), work.hashes), ("w1.a.b.c", 400_000));
        for other in [
            r#"{"kind":"siteverify","site_key":"k","script":"https://a.example/"}"#,
            r#"{"kind":"work","text":"w1.a.b.c","hashes":4000000000}"#,
        ] {
            assert!(matches!(kind(other), Some(Challenge::Impossible(_))), "{other}");
        }
        assert!(read(br#"{"type":"not-open"}"#).is_none() && read(b"<html>").is_none());
    }
}
