//! The secrets with which polls make the keys of their voters ([`crate::poll::voter_key`]).
//!
//! Invariant: a secret that was read is the one of its poll for as long as the poll is not sealed. After that there is
//! none, here or in Redis, and nobody can compute a key of the poll again.

use std::collections::HashMap;

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::error::Error;
use crate::poll::secrecy::VoterKeys;
use crate::poll::voter_key::PollSecret;
use crate::{Poll, PollId};

/// Stores a new secret for a poll that has none.
pub(super) async fn create(tx: &Client, poll: PollId) -> Result<(), Error> {
    let secret = PollSecret::generate();
    let sql = "INSERT INTO poll_secrets (poll_id, secret) VALUES ($1, $2)";
    tx.execute_typed(sql, &[(&poll.0, Type::INT4), (&secret.as_bytes().as_slice(), Type::BYTEA)])
        .await?;
    Ok(())
}

/// Reads the secrets of these polls into them. A keyed poll without a readable secret keeps [`VoterKeys::Unknown`].
///
/// # Errors
/// Returns the database's error, for instance that the role may not read secrets.
pub async fn fill(client: &Client, polls: &mut [Poll]) -> Result<(), Error> {
    let keyed = polls.iter().filter(|poll| poll.secrecy.keys.is_keyed());
    let ids: Vec<i32> = keyed.map(|poll| poll.id.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "SELECT poll_id, secret FROM poll_secrets WHERE poll_id = ANY ($1)";
    let rows = client.query_typed(sql, &[(&ids, Type::INT4_ARRAY)]).await?;
    let secrets: HashMap<i32, PollSecret> =
        rows.iter().filter_map(|row| Some((row.get(0), PollSecret::read(row.get(1))?))).collect();
    for poll in polls {
        if let Some(secret) = secrets.get(&poll.id.0) {
            poll.secrecy.keys = VoterKeys::Secret(secret.clone());
        }
    }
    Ok(())
}
