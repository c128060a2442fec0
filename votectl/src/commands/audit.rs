//! `votectl audit`.

use std::time::Duration;

use votestream_schema::Slug;
use votestream_schema::db::positions::Regression;
use votestream_votectl::Servers;
use votestream_votectl::operations::audit::{
    BalanceCheck, Check, ContentsCheck, Options, PollReport, Report, Streams, audit,
};

use crate::cli_error::CliError;
use crate::output::{Output, note, table};

const EXAMPLES: &str = "Examples:
  votectl audit
  votectl audit cats-vs-dogs --wait 30 --json

Recounts every vote and compares it with tally, number of voters and series; then balances
  accepted = counted + superseded + out of time + dead + dropped + under way.
Then compares the register of voters in redis with the votes, voter by voter: a ballot that is registered must be counted,
under way, set aside or a dead letter.
Also says which streams in redis went back behind a position that they had reached before, which means that redis lost
acknowledged entries, and whether the next restart of redis would lose any.
Exit code 1 when anything is DIFFERENT, a stream went back, or a poll cannot be read. UNPROVED means that redis lost
its register or the counters of accepted ballots: the recount still holds, but nobody can tell any more whether a ballot
was lost.";

/// Recount all votes, and check that every accepted ballot is accounted for
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The slug of the only poll to audit
    slug: Option<Slug>,
    /// First wait until the streams are empty, for so many seconds at most
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u32,
    /// Take note of all streams that went back, so that they no longer fail the audit and the alert ends
    #[arg(long)]
    acknowledge_regressions: bool,
}

/// Runs the command.
pub async fn run(args: Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let Args { slug, wait, acknowledge_regressions } = args;
    let wait = Duration::from_secs(wait.into());
    let report = audit(servers, &Options { slug, wait, acknowledge_regressions }).await?;
    if let Some(acknowledged) = report.streams.acknowledged {
        note(&format!("took note of {acknowledged} streams that went back"));
    }
    output.print(&report, || describe(&report))?;
    match report.ok {
        true => Ok(()),
        false => Err(CliError::Refused(
            "the audit found a difference; keep both servers' data for whoever looks into it",
        )),
    }
}

fn describe(report: &Report) -> String {
    let mut parts: Vec<String> = report.polls.iter().map(describe_poll).collect();
    parts.push(format!(
        "under way in all polls: {} entries, {} pending, {} lag",
        report.entries, report.pending, report.lag
    ));
    if report.not_our_ballots > 0 {
        parts.push(format!(
            "not our ballots: {} entries or dead letters that no producer wrote; see `votectl \
             dead-letters list`",
            report.not_our_ballots
        ));
    }
    parts.extend(report.unreadable_polls.iter().map(|poll| format!("NOT AUDITED: {poll}")));
    parts.extend(describe_streams(&report.streams));
    parts.join("\n")
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
        "poll {}\n{}\n  {}\n  {}\n",
        report.poll,
        table(header, &[1, 2], &rows),
        describe_balance(&report.balance),
        describe_register(report.register.as_ref())
    )
}

fn describe_register(checked: Option<&ContentsCheck>) -> String {
    let Some(ContentsCheck { contents, unregistered, verdict, why }) = checked else {
        return "register: no longer kept for this poll, so not compared".to_owned();
    };
    let mut text = format!(
        "register: {} voters = counted {} + under way {} + set aside {} + dead {} + missing {} + unknown {}; \
         {unregistered} votes of others  {}",
        contents.registered,
        contents.counted,
        contents.under_way,
        contents.set_aside,
        contents.dead,
        contents.missing,
        contents.unknown,
        verdict.as_str(),
    );
    if let Some(why) = why {
        text.push_str(&format!("\n  {why}"));
    }
    text
}

fn describe_balance(checked: &BalanceCheck) -> String {
    let balance = &checked.balance;
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
        balance.in_flight,
        checked.verdict.as_str(),
    );
    if balance.unread > 0 {
        text.push_str(&format!(
            "\n  {} entries of all polls were not read: with --wait the balance becomes exact",
            balance.unread
        ));
    }
    if let Some(why) = &checked.why {
        text.push_str(&format!("\n  {why}"));
    }
    text
}

/// One line for each loss, and one if a restart would lose ballots or nobody knows.
fn describe_streams(streams: &Streams) -> Vec<String> {
    let loss = |regression: &Regression| {
        let found = jiff::Timestamp::from_millisecond(regression.found_at_ms);
        format!(
            "REDIS LOST ENTRIES of partition {}, found at {}: last ID {} before and {} after, entries ever \
             added {} before and {} after; `votectl audit --acknowledge-regressions` when you have taken note",
            regression.partition,
            found.map_or_else(|_| regression.found_at_ms.to_string(), |time| time.to_string()),
            regression.last_before,
            regression.last_after,
            regression.added_before,
            regression.added_after,
        )
    };
    let restart = streams.why.as_ref().map(|why| match streams.survives_restart {
        "no" => format!("A RESTART OF REDIS WOULD LOSE BALLOTS that wait: {why}"),
        _ => format!("whether a restart of redis keeps what waits is not known: {why}"),
    });
    streams.regressions.iter().map(loss).chain(restart).collect()
}
