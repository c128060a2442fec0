//! A test process that is killed leaves no process and no file behind.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal};
use testkit::{binaries, eventually};

/// Command lines of running processes that work in `home` or carry it in their command line.
fn processes_of(home: &Path) -> Vec<String> {
    let needle = home.to_str().unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    entries
        .filter_map(|process| {
            let command_line = fs::read(process.join("cmdline")).ok()?;
            let command_line = String::from_utf8_lossy(&command_line).replace('\0', " ");
            let folder = fs::read_link(process.join("cwd")).unwrap_or_default();
            let ours = command_line.contains(needle) || folder.starts_with(home);
            (ours && !command_line.is_empty()).then_some(command_line)
        })
        .collect()
}

/// Starts the example `holder`, and returns it with the temporary folder of its process.
fn start_holder() -> (Child, PathBuf) {
    let mut holder = Command::new(binaries().join("examples/holder"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("cargo has built the example for the tests");
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let home = PathBuf::from(line.trim());
    assert!(home.is_dir(), "{line:?}");
    let found = processes_of(&home);
    for program in ["redis-server", "postgres", "chromedriver", "--user-data-dir"] {
        assert!(found.iter().any(|held| held.contains(program)), "{program}: {found:#?}");
    }
    (holder, home)
}

async fn expect_nothing_of(home: &Path) {
    eventually(Duration::from_secs(20), async || match processes_of(home) {
        none if none.is_empty() => Ok(()),
        some => Err(some),
    })
    .await;
    eventually(Duration::from_secs(20), async || !home.exists()).await;
}

#[tokio::test]
async fn killed_test_process_leaves_nothing() {
    let (mut holder, home) = start_holder();
    holder.kill().unwrap();
    holder.wait().unwrap();
    expect_nothing_of(&home).await;
}

#[tokio::test]
async fn next_test_process_clears_up_when_the_watchdog_was_killed_too() {
    let (mut holder, home) = start_holder();
    let watchdog = format!("VOTESTREAM_GUARDED={}", home.display());
    let has_it = |process: &PathBuf| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == watchdog.as_bytes())
    };
    let mut processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let watchdog = processes.find(has_it).expect("the watchdog runs");
    let watchdog = watchdog.file_name().unwrap().to_str().unwrap().parse().unwrap();
    // The whole process group is killed: the shell, and the `cat` that it waits for.
    rustix::process::kill_process_group(Pid::from_raw(watchdog).unwrap(), Signal::KILL).unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(home.exists() && !processes_of(&home).is_empty(), "nobody was left to clear up");

    let (mut next, next_home) = start_holder();
    expect_nothing_of(&home).await;
    next.kill().unwrap();
    next.wait().unwrap();
    expect_nothing_of(&next_home).await;
}
