//! The files of a report: they are opened before the load, and written before anything is printed.

use std::process::Stdio;

use crate::fake::{Fake, Fault};
use crate::tool::{Folder, command, done, loadtest, report};

const LOAD: &str = "--rate 200 --duration 1s --warm-up 0s --settle 200ms";

fn line(fake: &Fake, more: &str) -> String {
    let url = fake.url();
    format!("run --target {url} --results {url} {LOAD} {more}")
}

#[test]
fn a_file_that_cannot_be_opened_is_noticed_before_the_load() {
    let fake = Fake::with(Fault::None);
    let done = loadtest(&line(&fake, "--json /proc/report.json"));
    assert_eq!((done.code, fake.requests("")), (3, 0), "{}", done.stderr);
    assert!(done.stderr.contains("/proc/report.json"), "{}", done.stderr);
    let done = loadtest(&line(&fake, "--json - --html -"));
    assert_eq!((done.code, fake.requests("")), (3, 0), "{}", done.stderr);
}

#[test]
fn a_file_that_cannot_be_written_has_an_exit_code_of_its_own() {
    let fake = Fake::with(Fault::None);
    let folder = Folder::new();
    let html = folder.join("report.html");
    let done = loadtest(&line(&fake, &format!("--json /dev/full --html {}", html.display())));
    assert_eq!(done.code, 4, "{}", done.stderr);
    assert!(done.stderr.contains("cannot write /dev/full"), "{}", done.stderr);
    // The other file and the summary are there all the same.
    assert!(std::fs::read_to_string(html).unwrap().contains("</html>"));
    assert!(done.stdout.contains("OK: 200 acknowledged"), "{}", done.stdout);
}

#[test]
fn a_journal_that_cannot_be_written_spoils_neither_audit_nor_report() {
    let fake = Fake::with(Fault::None);
    let done = loadtest(&line(&fake, "--journal /dev/full"));
    assert_eq!(done.code, 4, "{}", done.stderr);
    assert!(done.stdout.contains("OK: 200 acknowledged"), "{}", done.stdout);
}

#[test]
fn a_reader_that_has_gone_costs_no_file() {
    let fake = Fake::with(Fault::None);
    let folder = Folder::new();
    let json = folder.join("report.json");
    let line = line(&fake, &format!("--json {}", json.display()));
    let mut child = command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = done(child.wait_with_output().unwrap());
    assert_eq!(done.code, 4, "{}", done.stderr);
    assert_eq!(report(&json).audit.acknowledged_voters, 200);
}

#[test]
fn an_old_report_stays_if_no_load_was_sent() {
    let folder = Folder::new();
    let json = folder.join("report.json");
    std::fs::write(&json, "old").unwrap();
    let new = folder.join("new.json");
    let line = format!("run --target http://127.0.0.1:1 --json {}", json.display());
    assert_eq!(loadtest(&line).code, 3);
    assert_eq!(std::fs::read_to_string(&json).unwrap(), "old");
    let line = format!("run --target http://127.0.0.1:1 --json {}", new.display());
    assert_eq!(loadtest(&line).code, 3);
    assert!(!new.exists(), "an empty file is no report");
}

#[test]
fn every_form_of_a_report_can_go_to_standard_output() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/balanced.json");
    for (form, start) in [
        ("html", "<!doctype html>"),
        ("json", "{\n  \"schema_version\": 1"),
        ("junit", "<?xml version=\"1.0\""),
        ("csv", "seconds,intended,sent,"),
    ] {
        let done = loadtest(&format!("report {golden} --{form} -"));
        assert_eq!(done.code, 0, "{form}: {}", done.stderr);
        assert!(done.stdout.starts_with(start), "{form}: {}", done.stdout);
        assert!(done.stderr.contains("OK: "), "{form}: {}", done.stderr);
    }
}

#[test]
fn a_comparison_fails_on_a_change_that_is_too_large() {
    let golden = |name: &str| format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let compare = |limit: &str| {
        loadtest(&format!(
            "compare {} {} --fail-on {limit}",
            golden("balanced"),
            golden("violated")
        ))
    };
    let done = compare("p50>+1%");
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert!(
        done.stdout.contains("FAILED: p50>+1%: ") && done.stdout.contains("samples"),
        "{}",
        done.stdout
    );
    assert_eq!(compare("p50>+99%").code, 0);
    assert_eq!(compare("speed>+1%").code, 3);
}

#[test]
fn the_keys_of_plans_and_reports_are_listed() {
    let done = loadtest("schema");
    assert_eq!(done.code, 0, "{}", done.stderr);
    for part in
        ["\"plan\"", "warm_up_seconds", "\"report\"", "The latency from the voter's intended start"]
    {
        assert!(done.stdout.contains(part), "{part}");
    }
}
