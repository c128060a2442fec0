//! `votectl verify`.

use std::cell::Cell;
use std::io::IsTerminal;
use std::path::PathBuf;

use votestream_votectl::verify::{
    self, Check, Options, ReceiptReport, Report, Verdict, default_file,
};

use crate::cli_error::CliError;
use crate::output::{Output, note, visible};

const EXAMPLES: &str = "Examples:
  votectl verify https://results.example.org/polls/pets
  votectl verify https://results.example.org/polls/pets --receipt receipt-pets.json --json
  votectl verify https://results.example.org/polls/pets --receipt journal.jsonl    (of loadtest --journal)

Needs no account and no server of the deployment but its dashboard. Reads the public log, checks its signature, counts all
ballots again, and compares the result with the published one. Remembers the log's keys and checkpoints, and calls it a FORK if
the log is not the continuation of an earlier one.
The public keys are believed when a log is seen for the first time; with --key, only these are. With --witness, independent
servers must have signed the log, which see whether others are shown another one.
Exit codes: 0 everything was checked and is right, 1 something could not be checked, 2 something is wrong.";

/// The most receipts that are listed one by one.
const RECEIPTS_LISTED_MAX: usize = 20;

/// Check a poll from outside: recount its public log, and look for receipts in it
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The address of the poll's results: `https://results.example.org/polls/pets`
    url: String,
    /// Check the receipt in this file too, or all in a file with one in each line, such as the journal of the load tester;
    /// may be given several times
    #[arg(long = "receipt", value_name = "FILE")]
    receipts: Vec<PathBuf>,
    /// Believe this public key, of the form `name+id+key`, instead of those that are published; may be given several times
    #[arg(long = "key", value_name = "PUBLICKEY")]
    keys: Vec<String>,
    /// Expect that the witness with this public key has signed the log; may be given several times
    #[arg(long = "witness", value_name = "PUBLICKEY")]
    witnesses: Vec<String>,
    /// Remember keys and checkpoints in this file [default: votestream/verify.json below $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    let mut receipts = Vec::new();
    for path in &args.receipts {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => receipts.extend(verify::read_file(&file, &text)),
            Err(error) => return Err(CliError::File { path: file, error }),
        }
    }
    let options = Options {
        url: args.url.clone(),
        receipts,
        keys: args.keys.clone(),
        witnesses: args.witnesses.clone(),
        state: match &args.state {
            Some(file) => file.clone(),
            None => default_file().map_err(verify::Error::from)?,
        },
        ca_file: args.ca_file.clone(),
    };
    let report = verify::verify(&options, &progress())?;
    output.print(&report, || describe(&report))?;
    match report.verdict {
        Verdict::Good => Ok(()),
        verdict => Err(CliError::Verified(verdict)),
    }
}

/// Shows on a terminal how far the download is, at each tenth.
fn progress() -> impl Fn(u64, u64) {
    let shown = Cell::new(0);
    let is_shown = std::io::stderr().is_terminal();
    move |done, all| {
        let tenths = done * 10 / all.max(1);
        if is_shown && tenths > shown.get() {
            shown.set(tenths);
            note(&format!("{done} of {all} entries"));
        }
    }
}

fn describe(report: &Report) -> String {
    let mut lines = vec![match &report.origin {
        Some(origin) => format!("{}, log {}", report.url, visible(origin)),
        None => report.url.clone(),
    }];
    lines.extend(report.checks.iter().map(describe_check));
    lines.extend(describe_receipts(&report.receipts));
    if let Some(voters) = report.voters {
        let votes = report.counted.iter().map(|it| format!("{} {}", visible(&it.label), it.votes));
        lines.push(format!("recount: {}; {voters} people", votes.collect::<Vec<_>>().join(", ")));
    }
    if let Some(note) = report.checkpoint.as_ref().and_then(|it| it.cosigned.as_ref()) {
        let signed =
            "the newest checkpoint that witnesses signed (--witness checks their signatures):";
        lines.push(signed.to_owned());
        lines.extend(note.trim_end().lines().map(|line| format!("  {}", visible(line))));
    }
    for evidence in &report.evidence {
        lines.push(format!(
            "evidence:\n{}",
            evidence.lines().map(visible).collect::<Vec<_>>().join("\n")
        ));
    }
    lines.join("\n")
}

/// Lists a few receipts with all their checks, or sums up many of them and lists those that are not good.
fn describe_receipts(all: &[ReceiptReport]) -> Vec<String> {
    let mut lines = Vec::new();
    let is_short = all.len() <= RECEIPTS_LISTED_MAX;
    if !is_short {
        let of = |verdict| all.iter().filter(|it| it.verdict() == verdict).count();
        let [good, unknown, wrong] = [Verdict::Good, Verdict::Unknown, Verdict::Wrong].map(of);
        lines.push(format!(
            "{} receipts: {good} good, {unknown} could not be checked, {wrong} wrong",
            all.len()
        ));
    }
    let listed = all.iter().filter(|it| is_short || it.verdict() != Verdict::Good);
    for receipt in listed.take(RECEIPTS_LISTED_MAX) {
        lines.push(format!("receipt {}", visible(&receipt.receipt)));
        lines.extend(receipt.checks.iter().map(describe_check));
    }
    lines
}

fn describe_check(Check { check, verdict, words }: &Check) -> String {
    format!("  {:<8}{check:<11}{}", verdict.as_str(), visible(words))
}
