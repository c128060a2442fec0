//! `votectl log`.

use serde_json::Value;
use votestream_schema::Slug;
use votestream_schema::db::audit_trail::StoredStep;
use votestream_schema::poll::rfc3339;
use votestream_votectl::Servers;
use votestream_votectl::operations::log::log;

use crate::cli_error::CliError;
use crate::output::{Output, table, visible};

const EXAMPLES: &str = "Examples:
  votectl log
  votectl log --poll cats-vs-dogs
  votectl log --steps 1000 --json

Steps of polls, codes and organisers are listed, whoever took them: organisers under their names, the command line as votectl.
The role is the one of the database session. --json also has the values before and after each step.";

/// Print who changed what, and when
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Print the steps of this poll alone
    #[arg(long, value_name = "SLUG")]
    poll: Option<Slug>,
    /// Print so many steps at most: the last ones
    #[arg(long, value_name = "N", default_value_t = 100)]
    steps: u32,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let steps = log(servers, args.poll.as_ref(), args.steps).await?;
    output.print(&steps, || match steps.as_slice() {
        [] => "no step is stored yet".to_owned(),
        steps => {
            let rows: Vec<_> = steps.iter().map(cells).collect();
            table(["WHEN", "WHO", "ROLE", "STEP", "POLL", "CHANGE"], &[], &rows)
        }
    })
}

fn cells(step: &StoredStep) -> [String; 6] {
    let poll = step.poll.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let (actor, role) = (visible(&step.actor), visible(&step.db_role));
    [rfc3339(step.at_ms), actor, role, step.action.clone(), poll, visible(&change(step))]
}

/// The change in a few words: `closes_at: 2026-03-01T20:00:00Z (before: none)`. A new poll is named by its title alone.
fn change(step: &StoredStep) -> String {
    let Some(Value::Object(after)) = &step.after else { return String::new() };
    if step.action == "poll create" {
        return after.get("title").and_then(Value::as_str).unwrap_or_default().to_owned();
    }
    let fields = after.iter().map(|(name, value)| {
        let before = step.before.as_ref().and_then(|before| before.get(name));
        let before = before.map(|before| format!(" (before: {})", words(name, before)));
        let label = name.strip_suffix("_ms").unwrap_or(name);
        format!("{label}: {}{}", words(name, value), before.unwrap_or_default())
    });
    fields.collect::<Vec<_>>().join("; ")
}

/// A value as people read it; `name` says whether it is a time.
fn words(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(ms) if name.ends_with("_at_ms") => {
            ms.as_i64().map_or_else(|| ms.to_string(), rfc3339)
        }
        Value::Array(items) => {
            let label = |item: &Value| match item.get("label").and_then(Value::as_str) {
                Some(label) => label.to_owned(),
                None => words("", item),
            };
            items.iter().map(label).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_named_with_the_value_before() {
        let step = StoredStep {
            id: 1,
            at_ms: 0,
            actor: "anna".to_owned(),
            db_role: "votestream_host".to_owned(),
            action: "poll close".to_owned(),
            poll: None,
            before: Some(json!({ "closes_at_ms": null })),
            after: Some(json!({ "closes_at_ms": 1_000, "title": "Pets" })),
        };
        let words = "closes_at: 1970-01-01T00:00:01Z (before: none); title: Pets";
        assert_eq!(change(&step), words);
        let options =
            json!({ "options": [{ "slug": "cats", "label": "Cats" }, { "label": "Dogs" }] });
        let step = StoredStep { before: None, after: Some(options), ..step };
        assert_eq!(change(&step), "options: Cats, Dogs");
        assert_eq!(change(&StoredStep { after: None, ..step }), "");
    }
}
