//! The expressions that the Grafana dashboards send to Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// What a number shows when there are no data.
const SILENT: &str = " or on () vector(NaN)";

/// Returns every expression of every panel and annotation, with the places where it is used. Numbers lose the part that
/// stands for silence, so that they are empty where data are missing.
pub fn of_dashboards(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let name = file.file_name().into_string().unwrap();
        if name.ends_with(".json") {
            let dashboard = read(&file.path());
            collect(&dashboard, &name, &mut found);
        }
    }
    assert!(found.len() > 50, "the dashboards hold {} expressions", found.len());
    found
}

/// Returns the expressions that may have no data, each with the reason.
pub fn that_may_be_empty(file: &Path) -> BTreeMap<String, String> {
    serde_json::from_value(read(file)).unwrap()
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn collect(value: &Value, place: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::Object(fields) => {
            let title = fields.get("title").and_then(Value::as_str);
            let place = title.map_or(place.to_owned(), |title| format!("{place}: {title}"));
            if let Some(Value::String(expression)) = fields.get("expr") {
                let expression = expression.trim_end_matches(SILENT).to_owned();
                found.entry(expression).or_default().insert(place.clone());
            }
            fields.values().for_each(|value| collect(value, &place, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, place, found)),
        _ => {}
    }
}
