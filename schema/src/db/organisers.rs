//! Organisers, the links that sign them in once, and the sessions of their browsers.
//!
//! Invariant: Postgres has hashes of tokens, links and cookies alone. An organiser who was revoked can do nothing more,
//! also with a session that began before.

use std::time::Duration;

use serde::Serialize;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::error::Error;
use crate::Slug;
use crate::organiser::{Organiser, Role, Token};
use crate::poll::Invalid;

/// An organiser as stored, also one who was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredOrganiser {
    /// The organiser.
    #[serde(flatten)]
    pub organiser: Organiser,
    /// When they were added, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// When they were revoked, in milliseconds since the Unix epoch.
    pub revoked_at_ms: Option<i64>,
}

/// The session of a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSession {
    /// Who is signed in.
    pub organiser: Organiser,
    /// How long ago they last showed a token or a link.
    pub confirmed_age: Duration,
}

/// Stores a new organiser under the hash of this token.
///
/// # Errors
/// Returns [`Error::OrganiserTaken`], or the database's error.
pub async fn add(
    tx: &Client,
    name: &Slug,
    (role, polls): (Role, &[Slug]),
    token: &Token,
) -> Result<(), Error> {
    let polls: Vec<&str> = polls.iter().map(Slug::as_str).collect();
    let hash = token.hash();
    let sql = "INSERT INTO organisers (name, token_hash, role, polls) VALUES ($1, $2, $3, $4)";
    let values: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] = &[
        (&name.as_str(), Type::TEXT),
        (&hash.as_slice(), Type::BYTEA),
        (&role.as_str(), Type::TEXT),
        (&polls, Type::TEXT_ARRAY),
    ];
    match tx.execute_typed(sql, values).await {
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            Err(Error::OrganiserTaken(name.to_string()))
        }
        other => Ok(other.map(drop)?),
    }
}

/// All organisers, in the order in which they were added.
///
/// # Errors
/// Returns [`Error::UnreadableOrganiser`] for a row that breaks the model, else the database's error.
pub async fn all(client: &Client) -> Result<Vec<StoredOrganiser>, Error> {
    let sql = "SELECT id, name, role, polls, floor(extract(epoch FROM created_at) * 1000)::bigint AS created_at_ms, \
               floor(extract(epoch FROM revoked_at) * 1000)::bigint AS revoked_at_ms FROM organisers ORDER BY id";
    let rows = client.query_typed(sql, &[]).await?;
    let stored = |row: &Row| {
        Ok(StoredOrganiser {
            organiser: read(row)?,
            created_at_ms: row.get("created_at_ms"),
            revoked_at_ms: row.get("revoked_at_ms"),
        })
    };
    rows.iter().map(stored).collect()
}

/// The organiser of this name, unless they were revoked.
///
/// # Errors
/// As [`all`].
pub async fn by_name(client: &Client, name: &Slug) -> Result<Option<Organiser>, Error> {
    let sql = "SELECT id, name, role, polls FROM organisers WHERE name = $1 AND revoked_at IS NULL";
    let row = client.query_typed_opt(sql, &[(&name.as_str(), Type::TEXT)]).await?;
    row.as_ref().map(read).transpose()
}

/// The organiser of this token, unless they were revoked.
///
/// # Errors
/// As [`all`].
pub async fn by_token(client: &Client, token: &Token) -> Result<Option<Organiser>, Error> {
    let sql =
        "SELECT id, name, role, polls FROM organisers WHERE token_hash = $1 AND revoked_at IS NULL";
    let row = client.query_typed_opt(sql, &[(&token.hash().as_slice(), Type::BYTEA)]).await?;
    row.as_ref().map(read).transpose()
}

/// Revokes an organiser, and ends their sessions and links.
///
/// # Errors
/// Returns the database's error.
pub async fn revoke(tx: &Client, organiser: &Organiser) -> Result<(), Error> {
    for sql in [
        "UPDATE organisers SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL",
        "DELETE FROM host_sessions WHERE organiser_id = $1",
        "DELETE FROM host_links WHERE organiser_id = $1",
    ] {
        tx.execute_typed(sql, &[(&organiser.id, Type::INT4)]).await?;
    }
    Ok(())
}

