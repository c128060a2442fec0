//! Decides which connections to close: when memory or slots run short, and when a client is too slow.
//!
//! This module does no I/O and reads no clock. `connections` asks it and acts on the answers.
//!
//! The costs are upper bounds of a connection's memory in user space and in the kernel, because the limit of a
//! container counts both. docs/LIMITS.md has the measurements.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// Bytes that stay free for everything but connections, at least.
const RESERVE_BYTES: usize = 32 * 1024 * 1024;
/// Divisor of the memory limit; that part stays free if it is more than [`RESERVE_BYTES`].
const RESERVE_DIVISOR: usize = 3;
/// Divisor of memory and slots: the part that one network may hold when they run short.
const SHARE_DIVISOR: usize = 10;
/// Fewest slots that count as one network's share.
const SHARE_SLOTS_MIN: usize = 16;
/// Time in one state from which on a connection is closed before younger ones, in milliseconds.
const YOUNG_MS: u32 = 1_000;
/// Time that every head or body has, whatever its rate, in milliseconds.
const SLOW_AFTER_MS: u32 = 5_000;
/// Least average rate of a head or body after that time, in bytes per second.
const RATE_MIN: u64 = 256;
/// Rest after which an HTTP connection gives its buffers back, in milliseconds.
const PARK_AFTER_MS: u32 = 500;

/// State of a connection, which decides its cost and when it may be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Rests without buffers.
    Idle,
    /// Rests with the buffers of its last request.
    Kept,
    /// Has sent a part of a head.
    Head,
    /// Has sent a head, and a part of a body.
    Body,
    /// Waits for our reply.
    Request,
    /// Reads our reply more slowly than we write.
    Reply,
    /// Receives an event stream.
    Viewer,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Idle, Self::Kept, Self::Head, Self::Body, Self::Request, Self::Reply, Self::Viewer];

    /// Returns the name that metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Kept => "kept",
            Self::Head => "head",
            Self::Body => "body",
            Self::Request => "request",
            Self::Reply => "reply",
            Self::Viewer => "viewer",
        }
    }

    /// Returns the bytes that are reserved for a connection in this state.
    pub const fn cost(self) -> usize {
        1024 * match self {
            Self::Idle => 12,
            Self::Kept | Self::Head | Self::Body | Self::Request => 48,
            Self::Reply => 128,
            Self::Viewer => 8,
        }
    }
}

/// Key of a client's network: an IPv4 /24 or an IPv6 /56. `None` for trusted proxies, which have no share.
pub type Owner = Option<u64>;

/// Returns the key of the network that an address belongs to.
pub fn network(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => u64::from(v4.to_bits() >> 8),
        // The highest bit keeps the two families apart.
        IpAddr::V6(v6) => ((v6.to_bits() >> 72) as u64) | 1 << 63,
    }
}

/// Returns the owner of a connection from this address: its network, or nobody if it comes from one of these proxies.
pub fn owner(address: IpAddr, proxies: &[IpNet]) -> Owner {
    let is_proxy = proxies.iter().any(|network| network.contains(&address));
    (!is_proxy).then(|| network(address))
}

/// One connection, as the plan sees it.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    /// Network of the client.
    pub owner: Owner,
    /// State of the connection.
    pub kind: Kind,
    /// Time in this state, in milliseconds.
    pub age_ms: u32,
}

/// Bounds on all connections of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most bytes that all connections may cost.
    pub bytes_max: usize,
    /// Most connections.
    pub connections_max: usize,
}

impl Bounds {
    /// Returns the bounds for a process that may use `memory_bytes`.
    pub fn new(memory_bytes: usize, connections_max: usize) -> Self {
        let reserve = RESERVE_BYTES.max(memory_bytes / RESERVE_DIVISOR);
        // Less than this serves nobody.
        let least = 16 * Kind::Reply.cost();
        Self { bytes_max: memory_bytes.saturating_sub(reserve).max(least), connections_max }
    }

    fn share_bytes(&self) -> usize {
        self.bytes_max / SHARE_DIVISOR
    }

    fn share_slots(&self) -> usize {
        (self.connections_max / SHARE_DIVISOR).max(SHARE_SLOTS_MIN)
    }
}

/// Reason for which a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Memory or slots are spent, and its network holds more than its share.
    Share,
    /// Memory or slots are spent.
    Room,
    /// The client rests for too long.
    Idle,
    /// The client sends or reads too slowly.
    Slow,
    /// The connection is old, so its client is asked to open a new one.
    Lifetime,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 5] = [Self::Share, Self::Room, Self::Idle, Self::Slow, Self::Lifetime];

    /// Returns the name that metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Room => "room",
            Self::Idle => "idle",
            Self::Slow => "slow",
            Self::Lifetime => "lifetime",
        }
    }
}

