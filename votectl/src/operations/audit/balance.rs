//! Compares the ballots that were accepted with those that are found.

use serde::Serialize;

/// Both sides of one poll's balance, as numbers of ballots.
#[derive(Clone, Debug, Serialize)]
pub struct Balance {
    /// Ballots that were ever accepted, by Redis' counters before and after the rest was read.
    pub accepted: (i64, i64),
    /// Ballots that stand as votes.
    pub counted: i64,
    /// Ballots that another ballot of the same voter replaced or beat.
    pub superseded: i64,
    /// Ballots that came before the opening or after the close.
    pub out_of_time: i64,
    /// Ballots that are dead letters.
    pub dead: i64,
    /// Ballots in dead letters that an operator dropped.
    pub dropped: i64,
    /// Ballots that lie in the streams and are not counted yet.
    #[serde(rename = "under_way")]
    pub in_flight: i64,
    /// Entries of all polls that were too many to be read; each may be a ballot of this poll.
    pub unread: i64,
}

/// The outcome of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// Both sides agree.
    Ok,
    /// The sides differ.
    Different,
    /// One side is not known any more, so the comparison proves nothing.
    Unproved,
}

impl CheckOutcome {
    /// [`Self::Ok`] if the two numbers are equal.
    pub fn of(one: i64, other: i64) -> Self {
        if one == other { Self::Ok } else { Self::Different }
    }

    /// The word for people; differences are in capitals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Different => "DIFFERENT",
            Self::Unproved => "UNPROVED",
        }
    }
}

/// A balance with its outcome.
#[derive(Clone, Debug, Serialize)]
pub struct BalanceCheck {
    /// Both sides of the balance.
    #[serde(flatten)]
    pub balance: Balance,
    /// Whether the sides agree.
    pub verdict: CheckOutcome,
    /// The likely cause, if the sides do not agree.
    pub why: Option<String>,
}

impl Balance {
    /// The number of ballots that were found, whatever became of them.
    pub fn found(&self) -> i64 {
        self.counted
            + self.superseded
            + self.out_of_time
            + self.dead
            + self.dropped
            + self.in_flight
    }

    /// Compares the sides. `lost` is the reason why Redis' counters are incomplete, if they are.
    pub fn check(self, lost: Option<String>) -> BalanceCheck {
        let found = self.found();
        let (first, last) = self.accepted;
        let (verdict, why) = if found + self.unread < first {
            let missing = first - found - self.unread;
            (
                CheckOutcome::Different,
                Some(format!("{missing} accepted ballots are nowhere to be found")),
            )
        } else if found <= last {
            (CheckOutcome::Ok, None)
        } else if lost.is_some() {
            (CheckOutcome::Unproved, lost)
        } else {
            let more = found - last;
            (
                CheckOutcome::Different,
                Some(format!(
                    "{more} ballots were never accepted by a producer: somebody else wrote to the \
                     streams or the tables, or redis lost counters at a failover"
                )),
            )
        };
        BalanceCheck { balance: self, verdict, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(accepted: (i64, i64), in_flight: i64, unread: i64) -> Balance {
        Balance {
            accepted,
            counted: 5,
            superseded: 1,
            out_of_time: 1,
            dead: 1,
            dropped: 1,
            in_flight,
            unread,
        }
    }

    #[test]
    fn every_accepted_ballot_must_be_somewhere() {
        assert_eq!(balance((9, 9), 0, 0).check(None).verdict, CheckOutcome::Ok);
        assert_eq!(balance((10, 10), 1, 0).check(None).verdict, CheckOutcome::Ok);
        let lost = balance((10, 10), 0, 0).check(None);
        assert_eq!(lost.verdict, CheckOutcome::Different);
        assert!(lost.why.unwrap().starts_with("1 accepted"));
    }

    #[test]
    fn ballots_that_come_in_meanwhile_are_allowed_for() {
        assert_eq!(balance((8, 12), 1, 0).check(None).verdict, CheckOutcome::Ok);
        assert_eq!(balance((11, 12), 1, 0).check(None).verdict, CheckOutcome::Different);
        assert_eq!(balance((5, 9), 1, 0).check(None).verdict, CheckOutcome::Different);
        assert_eq!(balance((100, 100), 1, 95).check(None).verdict, CheckOutcome::Ok);
    }

    #[test]
    fn lost_counters_prove_nothing_but_never_hide_a_lost_ballot() {
        let lost = || Some("redis lost counters".to_owned());
        assert_eq!(balance((2, 2), 0, 0).check(lost()).verdict, CheckOutcome::Unproved);
        assert_eq!(balance((10, 10), 0, 0).check(lost()).verdict, CheckOutcome::Different);
    }
}
