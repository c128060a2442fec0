//! The result of an audit.

use serde::Serialize;
use votestream_schema::db::UnreadablePoll;
use votestream_schema::tally::Tally;
use votestream_schema::{Poll, Slug};

use super::balance::{BalanceCheck, CheckOutcome};
use super::contents::ContentsCheck;
use super::recount::Recount;
use super::stream_counts::StreamCounts;
use super::streams::Streams;

/// Two numbers that must be equal.
#[derive(Debug, Serialize)]
pub struct Check {
    /// The name of the check, such as `votes for cats`.
    pub check: String,
    /// The number that Postgres stores.
    pub stored: i64,
    /// The number by a recount of the votes.
    pub recounted: i64,
    /// Whether the two are equal.
    pub verdict: CheckOutcome,
}

/// All checks of one poll.
#[derive(Debug, Serialize)]
pub struct PollReport {
    /// The poll.
    pub poll: Slug,
    /// The stored results against a recount; empty if the poll's votes were deleted.
    pub checks: Vec<Check>,
    /// The accepted ballots against those that were found.
    pub balance: BalanceCheck,
    /// The register against the votes; `None` if the register is no longer kept.
    pub register: Option<ContentsCheck>,
}

impl PollReport {
    pub(super) fn new(
        poll: &Poll,
        recount: &Recount,
        balance: BalanceCheck,
        register: Option<ContentsCheck>,
    ) -> Self {
        let checks = recount.recounted.as_ref();
        let checks = checks.map_or_else(Vec::new, |recounted| checks_of(poll, recount, recounted));
        Self { poll: poll.slug.clone(), checks, balance, register }
    }

    fn is_ok(&self) -> bool {
        let verdicts = self.checks.iter().map(|check| check.verdict);
        let register = self.register.iter().map(|register| register.verdict);
        verdicts
            .chain([self.balance.verdict])
            .chain(register)
            .all(|verdict| verdict != CheckOutcome::Different)
    }
}

/// Compares the stored results with a recount of the votes.
fn checks_of(poll: &Poll, recount: &Recount, recounted: &Tally) -> Vec<Check> {
    let stored = &recount.stored;
    let check = |check: String, stored: i64, recounted: i64| Check {
        verdict: CheckOutcome::of(stored, recounted),
        check,
        stored,
        recounted,
    };
    let votes = |tally: &Tally, position: usize| tally.votes.get(position).copied().unwrap_or(0);
    let options = poll.options.iter().enumerate().map(|(position, option)| {
        let name = format!("votes for {}", option.slug);
        check(name, votes(stored, position), votes(recounted, position))
    });
    let sums = [
        check("voters".to_owned(), stored.voters, recounted.voters),
        check("series, sum".to_owned(), recount.series, recounted.voters),
    ];
    let seconds =
        recount.seconds_different.map(|n| check("series, wrong seconds".to_owned(), n, 0));
    let codes = recount.without_code.map(|n| check("votes without a code".to_owned(), n, 0));
    options.chain(sums).chain(seconds).chain(codes).collect()
}

/// The whole audit.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether all polls were audited, nothing is different, and no stream went back.
    pub ok: bool,
    /// The polls that were audited.
    pub polls: Vec<PollReport>,
    /// The polls that this release cannot read, and so could not audit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable_polls: Vec<String>,
    /// Entries in the streams, of all polls.
    pub entries: i64,
    /// Entries that were delivered to a consumer and not acknowledged.
    pub pending: i64,
    /// Entries that were not delivered yet.
    pub lag: i64,
    /// Entries and dead letters that no producer wrote: not decodable, of no poll, or with choices
    /// that their poll does not allow.
    pub not_our_ballots: i64,
    /// Whether Redis lost entries, or would.
    pub streams: Streams,
}

impl Report {
    pub(super) fn new(
        polls: Vec<PollReport>,
        unreadable: &[UnreadablePoll],
        counts: &StreamCounts,
        streams: Streams,
    ) -> Self {
        let all_agree = polls.iter().all(PollReport::is_ok);
        Self {
            ok: all_agree && unreadable.is_empty() && streams.is_ok(),
            polls,
            unreadable_polls: unreadable.iter().map(UnreadablePoll::to_string).collect(),
            entries: counts.entries,
            pending: counts.pending,
            lag: (counts.entries - counts.pending).max(0),
            not_our_ballots: counts.not_ours,
            streams,
        }
    }
}
