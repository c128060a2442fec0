//! The project's rules and the expressions of its dashboards, with time windows that a test can wait for.

use std::fs;
use std::path::{Path, PathBuf};

/// The time windows of the rules and their replacements: short enough for a test, and still in the same order.
const WINDOWS: [(&str, &str); 12] = [
    // The first, because some of the replacements below read the same.
    ("30s", "4s"),
    ("1m", "10s"),
    ("5m", "10s"),
    ("30m", "15s"),
    ("1h", "20s"),
    ("2h", "20s"),
    ("6h", "25s"),
    ("1d", "30s"),
    ("3d", "40s"),
    ("30d", "60s"),
    ("$__rate_interval", "10s"),
    ("$__range", "60s"),
];
/// Thresholds that no test can wait for: the alert, its threshold, and the replacement.
const AGES: [(&str, &str, &str); 8] = [
    ("OldestEntryWaits", "> 30", "> 2"),
    ("OldestPendingStuck", "> 90", "> 3"),
    ("NothingCounted", "> 45", "> 2"),
    ("PublicLogBehind", "> 60", "> 5"),
    ("ServiceInterrupted", "[10s]", "[15s]"),
    ("ReplicaRestarts", "[15s]", "[30s]"),
    ("AuditOverdue", "> 600 + 30 *", "> 5 + 2 *"),
    // The times between audits, over more than the test lasts.
    ("AuditOverdue", "[25s])) > 43200", "[10m])) > 60"),
];

/// Returns an expression with shortened windows, in which Grafana's variables match everything.
pub fn shortened(expression: &str) -> String {
    let mut text = expression.to_owned();
    for (window, short) in WINDOWS {
        text = text.replace(&format!("[{window}]"), &format!("[{short}]"));
        text = text.replace(&format!("offset {window} "), &format!("offset {short} "));
    }
    let text = testkit::prometheus::matching_all(&text);
    assert!(!text.contains('$'), "a variable of Grafana that is not known here: {text}");
    text
}

/// Writes copies of the rules in `from` with shortened windows below `home`, and returns their folder.
pub fn copy_rules(from: &Path, home: &Path) -> PathBuf {
    let copies = home.join("rules");
    fs::create_dir_all(&copies).unwrap();
    for file in fs::read_dir(from).unwrap().flatten() {
        let mut alert = String::new();
        let lines = fs::read_to_string(file.path()).unwrap();
        let lines = lines.lines().map(|line| {
            let words = line.trim_start().trim_start_matches("- ");
            if let Some(name) = words.strip_prefix("alert: ") {
                name.clone_into(&mut alert);
            }
            for (key, short) in [("for: ", "0s"), ("keep_firing_for: ", "2s")] {
                if words.starts_with(key) {
                    return format!("{}{key}{short}", line.split_once(key).unwrap().0);
                }
            }
            let mut line = line.replace("interval: 1m", "interval: 2s");
            for (window, short) in WINDOWS {
                line = line.replace(&format!("[{window}]"), &format!("[{short}]"));
            }
            for (_, long, short) in AGES.iter().filter(|(name, ..)| *name == alert) {
                line = line.replace(long, short);
            }
            line
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        fs::write(copies.join(file.file_name()), text).unwrap();
    }
    copies
}
