//! What the audit tells.

use serde::Serialize;
use votestream_schema::{Poll, Slug};

use super::balance::{Judged, Verdict};
use super::books::Books;
use super::recount::Recount;
use super::streams::Streams;
use crate::output::table;

/// Two numbers that must be equal.
#[derive(Debug, Serialize)]
struct Check {
    check: String,
    stored: i64,
    recounted: i64,
    verdict: Verdict,
}

/// All checks of one poll.
#[derive(Debug, Serialize)]
pub struct PollReport {
    poll: Slug,
    checks: Vec<Check>,
    balance: Judged,
}

impl PollReport {
    /// From its recount and its balance.
    pub fn new(poll: &Poll, recount: &Recount, balance: Judged) -> Self {
        let Recount { stored, recounted, .. } = recount;
        let check = |check: String, stored: i64, recounted: i64| Check {
            verdict: Verdict::of(stored, recounted),
            check,
            stored,
            recounted,
        };
        let votes = |tally: &votestream_schema::tally::Tally, position: usize| {
            tally.votes.get(position).copied().unwrap_or(0)
        };
        let options = poll.options.iter().enumerate().map(|(position, option)| {
            let name = format!("votes for {}", option.slug);
            check(name, votes(stored, position), votes(recounted, position))
        });
        let rest = [
            check("voters".to_owned(), stored.voters, recounted.voters),
            check("series, sum".to_owned(), recount.series, recounted.voters),
            check("series, wrong seconds".to_owned(), recount.seconds_different, 0),
        ];
        Self { poll: poll.slug.clone(), checks: options.chain(rest).collect(), balance }
    }

    fn is_ok(&self) -> bool {
        let verdicts = self.checks.iter().map(|check| check.verdict);
        verdicts.chain([self.balance.verdict]).all(|verdict| verdict != Verdict::Different)
    }
}

/// The whole audit.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether nothing is different.
    pub ok: bool,
    polls: Vec<PollReport>,
    /// Entries in the streams, of all polls.
    entries: i64,
    /// Of these, delivered and not acknowledged.
    pending: i64,
    /// Of these, not delivered yet.
    lag: i64,
    /// Entries and dead letters that no producer wrote: not decodable, of no poll, or with choices
    /// that their poll does not allow.
    not_our_ballots: i64,
    /// Whether Redis lost entries, or would.
    streams: Streams,
}

impl Report {
    /// From all polls' reports.
    pub fn new(polls: Vec<PollReport>, books: &Books, streams: Streams) -> Self {
        Self {
            ok: polls.iter().all(PollReport::is_ok) && streams.is_ok(),
            polls,
            entries: books.entries,
            pending: books.pending,
            lag: (books.entries - books.pending).max(0),
            not_our_ballots: books.not_ours,
            streams,
        }
    }

    /// For people.
    pub fn describe(&self) -> String {
        let mut parts: Vec<String> = self.polls.iter().map(describe_poll).collect();
        parts.push(format!(
            "under way in all polls: {} entries, {} pending, {} lag",
            self.entries, self.pending, self.lag
        ));
        if self.not_our_ballots > 0 {
            parts.push(format!(
                "not our ballots: {} entries or dead letters that no producer wrote; see `votectl \
                 dead-letters list`",
                self.not_our_ballots
            ));
        }
        parts.extend(self.streams.describe());
        parts.join("\n")
    }
}

fn describe_poll(report: &PollReport) -> String {
    let row = |check: &Check| {
        [
            format!("  {}", check.check),
            check.stored.to_string(),
            check.recounted.to_string(),
            check.verdict.as_str().to_owned(),
        ]
    };
    let rows: Vec<_> = report.checks.iter().map(row).collect();
    let header = ["  CHECK", "STORED", "RECOUNTED", ""];
    format!(
        "poll {}\n{}\n  {}\n",
        report.poll,
        table(header, &[1, 2], &rows),
        describe_balance(&report.balance)
    )
}

fn describe_balance(judged: &Judged) -> String {
    let balance = &judged.balance;
    let accepted = match balance.accepted {
        (first, last) if first == last => last.to_string(),
        (first, last) => format!("{first} to {last}"),
    };
    let mut text = format!(
        "balance: accepted {accepted}, found {} = counted {} + superseded {} + out of time {} + dead \
         {} + dropped {} + under way {}  {}",
        balance.found(),
        balance.counted,
        balance.superseded,
        balance.out_of_time,
        balance.dead,
        balance.dropped,
        balance.under_way,
        judged.verdict.as_str(),
    );
    if balance.unread > 0 {
        text.push_str(&format!(
            "\n  {} entries of all polls were not read: with --wait the balance becomes exact",
            balance.unread
        ));
    }
    if let Some(why) = &judged.why {
        text.push_str(&format!("\n  {why}"));
    }
    text
}
