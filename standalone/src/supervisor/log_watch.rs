//! Shows the warnings and errors of the processes' log files on the terminal.
//!
//! The processes write to files and not to a pipe, so that they survive a killed supervisor. So the files are read.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use tokio::task::JoinHandle;

use super::terminal::say;

const PERIOD: Duration = Duration::from_millis(250);
/// Bytes that are read in one period. If a process logs more, the terminal shows part of it; its file has everything.
const BYTES_MAX: u64 = 64 * 1024;
/// Texts that mark a line of a service as a warning or worse, in text logs and in JSON logs.
pub(super) const SERVICE_MARKS: &[&str] =
    &[" WARN ", " ERROR ", "\"WARN\"", "\"ERROR\"", "panicked at"];
/// Texts that mark a line of a server as grave. An ERROR of Postgres is not: the client that caused it logs it.
pub(super) const SERVER_MARKS: &[&str] = &["FATAL:", "PANIC:", "FATAL CONFIG", "MISCONF"];

/// Follows one log file from its present end. Dropping the value ends that.
#[derive(Debug)]
pub(super) struct LogWatch(JoinHandle<()>);

impl LogWatch {
    /// Begins to show lines of `log` that hold one of the marks, under this name.
    pub(super) fn start(name: &str, log: PathBuf, marks: &'static [&'static str]) -> Self {
        let name = name.to_owned();
        let has_mark = move |line: &str| marks.iter().any(|mark| line.contains(mark));
        Self(tokio::spawn(async move {
            // A process does not start without its log file, so it exists.
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
