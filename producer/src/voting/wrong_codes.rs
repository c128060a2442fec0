//! Slows down a client network that sends many wrong voting codes.
//!
//! The answer to a wrong code is held back, for longer the more of them came from that network lately. The answer to a
//! right code is not, so a hall whose people share one address votes at once, whatever some of them type.
//!
//! Its memory is bounded by the networks that sent wrong codes within some minutes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use votestream_schema::poll::network::Network as ClientNetwork;

use crate::client::Source;

/// Wrong codes that are answered at once: people mistype.
const FREE: f64 = 20.0;
/// After this time half of a network's wrong codes are forgotten.
const HALF_LIFE_S: f64 = 60.0;
/// The delay of the first answer that is held back. It doubles with each further [`DOUBLES_EVERY`] wrong codes.
const FIRST_DELAY_S: f64 = 0.25;
const DOUBLES_EVERY: f64 = 10.0;
const DELAY_S_MAX: f64 = 10.0;
/// The most answers to one network that are held back at the same time; further ones are refusals, at once.
const HELD_MAX: u32 = 50;

/// The wrong codes of all networks; clones share them.
#[derive(Debug, Default)]
pub(crate) struct WrongCodes {
    networks: Mutex<HashMap<ClientNetwork, Network>>,
}

/// The wrong codes of one network.
#[derive(Clone, Copy, Debug)]
struct Network {
    /// The number of wrong codes, of which half is forgotten each half-life.
    wrong: f64,
    counted_at: Instant,
    /// Answers that are held back now.
    held: u32,
}

impl Network {
    fn new(now: Instant) -> Self {
        Self { wrong: 0.0, counted_at: now, held: 0 }
    }

    fn wrong_at(&self, now: Instant) -> f64 {
        let passed_s = now.saturating_duration_since(self.counted_at).as_secs_f64();
        self.wrong * 0.5_f64.powf(passed_s / HALF_LIFE_S)
    }
}

/// The network whose wrong codes count together: an IPv4 /24, or an IPv6 /56, the size that one household gets.
fn network(source: Source) -> ClientNetwork {
    let networks = source.networks();
    networks.all().get(1).copied().unwrap_or(networks.smallest())
}

/// The delay after so many wrong codes; none for the first ones.
fn delay(wrong: f64) -> Duration {
    if wrong <= FREE {
        return Duration::ZERO;
    }
    let doubled = FIRST_DELAY_S * 2_f64.powf((wrong - FREE) / DOUBLES_EVERY);
    Duration::from_secs_f64(doubled.min(DELAY_S_MAX))
}

impl WrongCodes {
    /// Counts a wrong code from this client, and waits as long as its answer is held back. Returns false, without
    /// waiting, if too many answers to its network are held back already.
    pub(crate) async fn hold_back(&self, source: Source) -> bool {
        let network = network(source);
        let wait = {
            let now = Instant::now();
            let mut networks = self.lock();
            let known = networks.entry(network).or_insert_with(|| Network::new(now));
            (known.wrong, known.counted_at) = (known.wrong_at(now) + 1.0, now);
            let wait = delay(known.wrong);
            if wait.is_zero() {
                return true;
            }
            if known.held >= HELD_MAX {
                return false;
            }
            known.held += 1;
            wait
        };
        let _held = Held { codes: self, network };
        tokio::time::sleep(wait).await;
        true
    }

    /// Forgets networks whose wrong codes are long ago; call it every few seconds.
    pub(crate) fn forget_quiet(&self) {
        let now = Instant::now();
        let mut networks = self.lock();
        networks.retain(|_, network| network.held > 0 || network.wrong_at(now) >= 1.0);
        networks.shrink_to_fit();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientNetwork, Network>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that is held back, until this is dropped; also if the client goes away meanwhile.
struct Held<'a> {
    codes: &'a WrongCodes,
    network: ClientNetwork,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(network) = self.codes.lock().get_mut(&self.network) {
            network.held = network.held.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Source {
        Source::Address { address: address.parse().unwrap(), is_forwarded: false }
    }

    async fn waited(codes: &WrongCodes, source: Source) -> f64 {
        let begun = Instant::now();
        assert!(codes.hold_back(source).await);
        begun.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn the_delay_grows_with_wrong_codes_and_passes_with_time() {
        let codes = WrongCodes::default();
        let mut waits = Vec::new();
        for _ in 0..120 {
            waits.push(waited(&codes, at("203.0.113.7")).await);
        }
        assert!(waits[..20].iter().all(|wait| *wait == 0.0), "{waits:?}");
        assert!(waits[20] > 0.2 && waits.windows(2).skip(20).take(20).all(|w| w[0] <= w[1]));
        assert!(waits[119] > 1.5 && waits.iter().all(|wait| *wait <= DELAY_S_MAX + 0.01));
        let another = at("203.0.114.7");
        assert_eq!(waited(&codes, another).await, 0.0);
        tokio::time::sleep(Duration::from_secs(30 * 60)).await;
        codes.forget_quiet();
        assert!(codes.lock().is_empty());
        assert_eq!(waited(&codes, at("203.0.113.7")).await, 0.0);
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_answers_are_held_back_at_once() {
        let codes = std::sync::Arc::new(WrongCodes::default());
        let ask = || {
            let codes = codes.clone();
            tokio::spawn(async move { codes.hold_back(at("203.0.113.7")).await })
        };
        let asked: Vec<_> = (0..20 + HELD_MAX + 30).map(|_| ask()).collect();
        let mut answers = Vec::new();
        for answer in asked {
            answers.push(answer.await.unwrap());
        }
        assert_eq!(answers.iter().filter(|held| !**held).count(), 30);
        assert_eq!(codes.lock()[&network(at("203.0.113.7"))].held, 0);
        // A client that goes away holds nothing back.
        let waiting = ask();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(codes.lock()[&network(at("203.0.113.7"))].held, 1);
        waiting.abort();
        assert!(waiting.await.is_err());
        assert_eq!(codes.lock()[&network(at("203.0.113.7"))].held, 0);
    }
}
