//! Whether every accepted ballot is accounted for.

use serde::Serialize;

/// Both sides of one poll's balance.
#[derive(Clone, Debug, Serialize)]
pub struct Balance {
    /// Ballots accepted by the first and by the last look.
    pub accepted: (i64, i64),
    /// Votes.
    pub counted: i64,
    /// Replaced by another ballot of the same voter, or beaten by it.
    pub superseded: i64,
    /// Came before the opening or after the close.
    pub out_of_time: i64,
    /// Dead letters.
    pub dead: i64,
    /// Dead letters that an operator dropped.
    pub dropped: i64,
    /// In the streams, and not counted yet.
    pub under_way: i64,
    /// Entries too many to be read, which may be of this poll.
    pub unread: i64,
}

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both sides agree.
    Ok,
    /// They do not.
    Different,
    /// One side is not known any more.
    Unproved,
}

impl Verdict {
    /// Of two numbers.
    pub fn of(one: i64, other: i64) -> Self {
        if one == other { Self::Ok } else { Self::Different }
    }

    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Different => "DIFFERENT",
            Self::Unproved => "UNPROVED",
        }
    }
}

/// A balance with what follows from it.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// Both sides.
    #[serde(flatten)]
    pub balance: Balance,
    /// Whether they agree.
    pub verdict: Verdict,
    /// Where they do not: what that may mean.
    pub why: Option<String>,
}

impl Balance {
    /// All ballots found, whatever became of them.
    pub fn found(&self) -> i64 {
        self.counted
            + self.superseded
            + self.out_of_time
            + self.dead
            + self.dropped
            + self.under_way
    }

    /// Judges; `lost` tells why Redis' counters cannot be all, where that is so.
    pub fn judged(self, lost: Option<String>) -> Judged {
        let found = self.found();
        let (first, last) = self.accepted;
        let (verdict, why) = if found + self.unread < first {
            let missing = first - found - self.unread;
            (
                Verdict::Different,
                Some(format!("{missing} accepted ballots are nowhere to be found")),
            )
        } else if found <= last {
            (Verdict::Ok, None)
        } else if lost.is_some() {
            (Verdict::Unproved, lost)
        } else {
            let more = found - last;
            (
                Verdict::Different,
                Some(format!(
                    "{more} ballots were never accepted by a producer: somebody else wrote to the \
                     streams or the tables, or redis lost counters at a failover"
                )),
            )
        };
        Judged { balance: self, verdict, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(accepted: (i64, i64), under_way: i64, unread: i64) -> Balance {
        Balance {
            accepted,
            counted: 5,
            superseded: 1,
            out_of_time: 1,
            dead: 1,
            dropped: 1,
            under_way,
            unread,
        }
    }

    #[test]
    fn every_accepted_ballot_must_be_somewhere() {
        assert_eq!(balance((9, 9), 0, 0).judged(None).verdict, Verdict::Ok);
        assert_eq!(balance((10, 10), 1, 0).judged(None).verdict, Verdict::Ok);
        let lost = balance((10, 10), 0, 0).judged(None);
        assert_eq!(lost.verdict, Verdict::Different);
        assert!(lost.why.unwrap().starts_with("1 accepted"));
    }

    #[test]
    fn what_comes_in_meanwhile_is_allowed_for() {
        assert_eq!(balance((8, 12), 1, 0).judged(None).verdict, Verdict::Ok);
        assert_eq!(balance((11, 12), 1, 0).judged(None).verdict, Verdict::Different);
        assert_eq!(balance((5, 9), 1, 0).judged(None).verdict, Verdict::Different);
        assert_eq!(balance((100, 100), 1, 95).judged(None).verdict, Verdict::Ok);
    }

    #[test]
    fn lost_counters_prove_nothing_but_never_hide_a_lost_ballot() {
        let lost = || Some("redis lost counters".to_owned());
        assert_eq!(balance((2, 2), 0, 0).judged(lost()).verdict, Verdict::Unproved);
        assert_eq!(balance((10, 10), 0, 0).judged(lost()).verdict, Verdict::Different);
    }
}