/// Returns the connections to close, as positions in `held`, the cheapest to lose first.
///
/// `slots_wanted` is the number of slots that must become free. A network may hold more than a tenth of the
/// memory while half of it is free, and more than a tenth of the slots while none is wanted. Beyond that its own
/// connections are closed first. If that is not enough, the cheapest of all are closed. A connection whose
/// request is being answered is never closed, and a viewer only for its network's share.
pub fn plan(held: &[Holding], bounds: &Bounds, slots_wanted: usize) -> Vec<(usize, Reason)> {
    let used: usize = held.iter().map(|holding| holding.kind.cost()).sum();
    let mut tally = Tally { used, freed_slots: 0, owners: HashMap::new() };
    if used <= bounds.bytes_max / 2 && slots_wanted == 0 {
        return Vec::new();
    }
    for holding in held {
        tally.add(holding);
    }
    let mut order: Vec<usize> =
        (0..held.len()).filter(|&n| held[n].kind != Kind::Request).collect();
    order.sort_by_key(|&n| (rank(&held[n]), std::cmp::Reverse(held[n].age_ms)));

    let mut closed = Vec::new();
    let mut rest = Vec::new();
    for n in order {
        let enough = tally.used <= bounds.bytes_max / 2 && tally.freed_slots >= slots_wanted;
        if !enough && tally.is_over_share(held[n].owner, bounds) {
            tally.remove(&held[n]);
            closed.push((n, Reason::Share));
        } else {
            rest.push(n);
        }
    }
    // There must be room for the next request on a connection that rests. A quarter is free afterwards, so that plans are
    // few: each looks at all connections.
    let is_over = tally.used.saturating_add(Kind::Head.cost()) > bounds.bytes_max;
    let target = if is_over { bounds.bytes_max / 4 * 3 } else { bounds.bytes_max };
    for n in rest.into_iter().filter(|&n| held[n].kind != Kind::Viewer) {
        if tally.used <= target && tally.freed_slots >= slots_wanted {
            break;
        }
        tally.remove(&held[n]);
        closed.push((n, Reason::Room));
    }
    closed
}

/// Returns the order in which states are closed: slow ones, those that rest, younger ones, viewers.
fn rank(holding: &Holding) -> u8 {
    match holding.kind {
        Kind::Viewer => 3,
        Kind::Request => 4,
        _ if holding.age_ms < YOUNG_MS => 2,
        Kind::Idle | Kind::Kept => 1,
        Kind::Head | Kind::Body | Kind::Reply => 0,
    }
}

/// Running totals of a plan.
struct Tally {
    used: usize,
    freed_slots: usize,
    owners: HashMap<u64, (usize, usize)>,
}

impl Tally {
    fn add(&mut self, holding: &Holding) {
        let Some(owner) = holding.owner else { return };
        let (bytes, slots) = self.owners.entry(owner).or_default();
        *bytes += holding.kind.cost();
        *slots += 1;
    }

    fn remove(&mut self, holding: &Holding) {
        self.used -= holding.kind.cost();
        self.freed_slots += 1;
        if let Some((bytes, slots)) = holding.owner.and_then(|owner| self.owners.get_mut(&owner)) {
            *bytes -= holding.kind.cost();
            *slots -= 1;
        }
    }

    fn is_over_share(&self, owner: Owner, bounds: &Bounds) -> bool {
        let held = owner.and_then(|owner| self.owners.get(&owner));
        held.is_some_and(|(bytes, slots)| {
            *bytes > bounds.share_bytes() || *slots > bounds.share_slots()
        })
    }
}

/// Longest times of a connection's states, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Longest rest, and longest time for a head.
    pub header_ms: u32,
    /// Longest time for which a client may read nothing.
    pub write_ms: u32,
    /// Age from which on a connection ends after its current request.
    pub lifetime_ms: u32,
}

/// An order to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Give the buffers back.
    Park,
    /// End once the request in hand is answered.
    Finish(Reason),
    /// End now.
    Close(Reason),
}

