//! A short selection of faults, and fraud that the audit must find, with the real programs and real servers.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use testkit::{binary, folder};

/// Builds the services and returns their folder.
fn programs() -> PathBuf {
    let paths = ["producer", "consumer", "dashboard", "votectl"].map(binary);
    paths[0].parent().expect("a program lies in a folder").to_owned()
}

/// The runs that go on, at most [`AT_ONCE`]: each is a whole pipeline under load, and its deadlines are for a machine that
/// is not swamped.
static RUNS: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());
const AT_ONCE: usize = 2;

fn chaos(report: &Path, arguments: &[&str]) -> Output {
    let (runs, one_ended) = &RUNS;
    let locked = runs.lock().expect("no run panics while it holds the lock");
    let mut running = one_ended.wait_while(locked, |runs| *runs >= AT_ONCE).expect("as above");
    *running += 1;
    drop(running);
    let output = command(report, arguments).output();
    *runs.lock().expect("as above") -= 1;
    one_ended.notify_one();
    output.expect("chaos can be started")
}

fn command(report: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.args(["--rate", "40", "--viewers", "5", "--programs"]).arg(programs());
    command.arg("--report").arg(report).args(arguments);
    for name in ["SEED", "DURATION", "FAULTS"] {
        command.env_remove(name);
    }
    command
}

fn read(report: &Path, name: &str) -> String {
    std::fs::read_to_string(report.join(name)).expect("the report was written")
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{err}\n{out}")
}

#[test]
fn every_promise_is_kept_under_a_short_selection() {
    let report = folder("chaos");
    let faults = "kill-producer,freeze-consumer,redis-kill,postgres-mid-commit,\
                  net-cut-from-server,group-deleted,poison,replay,freeze-all";
    let output = chaos(&report, &["--once", "--seed", "10", "--faults", faults]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = read(&report, "report.md");
    for fault in faults.split(',') {
        assert!(text.contains(fault), "{fault} did not strike:\n{text}");
    }
    assert!(!text.contains("skipped"), "{text}");
    assert!(read(&report, "report.html").contains("<svg"));
    // The overview was looked at while a service was silent, and looked well before.
    let looks = looks_in_silence(&text);
    assert!(looks.iter().any(|(figure, _)| figure == "Silent for"), "{text}");
    assert!(looks.iter().filter(|(_, in_silence)| *in_silence > 0).count() >= 2, "{text}");
}

/// A harness that cannot fail proves nothing, so fraud must lead to exit code 2.
#[test]
fn stolen_forged_and_doubled_votes_are_found() {
    let report = folder("chaos");
    let faults = "steal-vote,steal-entry,forge-vote,stuff-tally";
    let output = chaos(&report, &["--once", "--seed", "1", "--faults", faults]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let text = read(&report, "report.md");
    for found in ["| lost | 2 |", "| phantom | 1 |", "| duplicated | 1 |"] {
        assert!(text.contains(found), "{found}:\n{text}");
    }
    assert!(text.contains("**BROKEN: 2 acknowledged ballots lost**"), "{text}");
}

#[test]
fn a_dry_run_prints_the_schedule_of_a_seed() {
    let dry = |seed| chaos(Path::new("unused"), &["--dry-run", "--duration", "5m", "--seed", seed]);
    let (one, again, other) = (dry("1"), dry("1"), dry("2"));
    assert!(one.status.success() && one.stdout.len() > 500, "{}", said(&one));
    assert_eq!(one.stdout, again.stdout);
    assert_ne!(one.stdout, other.stdout);
}

#[test]
fn a_run_that_cannot_be_carried_out_has_exit_code_1() {
    let report = folder("chaos");
    let none = chaos(&report, &["--duration", "1s"]);
    assert_eq!(none.status.code(), Some(1), "{}", said(&none));
    assert!(!report.join("report.md").exists());
}

/// The figures of the overview, each with the number of looks at it while its service was silent.
fn looks_in_silence(report: &str) -> Vec<(String, u64)> {
    let (_, table) = report.split_once("## Overview").expect("the report looks at the overview");
    let (table, _) = table.split_once("\n## ").unwrap_or((table, ""));
    let rows = table.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        Some((cells.get(1)?.to_string(), cells.get(4)?.parse().ok()?))
    });
    rows.collect()
}

