//! Limits how many new voters the networks of a client may bring to a poll.
//!
//! A new voter is one whose ballot is accepted and who had no vote in the poll before. Pages cost nothing, and neither do
//! repeated and refused ballots. The limits are the same whatever the number of replicas: they are kept in Redis, and a
//! replica accepts no more than a hundredth of each by itself ([ADR 10](../../docs/adr/0010-network-limits.md)).
//!
//! Its memory is bounded: a fixed table for all networks, and a [`Lease`] for at most [`LEASES_MAX`] networks that bring
//! more than that hundredth.

mod free_share;
mod lease;
mod rate;
mod shared_limit;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use votestream_schema::poll::network::{Network, Networks};
use votestream_schema::poll::network_limit::NetworkLimit;
use votestream_schema::{Keys, Poll, PollId};
use votestream_service::CancellationToken;
use votestream_service::log_throttle::LogThrottle;
use votestream_service::metric::CounterHandle;
use votestream_service::redis::Pool;

use crate::client::Source;
use crate::cookie_keys::CookieKeys;
use crate::metrics;
use free_share::{FreeShares, FreeVoter, REPLICA_SHARE};
use lease::Lease;
use rate::Rate;
use shared_limit::SharedLimit;

pub(crate) use rate::Refusal;

/// The most networks of which new voters are taken several at a time.
const LEASES_MAX: usize = 50_000;
/// Time between two reports to Redis.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// Shortest time between two warnings.
const WARN_PERIOD: Duration = Duration::from_secs(60);

type LeaseKey = (PollId, Network, Rate);

/// The limits of all networks in all polls.
pub(crate) struct NetworkLimits {
    /// The limit of polls that have none of their own.
    usual: NetworkLimit,
    exempt: Vec<IpNet>,
    free: FreeShares,
    shared: Arc<SharedLimit>,
    /// By poll, smallest network, and limit: a limit that an operator has changed is another one at once.
    leases: Mutex<HashMap<LeaseKey, Arc<Lease>>>,
    cookie_keys: CookieKeys,
    unreadable: Mutex<LogThrottle>,
}

/// The right of one client to be a new voter. It must be ended by [`NetworkLimits::voted`] or
/// [`NetworkLimits::give_back`].
#[must_use]
pub(crate) struct Permit {
    kind: PermitKind,
    is_readable: bool,
}

enum PermitKind {
    Free(FreeVoter),
    Leased(Arc<Lease>),
    Unlimited,
}

impl NetworkLimits {
    /// Creates the limits. Networks in `exempt`, and loopback addresses without a forwarded header, have none.
    pub(crate) fn new(
        usual: NetworkLimit,
        exempt: Vec<IpNet>,
        (keys, pool, partitions): (Keys, Pool, u16),
        cookie_keys: CookieKeys,
    ) -> Self {
        Self {
            usual,
            exempt,
            free: FreeShares::new(),
            shared: Arc::new(SharedLimit::new(keys, pool, partitions)),
            leases: Mutex::default(),
            cookie_keys,
            unreadable: Mutex::new(LogThrottle::new(WARN_PERIOD)),
        }
    }

    /// Lets a client be a new voter of a poll, if its networks may bring one more.
    pub(crate) async fn admit(&self, poll: &Poll, source: Source) -> Result<Permit, Refusal> {
        let is_readable = source != Source::Unreadable;
        let permit = |kind| Permit { kind, is_readable };
        let rate = match poll.network_limit.unwrap_or(self.usual) {
            NetworkLimit::Limit { at_once, per_minute } if !self.is_exempt(source) => {
                Rate { at_once, per_minute }
            }
            _ => return Ok(permit(PermitKind::Unlimited)),
        };
        let networks = source.networks();
        if !is_readable {
            self.warn_of_unreadable();
        } else if let Some(voter) = self.free.take(poll.id, &networks, rate) {
            return Ok(permit(PermitKind::Free(voter)));
        }
        let lease = self.lease(poll, &networks, rate);
        lease.take(&self.shared).await?;
        Ok(permit(PermitKind::Leased(lease)))
    }

    /// Ends a permit: the client's ballot is accepted, and it is the voter's first one.
    pub(crate) fn voted(&self, permit: Permit) {
        static USUAL: LazyLock<CounterHandle> =
            LazyLock::new(|| metrics::NEW_VOTERS.with(["usual"]));
        let word = permit.word();
        match permit.kind {
            PermitKind::Free(_) => return USUAL.increment(1),
            PermitKind::Leased(lease) => lease.voted(),
            PermitKind::Unlimited => {}
        }
        metrics::NEW_VOTERS.with([word]).increment(1);
    }

    /// Ends a permit: the client is no new voter, or its ballot was refused.
    pub(crate) fn give_back(&self, permit: Permit) {
        match permit.kind {
            PermitKind::Free(voter) => self.free.give_back(voter),
            PermitKind::Leased(lease) => lease.give_back(),
            PermitKind::Unlimited => {}
        }
    }

    fn is_exempt(&self, source: Source) -> bool {
        match source {
            Source::Address { address, is_forwarded } => {
                address.is_loopback() && !is_forwarded
                    || self.exempt.iter().any(|network| network.contains(&address))
            }
            Source::Unreadable => false,
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

    fn warn_of_unreadable(&self) {
        let mut throttle = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ballots) = throttle.happened() {
            tracing::warn!(
                ballots,
                "a proxy in TRUSTED_PROXIES sends no client address that can be read in X-Forwarded-For or Forwarded; \
                 {ballots} ballots since the last such line share the limit of new voters of a single address"
            );
        }
    }

    /// Tells Redis every second who has voted, until `shutdown`.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(SETTLE_EVERY) => self.settle(false).await,
            }
        }
    }

    /// Settles every lease, and forgets those that nobody uses; all of them if the service stops.
    pub(crate) async fn settle(&self, is_last: bool) {
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

impl Permit {
    /// The value of the metric's label.
    fn word(&self) -> &'static str {
        match (&self.kind, self.is_readable) {
            (_, false) => "unreadable",
            (PermitKind::Free(_), true) => "usual",
            (PermitKind::Leased(_), true) => "busy",
            (PermitKind::Unlimited, true) => "unlimited",
        }
    }
}
