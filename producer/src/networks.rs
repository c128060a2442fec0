//! Limits how many new voters the networks of a client may bring to a poll.
//!
//! A new voter is one whose ballot is accepted and who had no vote in the poll before. Pages cost nothing, and neither do
//! repeated and refused ballots. The limits are the same whatever the number of replicas: they are kept in Redis, and a
//! replica accepts no more than a hundredth of each by itself ([ADR 10](../../docs/adr/0010-network-limits.md)).
//!
//! The usual rate of a network, beyond which a challenge is asked for, is kept in the same way ([`Allowance`]).

mod allowance;
mod exempt;
mod free_share;
mod lease;
mod limiter;
mod rate;
mod shared_limit;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use votestream_schema::poll::network_limit::NetworkLimit;
use votestream_schema::{Keys, Poll};
use votestream_service::CancellationToken;
use votestream_service::metric::CounterHandle;
use votestream_service::telemetry::log_throttle::LogThrottle;

use crate::client::Source;
use crate::cookie_keys::CookieKeys;
use crate::metrics;
use limiter::{Limiter, Taken};
use rate::Rate;

pub(crate) use allowance::{Allowance, Unchallenged};
pub(crate) use exempt::Exempt;
pub(crate) use limiter::Place;
pub(crate) use rate::Refusal;

/// Shortest time between two warnings.
const WARN_PERIOD: Duration = Duration::from_secs(60);

/// The limits of all networks in all polls.
pub(crate) struct NetworkLimits {
    /// The limit of polls that have none of their own.
    usual: NetworkLimit,
    exempt: Exempt,
    limiter: Limiter,
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
    Limited(Taken),
    Unlimited,
}

impl NetworkLimits {
    /// Creates the limits, kept in this place.
    pub(crate) fn new(
        usual: NetworkLimit,
        exempt: Exempt,
        place: Place,
        cookie_keys: CookieKeys,
    ) -> Self {
        Self {
            usual,
            exempt,
            limiter: Limiter::new(place, Keys::networks, cookie_keys),
            unreadable: Mutex::new(LogThrottle::new(WARN_PERIOD)),
        }
    }

    /// Lets a client be a new voter of a poll, if its networks may bring one more.
    pub(crate) async fn admit(&self, poll: &Poll, source: Source) -> Result<Permit, Refusal> {
        let is_readable = source != Source::Unreadable;
        let permit = |kind| Permit { kind, is_readable };
        let limit = poll.network_limit.unwrap_or(self.usual);
        let rate = Rate::of(limit).filter(|_| !self.exempt.covers(source));
        let Some(rate) = rate else { return Ok(permit(PermitKind::Unlimited)) };
        if !is_readable {
            self.warn_of_unreadable();
        }
        let taken = self.limiter.take(poll, &source.networks(), rate, is_readable).await?;
        Ok(permit(PermitKind::Limited(taken)))
    }

    /// Ends a permit: the client's ballot is accepted, and it is the voter's first one.
    pub(crate) fn voted(&self, permit: Permit) {
        static USUAL: LazyLock<CounterHandle> =
            LazyLock::new(|| metrics::NEW_VOTERS.with(["usual"]));
        let word = permit.word();
        match permit.kind {
            PermitKind::Limited(Taken::Free(_)) => return USUAL.increment(1),
            PermitKind::Limited(taken) => taken.voted(),
            PermitKind::Unlimited => {}
        }
        metrics::NEW_VOTERS.with([word]).increment(1);
    }

    /// Ends a permit: the client is no new voter, or its ballot was refused.
    pub(crate) fn give_back(&self, permit: Permit) {
        if let PermitKind::Limited(taken) = permit.kind {
            self.limiter.give_back(taken);
        }
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

    /// Reports to Redis every second who has voted, until `shutdown`.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        self.limiter.run(shutdown).await;
    }

    /// Reports who has voted, and gives back what is not used, when the service stops.
    pub(crate) async fn settle(&self) {
        self.limiter.settle(true).await;
    }
}

impl Permit {
    /// The value of the metric's label.
    fn word(&self) -> &'static str {
        match (&self.kind, self.is_readable) {
            (_, false) => "unreadable",
            (PermitKind::Limited(Taken::Free(_)), true) => "usual",
            (PermitKind::Limited(Taken::Leased(_)), true) => "busy",
            (PermitKind::Unlimited, true) => "unlimited",
        }
    }
}
