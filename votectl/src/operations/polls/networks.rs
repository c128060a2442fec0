//! Lists the client networks that brought the most new voters to a poll.
//!
//! Redis knows these networks by keyed names. Nothing here removes a vote: the list is for people who judge.

use std::collections::HashMap;
use std::net::IpAddr;

use serde::Serialize;
use votestream_schema::poll::network::{Network, NetworkHash, NetworkRecord};
use votestream_schema::poll::rfc3339;
use votestream_schema::{Poll, Slug, db};

use super::stored::{find_with_secret, refuse};
use crate::error::{Error, Refusal};
use crate::servers::{Redis, Servers};

/// Fields that one command reads.
const FIELDS_AT_ONCE: usize = 1_000;

/// A network and the new voters that it brought.
#[derive(Debug, Serialize)]
pub struct BusyNetwork {
    /// Its size and its keyed name.
    pub network: String,
    /// New voters that were counted under it.
    pub new_voters: u64,
    /// The time of the first of them, in RFC 3339.
    pub first: String,
    /// The time of the last one.
    pub last: String,
}

/// The busiest networks of a poll.
#[derive(Debug, Serialize)]
pub struct BusyNetworks {
    /// The poll.
    pub poll: Slug,
    /// Voters counted in the whole poll, from all networks.
    pub voters: i64,
    /// Networks that Redis has, whether they are listed or not.
    pub known: usize,
    /// The networks with the most new voters first.
    pub networks: Vec<BusyNetwork>,
}

/// Reads the `most` busiest networks of a poll, or, where `of` is given, those that this address lies in.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::PollRefuses`] if the names of an address cannot be computed, because the poll
/// is sealed or has no secret, or the error of the server that failed.
pub async fn networks(
    servers: &Servers,
    slug: &Slug,
    most: usize,
    of: Option<IpAddr>,
) -> Result<BusyNetworks, Error> {
    let (postgres, mut redis) = servers.both().await?;
    let poll = find_with_secret(&postgres, slug).await?;
    let voters = db::results::tally(&postgres, poll.id).await?.voters;
    let mut found = HashMap::new();
    for partition in 0..redis.partitions {
        read(&mut redis, partition, &poll, &mut found).await?;
    }
    let known = found.len();
    if let Some(address) = of {
        let names = names_of(&poll, address)?;
        found.retain(|name, _| names.contains(name));
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(name, record)| (std::cmp::Reverse(record.voters), *name));
    let networks = found.into_iter().filter(|(_, record)| record.voters > 0).take(most);
    let networks = networks.map(|(name, record)| BusyNetwork {
        network: name.to_string(),
        new_voters: record.voters,
        first: rfc3339(record.first_ms),
        last: rfc3339(record.last_ms),
    });
    Ok(BusyNetworks { poll: poll.slug, voters, known, networks: networks.collect() })
}

/// The keyed names of the networks of an address in this poll.
fn names_of(poll: &Poll, address: IpAddr) -> Result<Vec<NetworkHash>, Error> {
    let Some(secret) = poll.secrecy.keys.secret() else { return refuse(poll, Refusal::NoSecret) };
    let networks = Network::of(address);
    Ok(networks.all().iter().map(|network| network.hash(secret)).collect())
}

async fn read(
    redis: &mut Redis,
    partition: u16,
    poll: &Poll,
    found: &mut HashMap<NetworkHash, NetworkRecord>,
) -> Result<(), Error> {
    let key = redis.keys.networks(partition, poll.id);
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("HSCAN");
        scan.arg(&key).arg(cursor).arg("COUNT").arg(FIELDS_AT_ONCE);
        let (next, fields): (u64, Vec<(String, String)>) = redis.ask(&scan).await?;
        for (name, value) in fields {
            // A scan may return a field twice.
            if let (Ok(name), Some(record)) = (name.parse(), NetworkRecord::read(&value)) {
                found.insert(name, record);
            }
        }
        cursor = next;
        if cursor == 0 {
            return Ok(());
        }
    }
}
