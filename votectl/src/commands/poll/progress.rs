//! The progress of commands that make Redis forget the voters of a poll.

use std::io::{IsTerminal, Write};

/// Shows progress on standard error: on one line of a terminal, else only at the end.
pub(super) fn show_progress(done: u16, partitions: u16) {
    let text = format!("forgetting voters: partition {done} of {partitions}");
    let mut stderr = std::io::stderr().lock();
    // Progress that cannot be shown is no reason to stop.
    let _ = match (stderr.is_terminal(), done == partitions) {
        (true, false) => write!(stderr, "\r{text}"),
        (true, true) => writeln!(stderr, "\r{text}"),
        (false, true) => writeln!(stderr, "{text}"),
        (false, false) => Ok(()),
    };
}
