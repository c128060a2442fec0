//! The audit trail: which step who took, when, and what it changed.
//!
//! Invariant: a step that changes Postgres is stored in the transaction of the change, so neither is there without the
//! other. No statement of ours changes or deletes a row.

use serde::Serialize;
use serde_json::{Map, Value};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::error::Error;
use crate::poll::Poll;
use crate::{PollId, Slug};

/// A step that is about to be stored.
#[derive(Clone, Debug, Default)]
pub struct Step<'a> {
    /// The name of an organiser, or [`crate::organiser::OPERATOR`].
    pub actor: &'a str,
    /// What was done, such as `poll close`.
    pub action: &'a str,
    /// The poll, if the step concerns one.
    pub poll: Option<PollId>,
    /// The values before the step, by name; only those that it changed.
    pub before: Option<Value>,
    /// The values after the step, by name.
    pub after: Option<Value>,
}

/// A step as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredStep {
    /// A number that grows with every step.
    pub id: i64,
    /// When, by Postgres' clock, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The name of an organiser, or `votectl`.
    pub actor: String,
    /// The role of the database session.
    pub db_role: String,
    /// What was done, such as `poll close`.
    pub action: String,
    /// The poll, if the step concerns one.
    pub poll: Option<Slug>,
    /// The values before the step.
    pub before: Option<Value>,
    /// The values after the step.
    pub after: Option<Value>,
}

/// Stores a step.
///
/// # Errors
/// Returns the database's error.
pub async fn store(tx: &Client, step: &Step<'_>) -> Result<(), Error> {
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    tx.execute_typed(
        "INSERT INTO audit_trail (actor, action, poll_id, before, after) \
         VALUES ($1, $2, $3, $4::text::jsonb, $5::text::jsonb)",
        &[
            (&step.actor, Type::TEXT),
            (&step.action, Type::TEXT),
            (&step.poll.map(|poll| poll.0), Type::INT4),
            (&text(&step.before), Type::TEXT),
            (&text(&step.after), Type::TEXT),
        ],
    )
    .await?;
    Ok(())
}

/// Stores a step that changed a poll from `before` to `after`, with the values in which the two differ.
///
/// # Errors
/// Returns the database's error.
pub async fn store_change(
    tx: &Client,
    (actor, action): (&str, &str),
    before: &Poll,
    after: &Poll,
) -> Result<(), Error> {
    let (old, new) = differences(before, after);
    let step = Step { actor, action, poll: Some(after.id), before: Some(old), after: Some(new) };
    store(tx, &step).await
}

/// The values in which two states of a poll differ, beside the revision, which every change raises.
fn differences(before: &Poll, after: &Poll) -> (Value, Value) {
    let fields = |poll: &Poll| match serde_json::to_value(poll) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (mut old, mut new) = (fields(before), fields(after));
    let differs = |name: &String| name != "revision" && old.get(name) != new.get(name);
    let names: Vec<String> =
        old.keys().chain(new.keys()).filter(|name| differs(name)).cloned().collect();
    old.retain(|name, _| names.contains(name));
    new.retain(|name, _| names.contains(name));
    (Value::Object(old), Value::Object(new))
}

/// The last `steps_max` steps, the oldest first: of one poll, or of everything.
///
/// # Errors
/// Returns [`Error::UnreadableStep`] for a row that holds no JSON, else the database's error.
pub async fn last(
    client: &Client,
    poll: Option<PollId>,
    steps_max: u32,
) -> Result<Vec<StoredStep>, Error> {
    let sql = include_str!("../../sql/audit_trail.sql");
    let poll = poll.map(|poll| poll.0);
    let rows = client
        .query_typed(sql, &[(&poll, Type::INT4), (&i64::from(steps_max), Type::INT8)])
        .await?;
    rows.iter().rev().map(step).collect()
}

fn step(row: &Row) -> Result<StoredStep, Error> {
    let id: i64 = row.get("id");
    let json = |name: &str| {
        let text: Option<&str> = row.get(name);
        text.map(serde_json::from_str).transpose().map_err(|_| Error::UnreadableStep(id))
    };
    let poll: Option<&str> = row.get("slug");
    Ok(StoredStep {
        id,
        at_ms: row.get("at_ms"),
        actor: row.get("actor"),
        db_role: row.get("db_role"),
        action: row.get("action"),
        poll: poll.and_then(|slug| slug.parse().ok()),
        before: json("before")?,
        after: json("after")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_names_the_values_that_differ_and_no_secret() {
        let json = r#"{"id": 1, "slug": "pets", "title": "Pets", "options": [], "choices_min": 1, "choices_max": 1,
            "vote_policy": "replace", "voter_policy": "open", "visibility": "always", "opens_at_ms": 5,
            "closes_at_ms": null, "archived_at_ms": null, "revision": 1}"#;
        let before: Poll = serde_json::from_str(json).unwrap();
        let after =
            Poll { closes_at_ms: Some(9), revision: 2, listed: Some(false), ..before.clone() };
        let (old, new) = differences(&before, &after);
        assert_eq!(old, serde_json::json!({"closes_at_ms": null}));
        assert_eq!(new, serde_json::json!({"closes_at_ms": 9, "listed": false}));
    }
}
