//! Limits that all replicas share, of networks in polls.
//!
//! Its memory is bounded: a fixed table for all networks, and a [`Lease`] for at most [`LEASES_MAX`] networks that bring
//! more than a replica's own share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use votestream_schema::poll::network::{Network, Networks};
use votestream_schema::{Keys, Poll, PollId};
use votestream_service::CancellationToken;
use votestream_service::redis::Pool;

use super::free_share::{FreeShares, FreeVoter, REPLICA_SHARE};
use super::lease::Lease;
use super::rate::{Rate, Refusal};
use super::shared_limit::{HashName, SharedLimit};
use crate::cookie_keys::CookieKeys;

/// The most networks of which new voters are taken several at a time.
const LEASES_MAX: usize = 50_000;
/// Time between two reports to Redis.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

type LeaseKey = (PollId, Network, Rate);

/// The place in Redis where limits are kept: key names, connections, and the number of partitions.
pub(crate) type Place = (Keys, Pool, u16);

/// Limits of one kind.
pub(super) struct Limiter {
    free: FreeShares,
    shared: Arc<SharedLimit>,
    /// By poll, smallest network, and limit: a limit that an operator has changed is another one at once.
    leases: Mutex<HashMap<LeaseKey, Arc<Lease>>>,
    cookie_keys: CookieKeys,
}

/// A new voter that was taken out of a limit. It must be ended by [`Taken::voted`] or [`Limiter::give_back`].
#[must_use]
pub(super) enum Taken {
    /// Out of the replica's own share.
    Free(FreeVoter),
    /// Out of what Redis granted.
    Leased(Arc<Lease>),
}

impl Taken {
    /// Ends it: the voter's ballot is accepted.
    pub(super) fn voted(self) {
        if let Self::Leased(lease) = self {
            lease.voted();
        }
    }
}

impl Limiter {
    /// Creates limits that are kept in this hash of each poll.
    pub(super) fn new(
        (keys, pool, partitions): Place,
        hash: HashName,
        cookie_keys: CookieKeys,
    ) -> Self {
        Self {
            free: FreeShares::new(),
            shared: Arc::new(SharedLimit::new(keys, pool, partitions, hash)),
            leases: Mutex::default(),
            cookie_keys,
        }
    }

    /// Takes one new voter out of the limit of each of these networks, without a question to Redis if `is_free` and the
    /// replica's own share has one.
    ///
    /// # Errors
    /// Returns why none of them may bring one now.
    pub(super) async fn take(
        &self,
        poll: &Poll,
        networks: &Networks,
        rate: Rate,
        is_free: bool,
    ) -> Result<Taken, Refusal> {
        if is_free && let Some(voter) = self.free.take(poll.id, networks, rate) {
            return Ok(Taken::Free(voter));
        }
        let lease = self.lease(poll, networks, rate);
        lease.take(&self.shared).await?;
        Ok(Taken::Leased(lease))
    }

    /// Gives a new voter back who has not voted.
    pub(super) fn give_back(&self, taken: Taken) {
        match taken {
            Taken::Free(voter) => self.free.give_back(voter),
            Taken::Leased(lease) => lease.give_back(),
        }
    }

    /// The lease of the smallest network of a client, which stands for all of them.
    fn lease(&self, poll: &Poll, networks: &Networks, rate: Rate) -> Arc<Lease> {
        let key = (poll.id, networks.smallest(), rate);
        if let Some(known) = self.lock().get(&key) {
            return known.clone();
        }
        let derived;
        let secret = match poll.secrecy.keys.secret() {
            Some(secret) => secret,
            None => {
                derived = self.cookie_keys.ring().derived_secret(&format!("networks {}", poll.id));
                &derived
            }
        };
        let account = self.shared.account(poll.id, networks, secret, rate);
        let mut leases = self.lock();
        if leases.len() >= LEASES_MAX {
            // It takes exactly one new voter, and is forgotten.
            return Arc::new(Lease::new(account, rate, 0));
        }
        let spare = rate.at_once / REPLICA_SHARE;
        leases.entry(key).or_insert_with(|| Arc::new(Lease::new(account, rate, spare))).clone()
    }

    /// Reports to Redis every second who has voted, until `shutdown`.
    pub(super) async fn run(&self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(SETTLE_EVERY) => self.settle(false).await,
            }
        }
    }

    /// Settles every lease, and forgets those that nobody uses; all of them if the service stops.
    pub(super) async fn settle(&self, is_last: bool) {
        let leases: Vec<_> = self.lock().iter().map(|(key, lease)| (*key, lease.clone())).collect();
        for (key, lease) in leases {
            if lease.settle(&self.shared, is_last).await {
                let mut leases = self.lock();
                // A request that holds it, beside the map and this loop, may be about to use it.
                if Arc::strong_count(&lease) <= 2 {
                    leases.remove(&key);
                }
            }
        }
        self.lock().shrink_to_fit();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LeaseKey, Arc<Lease>>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
