//! Organisers of the host's service: add, list and revoke them, and make links that sign them in.
//!
//! Invariant: a token is seen once, in the value that [`add`] returns.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio_postgres::Client;
use votestream_schema::db::audit_trail::Step;
use votestream_schema::db::organisers::StoredOrganiser;
use votestream_schema::organiser::{self, Organiser, Role, Token};
use votestream_schema::{Slug, db};

use crate::error::Error;
use crate::servers::Servers;

/// How long a link that signs in is valid.
pub const LINK_VALID: Duration = Duration::from_secs(15 * 60);

/// An organiser to add.
#[derive(Clone, Debug)]
pub struct NewOrganiser {
    /// The name in the audit trail.
    pub name: Slug,
    /// Decides which polls they may use.
    pub role: Role,
    /// For [`Role::Host`]: the polls that they may use.
    pub polls: Vec<Slug>,
    /// The token, if somebody made it beforehand; a new one otherwise.
    pub token: Option<Token>,
}

/// An organiser who was added, or who is there already.
#[derive(Debug, Serialize)]
pub struct Added {
    /// The name in the audit trail.
    pub name: Slug,
    /// Whether they were added now.
    pub is_new: bool,
    /// The token, if it was made now. Nobody can read it later.
    pub token: Option<String>,
}

/// Adds an organiser. With `if_missing`, one who is there already stays as they are. Needs Postgres alone.
///
/// # Errors
/// Returns [`Error::BadText`] for a name or a role that breaks a rule, [`Error::Database`] with
/// [`db::Error::OrganiserTaken`] if the name is taken, or the error of Postgres.
pub async fn add(servers: &Servers, new: &NewOrganiser, if_missing: bool) -> Result<Added, Error> {
    organiser::check(&new.name, new.role, &new.polls)?;
    let mut postgres = servers.postgres().await?;
    let transaction = postgres.begin().await?;
    if if_missing && db::organisers::by_name(&transaction, &new.name).await?.is_some() {
        return Ok(Added { name: new.name.clone(), is_new: false, token: None });
    }
    let token = new.token.clone().unwrap_or_else(Token::generate);
    db::organisers::add(&transaction, &new.name, (new.role, &new.polls), &token).await?;
    let after = json!({ "name": new.name, "role": new.role, "polls": new.polls });
    note(&transaction, (servers.actor(), "organisers add"), None, Some(after)).await?;
    transaction.commit().await?;
    let token = new.token.is_none().then(|| token.reveal());
    Ok(Added { name: new.name.clone(), is_new: true, token })
}

/// Lists all organisers, also those who were revoked. Needs Postgres alone.
///
/// # Errors
/// Returns the error of Postgres.
pub async fn list(servers: &Servers) -> Result<Vec<StoredOrganiser>, Error> {
    let postgres = servers.postgres().await?;
    Ok(db::organisers::all(&postgres).await?)
}

/// Revokes an organiser: token, sessions and links end at once. Needs Postgres alone.
///
/// # Errors
/// Returns [`Error::NoSuchOrganiser`], or the error of Postgres.
pub async fn revoke(servers: &Servers, name: &Slug) -> Result<Organiser, Error> {
    let mut postgres = servers.postgres().await?;
    let transaction = postgres.begin().await?;
    let organiser = find(&transaction, name).await?;
    db::organisers::revoke(&transaction, &organiser).await?;
    let before = json!({ "name": name, "role": organiser.role, "polls": organiser.polls });
    note(&transaction, (servers.actor(), "organisers revoke"), Some(before), None).await?;
    transaction.commit().await?;
    Ok(organiser)
}

/// Makes a token for a link that signs the organiser in once, within [`LINK_VALID`]. Needs Postgres alone.
///
/// # Errors
/// Returns [`Error::NoSuchOrganiser`], or the error of Postgres.
pub async fn link(servers: &Servers, name: &Slug) -> Result<Token, Error> {
    let mut postgres = servers.postgres().await?;
    let transaction = postgres.begin().await?;
    let organiser = find(&transaction, name).await?;
    let link = Token::generate();
    db::organisers::add_link(&transaction, &organiser, &link, LINK_VALID).await?;
    let after = json!({ "name": name });
    note(&transaction, (servers.actor(), "organisers link"), None, Some(after)).await?;
    transaction.commit().await?;
    Ok(link)
}

async fn find(client: &Client, name: &Slug) -> Result<Organiser, Error> {
    let found = db::organisers::by_name(client, name).await?;
    found.ok_or_else(|| Error::NoSuchOrganiser(name.clone()))
}

async fn note(
    transaction: &Client,
    (actor, action): (&str, &str),
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> Result<(), Error> {
    let step = Step { actor, action, poll: None, before, after };
    Ok(db::audit_trail::store(transaction, &step).await?)
}
