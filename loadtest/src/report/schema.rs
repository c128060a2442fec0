//! The keys of plans and of reports as JSON Schema, with their meaning and units.

use schemars::schema_for;

use crate::plan::file::PlanFile;
use crate::report::data::Report;

/// Returns a JSON document with two schemas: `plan`, for files of `--plan` (written in TOML), and
/// `report`, for the files of `--json`.
pub(crate) fn schema() -> String {
    let both = serde_json::json!({
        "plan": schema_for!(PlanFile),
        "report": schema_for!(Report),
    });
    let mut text = serde_json::to_string_pretty(&both).expect("a schema is plain data");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_a_report_is_described() {
        let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
        let report = serde_json::to_value(Report::default()).unwrap();
        let described = &schema["report"]["properties"];
        for key in report.as_object().unwrap().keys() {
            assert!(described.get(key).is_some(), "{key} is missing");
        }
        assert!(schema["plan"]["properties"]["phase"].is_object());
    }
}
