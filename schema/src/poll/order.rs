//! The order in which one voter sees the options of a poll.
//!
//! Invariant: the order follows from the poll and the voter alone. So it stays when the page is loaded again, whichever
//! replica and whichever release from this one on renders it. All orders are equally likely over many voters.

use sha2::{Digest, Sha256};

use crate::{Poll, VoterId};

/// Returns the positions of the options in the order in which this voter sees them: ballot order, unless the poll is
/// shuffled.
pub fn of_options(poll: &Poll, voter: VoterId) -> Vec<usize> {
    let mut order: Vec<usize> = (0..poll.options.len()).collect();
    if poll.shuffle {
        // Sorted by hashes, because a generator of random numbers may give others in a later version.
        order.sort_by_cached_key(|position| {
            let hash = Sha256::new().chain_update(b"votestream option order\0");
            let hash = hash.chain_update(poll.id.0.to_be_bytes()).chain_update(voter.0.as_bytes());
            hash.chain_update((*position as u64).to_be_bytes()).finalize()
        });
    }
    order
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use uuid::Uuid;

    use super::*;
    use crate::projection::read_definition;

    fn poll(shuffle: bool) -> Poll {
        let json = r#"{"id": 7, "slug": "pets", "title": "Pets", "choices_min": 1, "choices_max": 1,
            "options": [{"slug": "a", "label": "A"}, {"slug": "b", "label": "B"}, {"slug": "c", "label": "C"}],
            "vote_policy": "replace", "voter_policy": "open", "visibility": "always", "opens_at_ms": 5,
            "closes_at_ms": null, "archived_at_ms": null, "revision": 1}"#;
        Poll { shuffle, ..read_definition(json).unwrap() }
    }

    #[test]
    fn a_voter_keeps_an_order_and_every_order_is_as_likely_as_another() {
        let (plain, shuffled) = (poll(false), poll(true));
        let mut seen: HashMap<Vec<usize>, u32> = HashMap::new();
        for number in 0..6_000_u128 {
            let voter = VoterId(Uuid::from_u128(number));
            assert_eq!(of_options(&plain, voter), [0, 1, 2]);
            let order = of_options(&shuffled, voter);
            assert_eq!(order, of_options(&shuffled, voter));
            *seen.entry(order).or_default() += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|count| (850..1_150).contains(count)), "{seen:?}");
    }

    #[test]
    fn the_order_of_a_voter_is_what_it_always_was() {
        let voter = VoterId(Uuid::from_u128(0x0190_c42a_b6f8_7abc_8def_0123_4567_89ab));
        assert_eq!(of_options(&poll(true), voter), GOLDEN);
    }

    const GOLDEN: [usize; 3] = [2, 0, 1];
}
