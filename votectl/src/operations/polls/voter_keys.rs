//! Finds the votes of voters who ask for them.

use votestream_schema::{Slug, VoterId, VoterKey};

use super::stored::{find_with_secret, refuse};
use crate::error::{Error, Refusal};
use crate::servers::Servers;

/// Computes the keys under which a poll stores these voters, in their order. Needs Postgres alone.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::PollRefuses`] if the poll's secret has been destroyed, or the error of
/// Postgres.
pub async fn voter_keys(
    servers: &Servers,
    slug: &Slug,
    voters: &[VoterId],
) -> Result<Vec<VoterKey>, Error> {
    let postgres = servers.postgres().await?;
    let poll = find_with_secret(&postgres, slug).await?;
    let keys: Option<Vec<_>> = voters.iter().map(|id| poll.secrecy.keys.key_of(*id)).collect();
    keys.map_or_else(|| refuse(&poll, Refusal::IsSealed), Ok)
}
