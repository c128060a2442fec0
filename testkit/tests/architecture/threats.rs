//! Every claim of docs/THREATS.md names a test that exists.
//!
//! A claim is an item of a list, up to the next one. Behind "Shown by" stand files and the tests in each of them.

use crate::source::root;

/// Names the claims of a document that name no test, and the tests and alerts that do not exist.
fn problems(document: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for claim in claims(document) {
        let title: String = claim.chars().take(60).collect();
        let shown_by = claim.split_once("hown by").map(|(_, tests)| tests);
        if claim.starts_with("- ") && shown_by.is_none() {
            problems.push(format!("no test: {title}"));
        }
        for missing in shown_by.map(missing_tests).unwrap_or_default() {
            problems.push(format!("{missing}: {title}"));
        }
        for alert in quoted(&claim).filter(|name| is_alert(name)) {
            if !root().join(format!("grafana/runbooks/{alert}.md")).exists() {
                problems.push(format!("no alert {alert}: {title}"));
            }
        }
    }
    problems
}

/// Splits a document into items of lists and paragraphs, each on one line.
fn claims(document: &str) -> Vec<String> {
    let mut claims = vec![String::new()];
    for line in document.lines() {
        if line.starts_with("- ") || line.is_empty() {
            claims.push(String::new());
        }
        let claim = claims.last_mut().unwrap();
        claim.push_str(line.trim());
        claim.push(' ');
    }
    claims
}

/// Returns the texts in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn is_alert(name: &str) -> bool {
    let capitals = name.chars().filter(char::is_ascii_uppercase).count();
    let is_one_word = name.chars().all(|letter| letter.is_ascii_alphabetic());
    is_one_word && name.starts_with(|first: char| first.is_ascii_uppercase()) && {
        capitals > 1 && capitals < name.len()
    }
}

/// Reads files and the tests in them; returns those that do not exist.
fn missing_tests(shown_by: &str) -> Vec<String> {
    let mut missing = Vec::new();
    let (mut file, mut text, mut tests) = ("", String::new(), 0);
    for name in quoted(shown_by) {
        if name.ends_with(".rs") {
            file = name;
            text = std::fs::read_to_string(root().join(name)).unwrap_or_default();
        } else if has_test(&text, name) {
            tests += 1;
        } else {
            missing.push(format!("no test `{name}` in `{file}`"));
        }
    }
    if tests == 0 {
        missing.push("no test".to_owned());
    }
    missing
}

/// Whether a file has a function of this name, whose attribute makes it a test.
fn has_test(text: &str, name: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
    let attribute = before.rsplit("#[").next().unwrap_or_default();
    attribute.starts_with("test]") || attribute.starts_with("tokio::test")
}

#[test]
fn every_claim_on_threats_names_tests_that_exist() {
    let document = std::fs::read_to_string(root().join("docs/THREATS.md")).unwrap();
    assert!(claims(&document).iter().filter(|claim| claim.starts_with("- ")).count() > 30);
    let problems = problems(&document);
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn planted_claims_without_a_test_are_noticed() {
    let file = "testkit/tests/architecture/threats.rs";
    let here = "planted_claims_without_a_test_are_noticed";
    let good = format!("- **One.** Alert `DeadLetters`. Shown by `{file}`:\n  `{here}`.\n");
    assert_eq!(problems(&good), Vec::<String>::new());
    let of = |claim: String| problems(&claim).concat();
    assert!(of("- **Two.** It is so.\n".to_owned()).starts_with("no test: - **Two"));
    assert!(of(format!("- Shown by `{file}`.")).starts_with("no test: "));
    assert!(of(format!("- Shown by `{file}`: `{here}`, `is_gone`.")).contains("`is_gone` in"));
    assert!(of(format!("- Shown by `{file}`: `has_test`.")).contains("`has_test` in"));
    assert!(of(format!("- Shown by `gone.rs`: `{here}`.")).contains("in `gone.rs`"));
    assert!(of(good.replace("DeadLetters", "DeadEntries")).contains("no alert DeadEntries"));
}
