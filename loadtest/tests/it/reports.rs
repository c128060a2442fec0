//! Reports keep their form: JSON that is read and written again is the same, and HTML does not
//! change.
//!
//! `make generate` writes the HTML again. Look at the
//! difference then.

use std::path::{Path, PathBuf};

use crate::tool::{Folder, loadtest, report};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn assert_golden(name: &str, found: &str) {
    let path = golden(name);
    if std::env::var_os("WRITE_GENERATED").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let differs = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    assert!(expected == found, "{name} changed, first at: {differs:#?}");
}

#[test]
fn json_of_schema_1_is_read_and_written_unchanged() {
    for name in ["balanced.json", "violated.json"] {
        let text = std::fs::read_to_string(golden(name)).unwrap();
        let written = report(&golden(name)).to_json();
        if std::env::var_os("WRITE_GENERATED").is_some() {
            // With the fields that are new; at once, because other tests read it meanwhile.
            std::fs::write(golden("new"), &written).unwrap();
            std::fs::rename(golden("new"), golden(name)).unwrap();
            continue;
        }
        let differs = text.lines().zip(written.lines()).find(|(read, written)| read != written);
        assert!(text == written, "{name} changed, first at: {differs:#?}");
    }
}

#[test]
fn reports_of_older_versions_are_read() {
    // It lacks every field that was added since.
    let older = golden("older.json");
    let done =
        loadtest(&format!("compare {} {}", older.display(), golden("balanced.json").display()));
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(
        report(&older).audit.acknowledged_voters,
        report(&golden("balanced.json")).audit.acknowledged_voters
    );
}

#[test]
fn other_schemas_are_refused() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(golden("balanced.json")).unwrap();
    std::fs::write(
        folder.join("new.json"),
        text.replacen("\"schema_version\": 1", "\"schema_version\": 2", 1),
    )
    .unwrap();
    let done = loadtest(&format!("report {}", folder.join("new.json").display()));
    assert_eq!(done.code, 3);
    assert!(done.stderr.contains("schema 2"), "{}", done.stderr);
}

#[test]
fn html_is_what_it_was() {
    let folder = Folder::new();
    for (name, code) in [("balanced", 0), ("violated", 2)] {
        let html = folder.join("report.html");
        let json = golden(&format!("{name}.json"));
        let done = loadtest(&format!("report {} --html {}", json.display(), html.display()));
        assert_eq!(done.code, code, "{}", done.stderr);
        assert_golden(&format!("{name}.html"), &std::fs::read_to_string(html).unwrap());
        assert_golden(&format!("{name}.txt"), &done.stdout);
    }
}

#[test]
fn comparison_is_what_it_was() {
    let folder = Folder::new();
    let html = folder.join("compare.html");
    let (one, two) = (golden("balanced.json"), golden("violated.json"));
    let done =
        loadtest(&format!("compare {} {} --html {}", one.display(), two.display(), html.display()));
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_golden("compare.txt", &done.stdout);
    assert_golden("compare.html", &std::fs::read_to_string(html).unwrap());
}

#[test]
fn html_needs_nothing_from_elsewhere() {
    for name in ["balanced.html", "violated.html", "compare.html"] {
        let html = std::fs::read_to_string(golden(name)).unwrap();
        for part in ["<script", "src=", "href=", "@import", "url("] {
            assert!(!html.contains(part), "{name} has {part}");
        }
    }
}
