//! Checks of the metrics that every service exports on its admin port.

use std::collections::HashSet;

/// Checks the text of a scrape: each metric has our prefix and a help text, no metric is a summary (those of several
/// replicas cannot be added up), and all of `names` are there.
///
/// # Panics
/// Panics at the first metric that breaks one of these rules.
pub fn check_metrics(text: &str, names: &[&str]) {
    let helped: HashSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut seen = HashSet::new();
    for (name, kind) in kinds {
        assert!(name.starts_with("votestream_") || name.starts_with("process_"), "{name}");
        assert!(helped.contains(name), "{name} has no HELP");
        assert_ne!(kind, "summary", "{name}: summaries of replicas do not add up");
        if kind == "histogram" {
            assert!(text.contains(&format!("{name}_bucket{{")), "{name} has no buckets");
        }
        seen.insert(name);
    }
    for name in names {
        assert!(seen.contains(name), "{name} is missing");
    }
}