/// Nor do watchers that see nothing.
#[test]
fn a_result_that_is_called_final_too_early_and_figures_of_a_silent_service_are_found() {
    let report = folder("chaos");
    let faults = "forge-watermark,forge-metrics";
    let output = chaos(&report, &["--once", "--seed", "1", "--faults", faults]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let text = read(&report, "report.md");
    assert!(text.contains("results falsely called final**"), "{text}");
    for source in ["a frame", "the tally", "the series", "the page", "the export"] {
        assert!(text.contains(&format!("- {source} of poll closing-")), "{source}:\n{text}");
    }
    assert!(text.contains("| lost | 0 |"), "{text}");
    assert!(text.contains("figures of the overview that looked well"), "{text}");
    for figure in [
        "`Viewers` of the overview showed ",
        "`Replicas missing` of the overview showed 0 in green",
    ] {
        assert!(text.contains(figure), "{figure}:\n{text}");
    }
}

/// The operators' faults that take a few seconds each, and a poll that closes while both consumers are frozen.
#[test]
fn every_promise_is_kept_when_operators_make_mistakes() {
    let report = folder("chaos");
    let faults = "freeze-at-close,consumers-deleted,key-renamed,postgres-restored,redis-password,\
                  redis-file-off,postgres-slow-rows";
    let output = chaos(&report, &["--once", "--seed", "7", "--faults", faults]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = read(&report, "report.md");
    for fault in faults.split(',') {
        assert!(text.contains(fault), "{fault} did not strike:\n{text}");
    }
    assert!(!text.contains("skipped") && text.contains("| falsely final | 0 |"), "{text}");
    assert!(!text.contains("| polls that closed | 0 |"), "{text}");
}

/// A promoted replica that dies must come back as a master: no pair of faults may depend on their order.
#[test]
fn a_promoted_redis_that_is_killed_comes_back() {
    let report = folder("chaos");
    let faults = "redis-promote,redis-kill";
    let order = ["--once", "--seed", "5", "--faults", faults];
    let output = chaos(&report, &order);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = read(&report, "report.md");
    let at = |fault: &str| text.find(fault).expect("each fault struck");
    assert!(at("redis-promote") < at("redis-kill"), "{text}");
}

/// The processes that work below the folder of this run.
fn processes_of(run: &Child) -> Vec<String> {
    let needle = format!("votestream-chaos-{}-", run.id());
    let processes = std::fs::read_dir("/proc").expect("/proc is there").flatten();
    let ours = processes.filter_map(|process| {
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let folder = std::fs::read_link(process.path().join("cwd")).unwrap_or_default();
        let ours = line.contains(&needle) || folder.to_string_lossy().contains(&needle);
        (ours && !line.is_empty()).then_some(line)
    });
    ours.collect()
}

fn wait_until(within: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn everything_that_a_run_started_ends_with_it() {
    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        let report = folder("chaos");
        let mut run =
            command(&report, &["--duration", "60s"]).spawn().expect("chaos can be started");
        let has = |name: &str| processes_of(&run).iter().any(|line| line.contains(name));
        let all = ["redis-server", "postgres", "producer", "consumer", "dashboard"];
        let started = wait_until(Duration::from_secs(60), || all.iter().all(|name| has(name)));
        assert!(started, "{:?}", processes_of(&run));
        let pid = Pid::from_raw(run.id().cast_signed()).expect("a process has an id");
        rustix::process::kill_process(pid, signal).expect("the run is a child of this test");
        if signal == Signal::INT {
            // The first Ctrl-C ends the run early; whoever is in a hurry presses it twice.
            std::thread::sleep(Duration::from_millis(500));
            rustix::process::kill_process(pid, signal).expect("the run is a child of this test");
        }
        run.wait().expect("the run is a child of this test");
        let ended = wait_until(Duration::from_secs(20), || processes_of(&run).is_empty());
        assert!(ended, "{signal:?} left {:?}", processes_of(&run));
    }
}
