//! Checks receipts: their signatures, and the ballots that they promise in the log.

use std::collections::HashMap;

use serde_json::Value;
use votestream_transparency::checkpoint::{self, Head};
use votestream_transparency::entry::{LogEntry, Outcome};
use votestream_transparency::keys::PublicKeys;
use votestream_transparency::proofs::check_included;
use votestream_transparency::receipt::{Fault, Opening, Promise, Receipt};
use votestream_transparency::tree::{leaf_hash, tile_path};

use super::remote::Site;
use super::report::{Checks, ReceiptReport};

/// A receipt that is looked for in the log.
#[derive(Debug)]
pub(super) struct Wanted {
    file: String,
    checks: Checks,
    /// The promise, if the receipt is good.
    promised: Option<(Promise, Opening)>,
    /// The text of its stream entry, as lines have it.
    text: String,
    nonce: String,
    due_ms: i64,
    /// Its entries and their places.
    own: Vec<(u64, String)>,
    replaced_by: Option<u64>,
}

/// All receipts that are looked for. Each entry of the log is looked up by its name, however many receipts there are.
#[derive(Debug, Default)]
pub(super) struct WantedList {
    all: Vec<Wanted>,
    by_entry: HashMap<String, Vec<usize>>,
}

impl WantedList {
    /// Notes which receipts have which stream entry.
    pub(super) fn new(all: Vec<Wanted>) -> Self {
        let mut by_entry: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, wanted) in all.iter().enumerate().filter(|(_, it)| it.promised.is_some()) {
            by_entry.entry(wanted.text.clone()).or_default().push(place);
        }
        Self { all, by_entry }
    }

    /// Notes an entry of the log for the receipts that it belongs to, and for those whose ballot it replaces.
    pub(super) fn look(&mut self, index: u64, line: &str) {
        let mut parts = line.split(' ').skip(2);
        let (own, replaced) = (parts.next(), parts.nth(2));
        let places = |text: Option<&str>| text.and_then(|text| self.by_entry.get(text));
        for place in places(own).into_iter().flatten() {
            self.all[*place].own.push((index, line.to_owned()));
        }
        // A ballot that replaces itself is the same ballot, counted again.
        for place in places(replaced.filter(|_| replaced != own)).into_iter().flatten() {
            self.all[*place].replaced_by = Some(index);
        }
    }

    /// Returns the receipts, in the order in which they were given.
    pub(super) fn into_iter(self) -> impl Iterator<Item = Wanted> {
        self.all.into_iter()
    }
}

/// Reads the receipts in a file, each with the name that reports give it. The file holds one receipt, or a JSON object in each line: a
/// receipt, or something that has one as its member `receipt`, as the lines of the load tester's journal do. Other lines are left
/// out.
pub fn read_file(file: &str, text: &str) -> Vec<(String, String)> {
    if serde_json::from_str::<Value>(text).is_ok() || text.lines().nth(1).is_none() {
        return vec![(file.to_owned(), text.to_owned())];
    }
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let receipt = |(number, line): (usize, &str)| {
        let json = match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(mut object)) if !object.contains_key("signed") => {
                object.remove("receipt")?.to_string()
            }
            _ => line.to_owned(),
        };
        Some((format!("{file}:{number}"), json))
    };
    lines.filter_map(receipt).collect()
}

/// The keys under which receipts are checked.
pub(super) struct Keys<'a> {
    /// Those that are believed.
    pub(super) trusted: &'a PublicKeys,
    /// Those that the dashboard publishes.
    pub(super) published: &'a PublicKeys,
}

impl Wanted {
    /// Checks everything of a receipt that needs no log.
    pub(super) fn read(file: &str, json: &str, origin: &str, keys: &Keys<'_>) -> Self {
        let mut wanted = Self {
            file: file.to_owned(),
            checks: Checks::default(),
            promised: None,
            text: String::new(),
            nonce: String::new(),
            due_ms: 0,
            own: Vec::new(),
            replaced_by: None,
        };
        let receipt: Receipt = match serde_json::from_str(json) {
            Ok(receipt) => receipt,
            Err(error) => {
                wanted.checks.wrong("receipt", format!("it cannot be read: {error}"));
                return wanted;
            }
        };
        match receipt.check(keys.trusted) {
            Ok(_) if receipt.log != origin => {
                let words = format!("it belongs to another log: {}", receipt.log);
                wanted.checks.wrong("receipt", words);
            }
            Ok(promised) => {
                wanted.checks.good("receipt", "signed, and its choices are those that were signed");
                (wanted.text, wanted.nonce) = (receipt.entry.to_string(), receipt.nonce.clone());
                wanted.due_ms = receipt.due_ms;
                wanted.promised = Some(promised);
            }
            Err(Fault::Signature(checkpoint::Error::UnknownKey))
                if receipt.check(keys.published).is_ok() =>
            {
                let words = "it is signed with a key that is published now and was not when this log was first seen here";
                wanted.checks.unknown("receipt", words);
            }
            Err(fault) => wanted.checks.wrong("receipt", fault.to_string()),
        }
        wanted
    }

