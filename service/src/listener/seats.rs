//! The places for viewers, and who gives one up when all are taken.
//!
//! A client network may hold more than a tenth of all seats while some are free. When none is, the network that holds most
//! pays: it gets no further seat, and a viewer of another network gets the seat of its oldest viewer. Viewers behind trusted
//! proxies belong to no network.
//!
//! Invariant: never are more seats taken than there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::budget::Owner;
use super::connections::Lease;
use crate::metric::GaugeHandle;

/// Divisor of all seats: the part that one network may hold when none is free.
const SHARE_DIVISOR: usize = 10;
/// Fewest seats that count as one network's share.
const SHARE_MIN: usize = 16;

/// All seats; clones share them.
#[derive(Clone)]
pub(super) struct Seats {
    max: usize,
    taken: Arc<Mutex<Taken>>,
    viewers: GaugeHandle,
}

#[derive(Default)]
struct Taken {
    count: usize,
    next: u64,
    /// The seats of each network, the oldest first. A viewer's connection is known once its stream has begun.
    networks: HashMap<u64, BTreeMap<u64, Option<Arc<Lease>>>>,
    /// The networks that hold more than their share: few, so that it costs little to find the one that pays.
    over: Vec<u64>,
}

impl Taken {
    fn insert(&mut self, owner: u64, number: u64, share: usize) {
        let held = self.networks.entry(owner).or_default();
        held.insert(number, None);
        if held.len() == share + 1 {
            self.over.push(owner);
        }
    }

    /// Removes a seat of a network. Returns `None` if the network does not hold it any more.
    fn remove(&mut self, owner: u64, number: u64, share: usize) -> Option<Option<Arc<Lease>>> {
        let held = self.networks.get_mut(&owner)?;
        let lease = held.remove(&number)?;
        if held.len() == share {
            self.over.retain(|over| *over != owner);
        }
        if held.is_empty() {
            self.networks.remove(&owner);
        }
        Some(lease)
    }
}

/// One place; dropping it frees the place, unless it was given to another viewer.
pub(super) struct Seat {
    seats: Seats,
    owner: Owner,
    number: u64,
}

impl Seats {
    /// Makes so many seats, and shows how many are taken in this gauge.
    pub(super) fn new(max: usize, viewers: GaugeHandle) -> Self {
        viewers.set(0.0);
        Self { max, taken: Arc::default(), viewers }
    }

    /// The number of seats that are taken.
    pub(super) fn count(&self) -> usize {
        self.lock().count
    }

    /// Takes a seat for a viewer of this network, if need be that of another viewer, whose stream then ends. Returns `None`
    /// if there is none.
    pub(super) fn take(&self, owner: Owner) -> Option<Seat> {
        let (number, evicted) = {
            let mut taken = self.lock();
            let evicted =
                if taken.count < self.max { None } else { Some(self.evict(&mut taken, owner)?) };
            let number = taken.next;
            taken.next += 1;
            taken.count += 1;
            if let Some(owner) = owner {
                taken.insert(owner, number, self.share());
            }
            (number, evicted)
        };
        if let Some(lease) = evicted {
            lease.close_for_share();
            self.viewers.decrement(1.0);
        }
        self.viewers.increment(1.0);
        Some(Seat { seats: self.clone(), owner, number })
    }

    /// Whether [`Seats::take`] would find a seat.
    pub(super) fn has_one_for(&self, owner: Owner) -> bool {
        let taken = self.lock();
        taken.count < self.max || self.payer(&taken, owner).is_some()
    }

    /// Frees the seat of the oldest viewer of the network that has to pay, and returns that viewer's connection.
    fn evict(&self, taken: &mut Taken, newcomer: Owner) -> Option<Arc<Lease>> {
        let payer = self.payer(taken, newcomer)?;
        let (number, _) = taken.networks.get(&payer)?.iter().find(|(_, lease)| lease.is_some())?;
        let lease = taken.remove(payer, *number, self.share())??;
        taken.count -= 1;
        Some(lease)
    }

    /// The network that holds most seats, if that is more than its share and the newcomer's network has not used up its own.
    fn payer(&self, taken: &Taken, newcomer: Owner) -> Option<u64> {
        let held = |owner: &u64| taken.networks.get(owner).map_or(0, BTreeMap::len);
        let is_full = newcomer.is_some_and(|owner| held(&owner) >= self.share());
        taken.over.iter().copied().max_by_key(held).filter(|_| !is_full)
    }

    fn share(&self) -> usize {
        (self.max / SHARE_DIVISOR).max(SHARE_MIN)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Notes the connection of the viewer, which ends if the seat is given to another one.
    pub(super) fn is_served_on(&self, lease: &Arc<Lease>) {
        let mut taken = self.seats.lock();
        let held = self.owner.and_then(|owner| taken.networks.get_mut(&owner));
        if let Some(seat) = held.and_then(|held| held.get_mut(&self.number)) {
            *seat = Some(lease.clone());
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        {
            let mut taken = self.seats.lock();
            let share = self.seats.share();
            if let Some(owner) = self.owner
                && taken.remove(owner, self.number, share).is_none()
            {
                // Another viewer has the seat.
                return;
            }
            taken.count -= 1;
        }
        self.seats.viewers.decrement(1.0);
    }
}
