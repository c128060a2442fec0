//! Runs the real binary and returns its output.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use votestream_loadtest::Report;

/// The exit code and the output of a finished process.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A temporary folder of one test, which is removed when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "votestream-loadtest-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Returns the command of the binary with these arguments, as one would type them.
pub(crate) fn command(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(line.split_whitespace()).env_remove("DATABASE_URL").stdin(Stdio::null());
    command
}

pub(crate) fn loadtest(line: &str) -> Done {
    done(command(line).output().unwrap())
}

pub(crate) fn done(output: Output) -> Done {
    Done {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `loadtest run` against a deployment, and returns the output and the report.
pub(crate) fn run(url: &str, more: &str) -> (Done, Report) {
    let folder = Folder::new();
    let json = folder.join("report.json");
    let settle = if more.contains("--settle") { "" } else { "--settle 200ms" };
    let line = format!(
        "run --target {url} --results {url} --drain-timeout 500ms {settle} --json {} {more}",
        json.display()
    );
    let done = loadtest(&line);
    assert!(json.exists(), "no report; stderr:\n{}", done.stderr);
    (done, report(&json))
}

pub(crate) fn report(path: &Path) -> Report {
    Report::from_file(path).unwrap()
}
