//! A television audience that votes within three seconds, at a size that fits a small machine. The name is that of a
//! show whose public vote collapsed under such a crowd.

use std::process::Command;

use serde_json::Value;
use testkit::{Pipeline, binary};

/// Voters in the crowd. The real crowd was 37,000; a debug build on two busy cores gets fewer.
const VOTERS: u64 = 6_000;

#[test]
fn a_crowd_that_votes_within_three_seconds_is_counted_to_the_last() {
    let pipeline = Pipeline::start(&[]);
    let database_url = pipeline.variable("DATABASE_URL");
    let report = pipeline.data_dir.join("report.json");
    let output = Command::new(binary("loadtest"))
        .args(["run", "--profile", "junior-eurovision", "--viewers", "50"])
        .args(["--voters", &VOTERS.to_string()])
        .args(["--target", &pipeline.vote, "--results", &pipeline.results])
        .args(["--database-url", &database_url, "--json"])
        .arg(&report)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    // Exit code 1 means that the load was sent late, as on a busy machine. The audit is valid nevertheless.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["audit"]["verdict"], "balanced", "{said}");
    for fault in ["lost", "duplicated", "phantom", "wrong_choice"] {
        assert_eq!(report["audit"]["findings"][fault], 0, "{fault}: {said}");
    }
    assert_eq!(report["ballots"]["outcomes"]["acknowledged"], VOTERS, "{said}");
}
