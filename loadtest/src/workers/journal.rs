//! A line of JSON for each ballot, written as soon as its outcome is known.
//!
//! It is for programs that inject faults and must know at any moment which ballots were
//! acknowledged.
//! Invariant: lines are numbered from 1 without a gap, so that a reader notices a missing one.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use crate::lock::lock;
use crate::voters::outcome::Outcome;

/// The journal of a run, which all workers share.
pub(crate) struct Journal {
    output: Mutex<Output>,
}

struct Output {
    to: Box<dyn Write + Send>,
    written: u64,
    /// The error of the first line that could not be written. Nothing is written after it.
    failed: Option<io::Error>,
}

#[derive(Serialize)]
struct Line {
    number: u64,
    /// The time on the load tester's clock, in milliseconds since the Unix epoch.
    at_ms: i64,
    /// The id in the voter's cookie as 32 hexadecimal digits; null if no reply has set one.
    voter: Option<String>,
    outcome: Outcome,
    /// The choices as a bit mask by option position; null if no ballot was sent.
    choices: Option<u64>,
    /// The receipt in the reply, as it is; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Value>,
}

impl Journal {
    /// Opens the journal; `-` is standard output.
    ///
    /// # Errors
    /// Returns an error that names the file if it cannot be created.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let to: Box<dyn Write + Send> = if path.as_os_str() == "-" {
            Box::new(io::stdout())
        } else {
            let file = File::create(path);
            Box::new(file.with_context(|| format!("cannot write {}", path.display()))?)
        };
        Ok(Self::to(to))
    }

    fn to(to: Box<dyn Write + Send>) -> Self {
        Self { output: Mutex::new(Output { to, written: 0, failed: None }) }
    }

    /// Writes the outcome of one ballot, with the receipt in its reply. An error is kept for [`Self::take_error`].
    pub(crate) fn write(
        &self,
        voter: Option<u128>,
        outcome: Outcome,
        choices: Option<u64>,
        receipt: Option<Value>,
    ) {
        let mut output = lock(&self.output);
        if output.failed.is_some() {
            return;
        }
        let line = Line {
            number: output.written + 1,
            at_ms: jiff::Timestamp::now().as_millisecond(),
            voter: voter.map(|voter| format!("{voter:032x}")),
            outcome,
            choices,
            receipt,
        };
        match output.put(&line) {
            Ok(()) => output.written += 1,
            Err(error) => output.failed = Some(error),
        }
    }

    /// Returns the error that stopped the journal; `None` if every line was written.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        lock(&self.output).failed.take()
    }
}

impl Output {
    /// Writes the whole line at once, so that a reader never sees a part of it.
    fn put(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.to.write_all(&text)?;
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_numbered_and_name_the_voter() {
        let shared = Shared::default();
        let journal = Journal::to(Box::new(shared.clone()));
        let receipt = serde_json::json!({ "version": 1 });
        journal.write(Some(0x2a), Outcome::Acknowledged, Some(2), Some(receipt.clone()));
        journal.write(None, Outcome::NoPage, None, None);
        assert!(journal.take_error().is_none());
        let text = String::from_utf8(lock(&shared.0).clone()).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["number"], &lines[1]["number"]), (&1.into(), &2.into()));
        assert_eq!(lines[0]["voter"], format!("{:032x}", 0x2a));
        assert_eq!(
            (&lines[0]["outcome"], &lines[0]["choices"]),
            (&"acknowledged".into(), &2.into())
        );
        assert_eq!((&lines[1]["outcome"], lines[1]["voter"].is_null()), (&"no_page".into(), true));
        assert_eq!((&lines[0]["receipt"], lines[1].get("receipt")), (&receipt, None));
        assert!(lines[0]["at_ms"].as_i64().unwrap() > 1_700_000_000_000);
    }

    #[test]
    fn a_line_that_cannot_be_written_is_an_error() {
        let journal = Journal::to(Box::new(Full));
        journal.write(Some(1), Outcome::Acknowledged, Some(1), None);
        journal.write(Some(2), Outcome::Acknowledged, Some(1), None);
        assert_eq!(journal.take_error().unwrap().kind(), io::ErrorKind::StorageFull);
    }
}