    /// Judges the receipt after the whole log was read.
    pub(super) fn judge(mut self, counts: impl Fn(&Promise) -> bool, now_ms: i64) -> ReceiptReport {
        if let Some((promise, opening)) = self.promised.take()
            && self.judge_log(&promise, opening, now_ms)
        {
            let (index, line) = self.own.last().expect("the log has an entry");
            let outcome = line.parse::<LogEntry>().map(|entry| entry.outcome);
            match (counts(&promise), self.replaced_by, outcome) {
                (true, ..) => self.checks.good("standing", "it counts"),
                (false, Some(by), _) => self.checks.good(
                    "standing",
                    format!("it was replaced by a later ballot of the same voter: entry {by}"),
                ),
                (false, None, Ok(Outcome::Superseded)) => self.checks.good(
                    "standing",
                    format!("entry {index}: it was set aside, because another ballot of its voter counts"),
                ),
                (false, None, Ok(Outcome::OutOfTime)) => self.checks.good(
                    "standing",
                    format!("entry {index}: it was set aside, because the poll was not open when it came in"),
                ),
                (false, None, _) => self
                    .checks
                    .wrong("standing", format!("entry {index} counts, and is not in the recount")),
            }
        }
        self.report()
    }

    /// Checks the receipt while the entries of others are not readable, by proofs.
    pub(super) fn judge_hidden(mut self, site: &Site, head: Head, now_ms: i64) -> ReceiptReport {
        let Some((promise, opening)) = self.promised.take() else { return self.report() };
        let named = match site.named(&self.text, &self.nonce) {
            Ok(named) => named.entries,
            Err(error) => {
                self.checks.unknown("log", error.to_string());
                return self.report();
            }
        };
        let mut is_refused = false;
        for entry in named.iter().filter(|it| it.index < head.size) {
            match &entry.line {
                Some(line) => self.own.push((entry.index, line.clone())),
                None => is_refused = true,
            }
        }
        if is_refused {
            let words =
                "the log has an entry for this ballot whose nonce is not that of the receipt";
            self.checks.wrong("log", words);
            return self.report();
        }
        if self.judge_log(&promise, opening, now_ms) {
            let read = |id, width| site.log(&tile_path(id, width)).ok();
            for (index, line) in std::mem::take(&mut self.own) {
                if let Err(error) = check_included(head, index, leaf_hash(&line), &read) {
                    self.checks
                        .wrong("log", format!("entry {index} is not in the signed log: {error}"));
                }
            }
            if !self.checks.is_wrong() {
                let words =
                    "the results are not open, so nobody can see yet whether it was replaced";
                self.checks.unknown("standing", words);
            }
        }
        self.report()
    }

    /// Compares the entries of the log with the receipt. Returns whether there are any, and all of them fit.
    fn judge_log(&mut self, promise: &Promise, opening: Opening, now_ms: i64) -> bool {
        let Some((index, _)) = self.own.first() else {
            let due = time(self.due_ms);
            if now_ms <= self.due_ms {
                let words = format!("it is not in the log yet, and not due before {due}");
                self.checks.unknown("log", words);
            } else {
                let words = format!(
                    "EVIDENCE: it is not in the log, although the signed receipt promises it by {due}. Keep the receipt and this \
                     report. The deployment lost or withheld the ballot, or its database was down since then"
                );
                self.checks.wrong("log", words);
            }
            return false;
        };
        let fits = |line: &str| {
            line.parse::<LogEntry>().is_ok_and(|it| {
                it.entry == promise.entry
                    && it.choices == opening.choices
                    && it.nonce == opening.nonce
                    && promise.ballot.is_none_or(|ballot| ballot == it.ballot)
            })
        };
        if let Some((index, line)) = self.own.iter().find(|(_, line)| !fits(line)) {
            let words = format!(
                "EVIDENCE: entry {index} of the log is not the promised ballot: {line}. Keep the receipt and this report"
            );
            self.checks.wrong("log", words);
            return false;
        }
        self.checks.good("log", format!("it is entry {index} of the log, with the same choices"));
        true
    }

    fn report(self) -> ReceiptReport {
        ReceiptReport { receipt: self.file, checks: self.checks.0 }
    }
}

/// A time in milliseconds since the epoch, as people read it.
fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |it| it.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_one_receipt_or_one_in_each_line() {
        let read = |text: &str| read_file("f", text);
        let one = r#"{"signed":"a"}"#;
        let pretty = "{\n  \"signed\": \"a\"\n}\n";
        assert_eq!(read(one), [("f".to_owned(), one.to_owned())]);
        assert_eq!(read(pretty), [("f".to_owned(), pretty.to_owned())]);
        assert_eq!(read("not JSON").len(), 1, "the check will say what is wrong with it");
        // A journal of the load tester has lines without a receipt.
        let journal =
            format!("{{\"number\":1,\"receipt\":{one}}}\n\n{{\"number\":2}}\n{one}\nbroken\n");
        let names: Vec<(String, String)> = read(&journal);
        let expected = [("f:1", one), ("f:4", one), ("f:5", "broken")];
        assert_eq!(names, expected.map(|(name, json)| (name.to_owned(), json.to_owned())));
    }
}
