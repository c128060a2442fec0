//! Lines for the person who runs the supervisor.

use std::io::Write;

/// Prints a line to standard output. A terminal that is gone is no reason to stop, so errors are ignored.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
