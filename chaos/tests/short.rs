//! A short selection of faults, and fraud that the audit must find, with the real programs and real servers.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use testkit::{binary, folder};

/// Builds the services and returns their folder.
fn programs() -> PathBuf {
    let paths = ["producer", "consumer", "dashboard", "votectl"].map(binary);
    paths[0].parent().expect("a program lies in a folder").to_owned()
}

fn chaos(report: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.args(["--rate", "120", "--viewers", "5", "--programs"]).arg(programs());
    command.arg("--report").arg(report).args(arguments);
    for name in ["SEED", "DURATION", "FAULTS"] {
        command.env_remove(name);
    }
    command.output().expect("chaos can be started")
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
                  net-cut-from-server,group-deleted,poison,replay";
    let output = chaos(&report, &["--once", "--seed", "4", "--faults", faults]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = read(&report, "report.md");
    for fault in faults.split(',') {
        assert!(text.contains(fault), "{fault} did not strike:\n{text}");
    }
    assert!(!text.contains("skipped"), "{text}");
    assert!(read(&report, "report.html").contains("<svg"));
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
