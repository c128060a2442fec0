//! What every admin port owes those who scrape it.

use std::collections::HashSet;

/// Panics unless each metric in a scrape is ours, explained, and adds up across replicas, and all of
/// `names` are there.
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