/// Returns the order for a connection in this state that is `open_ms` old and has sent `received` bytes of its
/// current head or body; `None` if it may go on.
pub fn order(holding: &Holding, open_ms: u32, received: u32, times: &Times) -> Option<Order> {
    let age_ms = holding.age_ms;
    let crawls = age_ms > SLOW_AFTER_MS
        && u64::from(received) * 1_000 < RATE_MIN * u64::from(age_ms - SLOW_AFTER_MS);
    match holding.kind {
        Kind::Idle | Kind::Kept if age_ms >= times.header_ms => Some(Order::Close(Reason::Idle)),
        Kind::Head if crawls || age_ms >= times.header_ms => Some(Order::Close(Reason::Slow)),
        Kind::Body if crawls => Some(Order::Close(Reason::Slow)),
        Kind::Reply if age_ms >= times.write_ms => Some(Order::Close(Reason::Slow)),
        Kind::Idle | Kind::Kept | Kind::Request | Kind::Viewer if open_ms >= times.lifetime_ms => {
            Some(Order::Finish(Reason::Lifetime))
        }
        Kind::Kept if age_ms >= PARK_AFTER_MS => Some(Order::Park),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: usize = 1024 * 1024;

    fn holding(owner: u64, kind: Kind, age_ms: u32) -> Holding {
        Holding { owner: Some(owner), kind, age_ms }
    }

    /// Every address is its own network.
    fn spread(count: usize, kind: Kind, age_ms: u32) -> Vec<Holding> {
        (0..count as u64).map(|owner| holding(owner, kind, age_ms)).collect()
    }

    fn bytes(held: &[Holding]) -> usize {
        held.iter().map(|holding| holding.kind.cost()).sum()
    }

    #[test]
    fn nothing_is_closed_while_there_is_room() {
        let bounds = Bounds { bytes_max: 100 * MIB, connections_max: 1_000 };
        assert!(plan(&spread(900, Kind::Head, 60_000), &bounds, 0).is_empty());
        // One network may borrow while half is free.
        let one = vec![holding(7, Kind::Head, 60_000); 900];
        assert!(plan(&one, &bounds, 0).is_empty());
    }

    #[test]
    fn the_cheapest_to_lose_go_first() {
        let bounds = Bounds { bytes_max: MIB, connections_max: 100 };
        let mut held = spread(6, Kind::Request, 9_000);
        held.push(holding(90, Kind::Head, 100));
        held.push(holding(91, Kind::Kept, 9_000));
        held.push(holding(92, Kind::Body, 2_000));
        held.push(holding(93, Kind::Viewer, 99_000));
        held.push(holding(94, Kind::Reply, 3_000));
        let closed: Vec<_> = plan(&held, &bounds, 4).into_iter().map(|(n, _)| n).collect();
        // The slow ones, the longest first; then the one that rests, then the young head.
        assert_eq!(closed, [10, 8, 7, 6]);
        let all = plan(&held, &bounds, 100);
        assert!(all.iter().all(|(n, _)| !matches!(held[*n].kind, Kind::Request | Kind::Viewer)));
    }

    #[test]
    fn a_network_over_its_share_pays_first_down_to_its_share() {
        let bounds = Bounds { bytes_max: 100 * MIB, connections_max: 40_000 };
        // Others are slower and rest for longer, and yet only the greedy network loses connections.
        let mut held = spread(500, Kind::Head, 60_000);
        held.extend(vec![holding(9_999, Kind::Kept, 10); 1_200]);
        let closed = plan(&held, &bounds, 0);
        assert!(closed.iter().all(|(n, reason)| *n >= 500 && *reason == Reason::Share));
        let left = bytes(&held) - closed.len() * Kind::Kept.cost();
        assert!(left <= 50 * MIB && left > 49 * MIB, "{left}");

        let mut held = spread(3_000, Kind::Head, 10);
        held.extend(vec![holding(9_999, Kind::Viewer, 10); 4_000]);
        let kept = 4_000 - plan(&held, &bounds, 0).iter().filter(|(n, _)| *n >= 3_000).count();
        assert!(kept * Kind::Viewer.cost() <= bounds.share_bytes() && kept > 1_000, "{kept}");
    }

    #[test]
    fn a_trusted_proxy_has_no_share() {
        let bounds = Bounds { bytes_max: 100 * MIB, connections_max: 12_000 };
        let proxy = Holding { owner: None, kind: Kind::Viewer, age_ms: 9_000 };
        assert!(plan(&vec![proxy; 12_000], &bounds, 1).is_empty());
    }

    #[test]
    fn slow_and_resting_clients_are_closed_and_buffers_given_back() {
        let times = Times { header_ms: 15_000, write_ms: 30_000, lifetime_ms: 3_600_000 };
        let order = |kind, age_ms, open_ms, received| {
            super::order(&holding(1, kind, age_ms), open_ms, received, &times)
        };
        let slow = Some(Order::Close(Reason::Slow));
        assert_eq!(order(Kind::Head, 4_900, 4_900, 1), None);
        assert_eq!(order(Kind::Head, 9_000, 9_000, 100), slow, "drips");
        assert_eq!(order(Kind::Head, 9_000, 9_000, 1_100), None, "a slow line");
        assert_eq!(order(Kind::Head, 15_000, 15_000, 16_000), slow);
        assert_eq!(order(Kind::Body, 9_000, 9_000, 100), slow);
        assert_eq!(order(Kind::Reply, 30_000, 30_000, 0), slow);
        assert_eq!(order(Kind::Kept, 500, 9_000, 0), Some(Order::Park));
        assert_eq!(order(Kind::Idle, 15_000, 15_000, 0), Some(Order::Close(Reason::Idle)));
        assert_eq!(order(Kind::Viewer, 3_000_000, 3_000_000, 0), None);
        let end = Some(Order::Finish(Reason::Lifetime));
        assert_eq!(order(Kind::Kept, 10, 3_600_000, 0), end);
        assert_eq!(order(Kind::Viewer, 3_600_000, 3_600_000, 0), end);
    }

    #[test]
    fn the_limits_that_are_shipped_leave_room_for_the_program() {
        let producer = Bounds::new(512 * MIB, 15_000).bytes_max / MIB;
        let dashboard = Bounds::new(256 * MIB, 15_000).bytes_max / MIB;
        assert_eq!((producer, dashboard), (341, 170));
        assert!(Bounds::new(1, 10).bytes_max > MIB);
    }

    #[test]
    fn neighbours_share_a_network_and_families_do_not() {
        let net = |text: &str| network(text.parse().unwrap());
        assert_eq!(net("203.0.113.9"), net("203.0.113.200"));
        assert_ne!(net("203.0.113.9"), net("203.0.114.9"));
        assert_eq!(net("2001:db8:1:2ff::1"), net("2001:db8:1:200::2"));
        assert_ne!(net("2001:db8:1:2ff::1"), net("2001:db8:1:300::1"));
        assert_ne!(net("0.0.1.0"), net("::1:0:0:0:0"));
    }

    proptest! {
        #[test]
        fn a_plan_makes_room_or_closes_all_that_it_may(
            held in prop::collection::vec(
                (prop::option::of(0_u64..5), 0_usize..7, 0_u32..3_000).prop_map(|(owner, kind, age_ms)| {
                    Holding { owner, kind: Kind::ALL[kind], age_ms }
                }),
                0..200,
            ),
            bytes_max in 0_usize..(8 * MIB),
            connections_max in 1_usize..400,
            slots_wanted in 0_usize..20,
        ) {
            let bounds = Bounds { bytes_max, connections_max };
            let closed = plan(&held, &bounds, slots_wanted);
            let positions: std::collections::HashSet<usize> = closed.iter().map(|(n, _)| *n).collect();
            prop_assert_eq!(positions.len(), closed.len(), "each at most once");
            prop_assert!(closed.iter().all(|(n, _)| held[*n].kind != Kind::Request));
            for (n, reason) in &closed {
                let spared = held[*n].owner.is_none() || *reason == Reason::Room;
                prop_assert!(!spared || held[*n].kind != Kind::Viewer);
            }
            let left: Vec<Holding> =
                (0..held.len()).filter(|n| !positions.contains(n)).map(|n| held[n]).collect();
            let has_room = bytes(&left) <= bytes_max && closed.len() >= slots_wanted;
            let may_close = left.iter().any(|one| !matches!(one.kind, Kind::Request | Kind::Viewer));
            prop_assert!(has_room || !may_close);
            // Nobody loses a connection for room while another network holds more than its share.
            if closed.iter().any(|(_, reason)| *reason == Reason::Room) {
                let mut tally = Tally { used: 0, freed_slots: 0, owners: HashMap::new() };
                let paid = |n: &usize| closed.contains(&(*n, Reason::Share));
                let stay: Vec<_> = (0..held.len()).filter(|n| !paid(n)).map(|n| held[n]).collect();
                stay.iter().for_each(|one| tally.add(one));
                for one in stay.iter().filter(|one| one.kind != Kind::Request) {
                    prop_assert!(!tally.is_over_share(one.owner, &bounds));
                }
            }
        }
    }
}
