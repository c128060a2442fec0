//! What operators have changed in a poll after it was created. Every change keeps the value before it.

use std::collections::BTreeSet;

use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::error::Error;
use crate::PollId;
use crate::poll::Poll;
use crate::poll::translations::{LanguageTag, Translations};

/// One change of one field of a poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PollChange {
    /// The poll's revision that the change made.
    pub revision: i32,
    /// What was changed: `title`, `label of SLUG`, `visibility`, `network_limit`, `listed`, `lang`, or a translation as
    /// `title in LANG` and `label of SLUG in LANG`.
    pub field: String,
    /// When, by Postgres' clock, in milliseconds since the Unix epoch.
    pub changed_at_ms: i64,
    /// The value before; `None` if there was none.
    pub before: Option<String>,
    /// The value after; `None` if there is none.
    pub after: Option<String>,
}

/// Stores `after` in place of `before`, which the caller has locked, and keeps every value that it changes. The two may
/// differ in title, labels, their translations and language, visibility, network limit, listing and revision.
///
/// # Errors
/// Returns the database's error.
pub async fn store(tx: &Client, before: &Poll, after: &Poll) -> Result<(), Error> {
    let slugs: Vec<&str> = after.options.iter().map(|option| option.slug.as_str()).collect();
    let labels: Vec<&str> = after.options.iter().map(|option| option.label.as_str()).collect();
    let translated: Vec<String> =
        after.options.iter().map(|option| option.labels.to_json()).collect();
    tx.execute_typed(
        include_str!("../../sql/set_poll.sql"),
        &[
            (&after.id.0, Type::INT4),
            (&after.title, Type::TEXT),
            (&after.visibility.as_str(), Type::TEXT),
            (&after.network_limit.map(|limit| limit.to_string()), Type::TEXT),
            (&after.revision, Type::INT4),
            (&slugs, Type::TEXT_ARRAY),
            (&labels, Type::TEXT_ARRAY),
            (&after.listed, Type::BOOL),
            (&after.lang.as_ref().map(LanguageTag::as_str), Type::TEXT),
            (&after.titles.to_json(), Type::TEXT),
            (&translated, Type::TEXT_ARRAY),
        ],
    )
    .await?;
    let changed = differences(before, after);
    let column = |value: fn(&Difference) -> Option<&str>| changed.iter().map(value).collect();
    let fields: Vec<&str> = changed.iter().map(|changed| changed.field.as_str()).collect();
    let old: Vec<Option<&str>> = column(|changed| changed.before.as_deref());
    let new: Vec<Option<&str>> = column(|changed| changed.after.as_deref());
    tx.execute_typed(
        "INSERT INTO poll_changes (poll_id, revision, field, before, after) \
         SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[])",
        &[
            (&after.id.0, Type::INT4),
            (&after.revision, Type::INT4),
            (&fields, Type::TEXT_ARRAY),
            (&old, Type::TEXT_ARRAY),
            (&new, Type::TEXT_ARRAY),
        ],
    )
    .await?;
    Ok(())
}

/// All changes of a poll, the oldest first.
///
/// # Errors
/// Returns the database's error.
pub async fn of(client: &Client, poll: PollId) -> Result<Vec<PollChange>, Error> {
    let sql = "SELECT revision, field, floor(extract(epoch FROM changed_at) * 1000)::bigint, before, after \
               FROM poll_changes WHERE poll_id = $1 ORDER BY revision, field";
    let rows = client.query_typed(sql, &[(&poll.0, Type::INT4)]).await?;
    let change = |row: &tokio_postgres::Row| PollChange {
        revision: row.get(0),
        field: row.get(1),
        changed_at_ms: row.get(2),
        before: row.get(3),
        after: row.get(4),
    };
    Ok(rows.iter().map(change).collect())
}

/// A field in which two definitions of a poll differ.
#[derive(Debug, PartialEq)]
struct Difference {
    field: String,
    before: Option<String>,
    after: Option<String>,
}

fn differences(before: &Poll, after: &Poll) -> Vec<Difference> {
    let text = |field: &str, before: &str, after: &str| Difference {
        field: field.to_owned(),
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
    };
    let perhaps = |field: &str, value: fn(&Poll) -> Option<String>| Difference {
        field: field.to_owned(),
        before: value(before),
        after: value(after),
    };
    let mut all = vec![
        text("title", &before.title, &after.title),
        text("visibility", before.visibility.as_str(), after.visibility.as_str()),
        perhaps("network_limit", |poll| poll.network_limit.map(|limit| limit.to_string())),
        perhaps("listed", |poll| poll.listed.map(|listed| listed.to_string())),
        perhaps("lang", |poll| poll.lang.as_ref().map(LanguageTag::to_string)),
    ];
    all.extend(translated("title", &before.titles, &after.titles));
    let options = before.options.iter().zip(&after.options);
    all.extend(options.flat_map(|(before, after)| {
        let name = format!("label of {}", before.slug);
        let translated = translated(&name, &before.labels, &after.labels);
        std::iter::once(text(&name, &before.label, &after.label)).chain(translated)
    }));
    all.retain(|changed| changed.before != changed.after);
    all
}

/// The texts in further languages, before and after.
fn translated(name: &str, before: &Translations, after: &Translations) -> Vec<Difference> {
    let text = |all: &Translations, language: &LanguageTag| {
        all.iter().find(|(one, _)| *one == language).map(|(_, text)| text.to_owned())
    };
    let languages: BTreeSet<&LanguageTag> =
        before.iter().chain(after.iter()).map(|(language, _)| language).collect();
    let difference = |language: &LanguageTag| Difference {
        field: format!("{name} in {language}"),
        before: text(before, language),
        after: text(after, language),
    };
    languages.into_iter().map(difference).collect()
}
