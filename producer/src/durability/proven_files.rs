//! Knows which servers append to a file that a restart reads; for a Redis without WAITAOF.

use std::collections::HashSet;

/// The reply to INFO.
#[derive(Debug, Default)]
pub(super) struct Info(pub(super) String);

impl Info {
    /// Returns the value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines().map(str::trim);
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    }
}

/// The servers whose append-only file is known to be in effect, by their run id.
///
/// When a running Redis is told to keep such a file (`CONFIG SET appendonly yes`), INFO shows it as enabled at once. But
/// until the first rewrite has ended, Redis writes into a file that a restart does not read. A rewrite that is under way
/// when a server is first seen may be that one, so the server is trusted once no rewrite is under way or due, and the last
/// one has succeeded. Later rewrites replace a file that is in effect.
#[derive(Debug, Default)]
pub(super) struct ProvenFiles(HashSet<String>);

impl ProvenFiles {
    /// Reads the reply to INFO of one server.
    pub(super) fn is_in_effect(&mut self, info: &Info) -> bool {
        let field = |name| info.field(name);
        let run_id = field("run_id").unwrap_or_default().to_owned();
        if field("aof_enabled") != Some("1") {
            self.0.remove(&run_id);
            return false;
        }
        let rests = field("aof_rewrite_in_progress") == Some("0")
            && field("aof_rewrite_scheduled") == Some("0")
            && field("aof_last_bgrewrite_status") == Some("ok");
        if rests {
            self.0.insert(run_id.clone());
        }
        self.0.contains(&run_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_only_file_counts_once_its_first_rewrite_has_ended() {
        let info = |run_id: &str, enabled: u8, in_progress: u8, scheduled: u8, status: &str| {
            Info(format!(
                "# Server\r\nrun_id:{run_id}\r\n# Persistence\r\naof_enabled:{enabled}\r\n\
                 aof_rewrite_in_progress:{in_progress}\r\naof_rewrite_scheduled:{scheduled}\r\n\
                 aof_last_bgrewrite_status:{status}\r\n"
            ))
        };
        let mut files = ProvenFiles::default();
        for not_yet in [
            info("a", 0, 0, 0, "ok"),
            info("a", 1, 1, 0, "ok"),
            info("a", 1, 0, 1, "ok"),
            info("a", 1, 0, 0, "err"),
        ] {
            assert!(!files.is_in_effect(&not_yet), "{not_yet:?}");
        }
        assert!(files.is_in_effect(&info("a", 1, 0, 0, "ok")));
        assert!(files.is_in_effect(&info("a", 1, 1, 0, "ok")), "a later rewrite");
        assert!(!files.is_in_effect(&info("b", 1, 1, 0, "ok")), "another server");
        assert!(!files.is_in_effect(&info("a", 0, 0, 0, "ok")));
        assert!(!files.is_in_effect(&info("a", 1, 1, 0, "ok")), "it was off meanwhile");
    }
}
