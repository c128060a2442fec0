//! How many new voters a network, and a poll as a whole, bring without a challenge: their usual rate.
//!
//! It is kept in Redis as the limits of networks are, so it is the same whatever the number of replicas. Whoever solves a
//! challenge uses none of it.

use std::sync::Arc;

use votestream_schema::poll::network::Networks;
use votestream_schema::poll::network_limit::NetworkLimit;
use votestream_schema::{Keys, Poll};
use votestream_service::CancellationToken;

use super::exempt::Exempt;
use super::limiter::{Limiter, Place, Taken};
use super::rate::{Rate, Refusal};
use crate::client::Source;
use crate::cookie_keys::CookieKeys;

/// The usual rates of all networks and polls.
pub(crate) struct Allowance {
    limiter: Limiter,
    network: Option<Rate>,
    poll: Option<Rate>,
    exempt: Exempt,
}

/// The right of one client to be a new voter without a challenge. It must be ended by [`Allowance::voted`] or
/// [`Allowance::give_back`].
#[must_use]
pub(crate) struct Unchallenged(Vec<Taken>);

impl Allowance {
    /// Creates the usual rates of each network and of each poll. Exempt networks have none of their own.
    pub(crate) fn new(
        network: NetworkLimit,
        poll: NetworkLimit,
        exempt: Exempt,
        place: Place,
        cookie_keys: CookieKeys,
    ) -> Arc<Self> {
        let limiter = Limiter::new(place, Keys::unchallenged, cookie_keys);
        let (network, poll) = (Rate::of(network), Rate::of(poll));
        Arc::new(Self { limiter, network, poll, exempt })
    }

    /// Lets a client be a new voter of a poll without a challenge, if neither its networks nor the poll exceed their usual
    /// rate.
    ///
    /// # Errors
    /// Returns why it may not. If Redis does not answer, nobody may.
    pub(crate) async fn take(&self, poll: &Poll, source: Source) -> Result<Unchallenged, Refusal> {
        let mut taken = Unchallenged(Vec::new());
        if let Some(rate) = self.network.filter(|_| !self.exempt.covers(source)) {
            let is_free = source != Source::Unreadable;
            let of_network = self.limiter.take(poll, &source.networks(), rate, is_free).await?;
            taken.0.push(of_network);
        }
        if let Some(rate) = self.poll {
            match self.limiter.take(poll, &Networks::WHOLE_POLL, rate, true).await {
                Ok(of_poll) => taken.0.push(of_poll),
                Err(refusal) => {
                    self.give_back(taken);
                    return Err(refusal);
                }
            }
        }
        Ok(taken)
    }

    /// Ends a right: the client's ballot is accepted, and it is the voter's first one.
    #[expect(clippy::unused_self, reason = "the counterpart of `give_back`")]
    pub(crate) fn voted(&self, unchallenged: Unchallenged) {
        unchallenged.0.into_iter().for_each(Taken::voted);
    }

    /// Ends a right: the client is no new voter, or its ballot was refused.
    pub(crate) fn give_back(&self, unchallenged: Unchallenged) {
        unchallenged.0.into_iter().for_each(|taken| self.limiter.give_back(taken));
    }

    /// Reports to Redis every second who has voted, until `shutdown`.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        self.limiter.run(shutdown).await;
    }

    /// Gives back what is not used, when the service stops.
    pub(crate) async fn settle(&self) {
        self.limiter.settle(true).await;
    }
}