/// Stores a link that signs the organiser in once, for as long as it is valid.
///
/// # Errors
/// Returns the database's error.
pub async fn add_link(
    client: &Client,
    organiser: &Organiser,
    link: &Token,
    valid: Duration,
) -> Result<(), Error> {
    client.execute_typed("DELETE FROM host_links WHERE expires_at <= now()", &[]).await?;
    let sql = "INSERT INTO host_links (hash, organiser_id, expires_at) \
               VALUES ($1, $2, now() + make_interval(secs => $3))";
    insert(client, sql, organiser, link, valid).await
}

/// Uses a link up; returns the organiser if the link was valid.
///
/// # Errors
/// As [`all`].
pub async fn use_link(client: &Client, link: &Token) -> Result<Option<Organiser>, Error> {
    let sql = include_str!("../../sql/use_host_link.sql");
    let row = client.query_typed_opt(sql, &[(&link.hash().as_slice(), Type::BYTEA)]).await?;
    row.as_ref().map(read).transpose()
}

/// Stores a new session for as long as it is valid, and forgets those that have ended.
///
/// # Errors
/// Returns the database's error.
pub async fn start_session(
    client: &Client,
    organiser: &Organiser,
    cookie: &Token,
    valid: Duration,
) -> Result<(), Error> {
    client.execute_typed("DELETE FROM host_sessions WHERE expires_at <= now()", &[]).await?;
    let sql = "INSERT INTO host_sessions (hash, organiser_id, expires_at) \
               VALUES ($1, $2, now() + make_interval(secs => $3))";
    insert(client, sql, organiser, cookie, valid).await
}

async fn insert(
    client: &Client,
    sql: &str,
    organiser: &Organiser,
    token: &Token,
    valid: Duration,
) -> Result<(), Error> {
    let hash = token.hash();
    let values: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] = &[
        (&hash.as_slice(), Type::BYTEA),
        (&organiser.id, Type::INT4),
        (&valid.as_secs_f64(), Type::FLOAT8),
    ];
    client.execute_typed(sql, values).await?;
    Ok(())
}

/// The session of this cookie, unless it has ended or its organiser was revoked.
///
/// # Errors
/// As [`all`].
pub async fn session(client: &Client, cookie: &Token) -> Result<Option<HostSession>, Error> {
    let sql = include_str!("../../sql/host_session.sql");
    let row = client.query_typed_opt(sql, &[(&cookie.hash().as_slice(), Type::BYTEA)]).await?;
    let Some(row) = row else { return Ok(None) };
    let age_s: i64 = row.get("confirmed_age_s");
    let confirmed_age = Duration::from_secs(age_s.max(0).unsigned_abs());
    Ok(Some(HostSession { organiser: read(&row)?, confirmed_age }))
}

/// Remembers that the organiser of a session has just shown the token.
///
/// # Errors
/// Returns the database's error.
pub async fn confirm_session(client: &Client, cookie: &Token) -> Result<(), Error> {
    let sql = "UPDATE host_sessions SET confirmed_at = now() WHERE hash = $1";
    client.execute_typed(sql, &[(&cookie.hash().as_slice(), Type::BYTEA)]).await?;
    Ok(())
}

/// Ends a session.
///
/// # Errors
/// Returns the database's error.
pub async fn end_session(client: &Client, cookie: &Token) -> Result<(), Error> {
    let sql = "DELETE FROM host_sessions WHERE hash = $1";
    client.execute_typed(sql, &[(&cookie.hash().as_slice(), Type::BYTEA)]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<Organiser, Error> {
    let name: &str = row.get("name");
    let unreadable = |reason: String| Error::UnreadableOrganiser { name: name.to_owned(), reason };
    let slug = |text: &str| text.parse::<Slug>().map_err(|error| unreadable(error.to_string()));
    let polls: Vec<&str> = row.get("polls");
    Ok(Organiser {
        id: row.get("id"),
        name: slug(name)?,
        role: row.get::<_, &str>("role").parse().map_err(|Invalid(reason)| unreadable(reason))?,
        polls: polls.into_iter().map(slug).collect::<Result<_, _>>()?,
    })
}
