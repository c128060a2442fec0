//! Shows the warnings and errors of the children's log files on the terminal.
//!
//! The children write to files and not to us, so that they survive us; hence reading the files.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use tokio::task::JoinHandle;

use super::say;

const PERIOD: Duration = Duration::from_millis(250);
/// Bytes looked at in one period; a child that complains faster is cut short here, not in its file.
const BYTES_MAX: u64 = 64 * 1024;
/// What a service's line holds when it is a warning or worse, as text or as JSON.
pub(super) const SERVICE_MARKS: &[&str] =
    &[" WARN ", " ERROR ", "\"WARN\"", "\"ERROR\"", "panicked at"];
/// The same for the servers. Postgres' ERROR is a client's business, who tells of it.
pub(super) const SERVER_MARKS: &[&str] = &["FATAL:", "PANIC:", "FATAL CONFIG", "MISCONF"];

/// Follows one log file from its present end, until dropped.
#[derive(Debug)]
pub(super) struct LogWatch(JoinHandle<()>);

impl LogWatch {
    pub(super) fn start(name: &str, log: PathBuf, marks: &'static [&'static str]) -> Self {
        let name = name.to_owned();
        let has_mark = move |line: &str| marks.iter().any(|mark| line.contains(mark));
        Self(tokio::spawn(async move {
            // Without its log file a child would not have started.
            let Ok(mut file) = File::open(log) else { return };
            let _ = file.seek(SeekFrom::End(0));
            let mut unfinished = Vec::new();
            loop {
                let _ = (&mut file).take(BYTES_MAX).read_to_end(&mut unfinished);
                let whole =
                    unfinished.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let lines: Vec<u8> = unfinished.drain(..whole).collect();
                for line in String::from_utf8_lossy(&lines).lines().filter(|line| has_mark(line)) {
                    say(&format!("{name}: {line}"));
                }
                if unfinished.len() as u64 > BYTES_MAX {
                    unfinished.clear();
                }
                tokio::time::sleep(PERIOD).await;
            }
        }))
    }
}

impl Drop for LogWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
