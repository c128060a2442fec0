//! Checks that docs/METRICS.md equals the tables in which the services declare their metrics. `make docs` writes it.

mod tables;

use std::path::Path;

use tables::documented;
use votestream_service::metric::Metric;

const HEAD: &str = "# Metrics

`make docs` writes this file from the tables in the code. One test fails when they differ, and another one when the
running services export a metric that is not listed here, or do not export one that is.

Services export on their admin port, at `/metrics`. Label values are few and known beforehand; no poll,
voter or result is ever one. Histograms in seconds have bounds from 0.5 ms to 30 s, those of entries from 1
to 10,000.

Metrics marked *shared* describe the whole deployment, not one replica: all consumers export the same value, so take
`max`, never `sum`, over instances.
";

fn row(metric: &Metric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(label).collect();
    let shared = if is_shared(metric.name) { "*shared* " } else { "" };
    format!(
        "| `{}` | {} | {} | {} | {shared}{} |\n",
        metric.name,
        metric.kind.as_str(),
        metric.unit,
        labels.join(", "),
        metric.help
    )
}

fn label((name, values): &(&str, &[&str])) -> String {
    match values {
        [] => format!("`{name}`"),
        values => format!("`{name}` ({})", values.join(", ")),
    }
}

/// Whether a consumer reads this metric from the servers, rather than counting its own work.
fn is_shared(name: &str) -> bool {
    ["stream_", "redis_memory_", "postgres_connections", "audit_", "codes_", "dead_letters_held"]
        .iter()
        .any(|start| name.strip_prefix("votestream_").is_some_and(|rest| rest.starts_with(start)))
}

#[test]
fn the_document_equals_the_tables() {
    let mut text = HEAD.to_owned();
    for (title, tables) in documented() {
        text += &format!("\n## {title}\n\n| metric | kind | unit | labels | meaning |\n");
        text += "|---|---|---|---|---|\n";
        text.extend(tables.iter().map(row));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/METRICS.md");
    if std::env::var_os("WRITE_GENERATED").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "docs/METRICS.md differs from the tables in the code; `make docs` writes it"
    );
}
