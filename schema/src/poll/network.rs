//! The client networks whose new voters are limited, and the names under which Redis knows them.
//!
//! An address lies in several networks, one in the other: an IPv4 address in its /24; an IPv6 /64 in its /56, and that in
//! its /48. Each has a limit of its own, so neither many clients of one address nor many addresses of one provider bring
//! more voters than they may.
//!
//! Invariant: Redis stores no address. A network is named by an HMAC under the secret of the poll, so once the poll is
//! sealed nobody can find out which network it was.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::poll::voter_key::PollSecret;

/// Bytes of the HMAC that are a network's name in Redis.
const HASH_BYTES: usize = 8;
/// The most levels of one client.
pub const LEVELS_MAX: usize = 3;

/// The size of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// One IPv4 address.
    V4Address,
    /// An IPv4 /24, the smallest network that is routed on its own.
    V4Slash24,
    /// An IPv6 /64: one local network.
    V6Slash64,
    /// An IPv6 /56, the size that one household gets.
    V6Slash56,
    /// An IPv6 /48, the size that one site gets.
    V6Slash48,
    /// All clients behind our proxies whose address cannot be read.
    Unreadable,
    /// All clients of a poll together.
    WholePoll,
}

impl Level {
    /// Every level.
    pub const ALL: &[Self] = &[
        Self::V4Address,
        Self::V4Slash24,
        Self::V6Slash64,
        Self::V6Slash56,
        Self::V6Slash48,
        Self::Unreadable,
        Self::WholePoll,
    ];

    /// How many times the limit of a single address a network of this size has.
    pub fn factor(self) -> u32 {
        match self {
            Self::V4Address | Self::V6Slash64 | Self::Unreadable | Self::WholePoll => 1,
            Self::V6Slash56 => 2,
            Self::V4Slash24 | Self::V6Slash48 => 4,
        }
    }

    /// The word for it in Redis and in the output of `votectl`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4Address => "4/32",
            Self::V4Slash24 => "4/24",
            Self::V6Slash64 => "6/64",
            Self::V6Slash56 => "6/56",
            Self::V6Slash48 => "6/48",
            Self::Unreadable => "unreadable",
            Self::WholePoll => "poll",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A network: its size, and the bits that all its addresses have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// Its size.
    pub level: Level,
    /// Its first address as a number; 0 for clients whose address cannot be read.
    pub first: u128,
}

impl Network {
    /// The network of all clients whose address cannot be read.
    pub const UNREADABLE: Self = Self { level: Level::Unreadable, first: 0 };

    /// The networks of an address, the smallest first. An IPv4 address in the form of IPv6 is the IPv4 address.
    pub fn of(address: IpAddr) -> Networks {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let bits = Ipv4Addr::to_bits(address);
                let network = |level, kept: u32| Self { level, first: u128::from(bits & kept) };
                Networks::new(&[
                    network(Level::V4Address, u32::MAX),
                    network(Level::V4Slash24, u32::MAX << 8),
                ])
            }
            IpAddr::V6(address) => {
                let bits = Ipv6Addr::to_bits(address);
                let network =
                    |level, length: u32| Self { level, first: bits & u128::MAX << (128 - length) };
                Networks::new(&[
                    network(Level::V6Slash64, 64),
                    network(Level::V6Slash56, 56),
                    network(Level::V6Slash48, 48),
                ])
            }
        }
    }

    /// The name of this network in a poll with this secret.
    pub fn hash(self, secret: &PollSecret) -> NetworkHash {
        // No other text under this secret is as long: those of voters have 16 bytes.
        let mut text = b"client network ".to_vec();
        text.extend(self.level.as_str().as_bytes());
        text.push(0);
        text.extend(self.first.to_be_bytes());
        let hash = secret.hmac(&text);
        let hash = std::array::from_fn(|i| hash[i]);
        NetworkHash { level: self.level, hash: u64::from_be_bytes(hash) }
    }
}

/// The networks of one client, the smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Networks {
    networks: [Network; LEVELS_MAX],
    count: usize,
}

impl Networks {
    /// The only network of a client whose address cannot be read.
    pub const UNREADABLE: Self = Self { networks: [Network::UNREADABLE; LEVELS_MAX], count: 1 };

    /// The whole poll as a network, for a limit that all clients share.
    pub const WHOLE_POLL: Self =
        Self { networks: [Network { level: Level::WholePoll, first: 0 }; LEVELS_MAX], count: 1 };

    fn new(given: &[Network]) -> Self {
        let mut networks = [Network::UNREADABLE; LEVELS_MAX];
        networks[..given.len()].copy_from_slice(given);
        Self { networks, count: given.len() }
    }

    /// All of them, the smallest first.
    pub fn all(&self) -> &[Network] {
        &self.networks[..self.count]
    }

    /// The smallest one.
    pub fn smallest(&self) -> Network {
        self.networks[0]
    }

    /// The largest one. Redis keeps all networks of a client beside it.
    pub fn largest(&self) -> Network {
        self.networks[self.count - 1]
    }
}

/// The name of a network in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetworkHash {
    /// The size of the network.
    pub level: Level,
    /// The first eight bytes of the HMAC.
    pub hash: u64,
}

impl NetworkHash {
    /// The partition whose slot in a Redis Cluster holds this network and all smaller ones in it.
    pub fn partition(self, partitions: u16) -> u16 {
        (self.hash % u64::from(partitions.max(1))) as u16
    }
}

impl fmt::Display for NetworkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:0width$x}", self.level, self.hash, width = 2 * HASH_BYTES)
    }
}

/// A text is not the name of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not the name of a network")]
pub struct UnknownNetwork;

impl FromStr for NetworkHash {
    type Err = UnknownNetwork;

    fn from_str(text: &str) -> Result<Self, UnknownNetwork> {
        let read = || {
            let (level, hash) = text.split_once(':')?;
            let level = Level::ALL.iter().find(|it| it.as_str() == level)?;
            Some(Self { level: *level, hash: u64::from_str_radix(hash, 16).ok()? })
        };
        read().ok_or(UnknownNetwork)
    }
}

/// What Redis knows of one network of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkRecord {
    /// New voters whose ballots were accepted, apart from each producer's first few.
    pub voters: u64,
    /// The time of the first of them, in milliseconds since the Unix epoch.
    pub first_ms: i64,
    /// The time of the last one.
    pub last_ms: i64,
}

impl NetworkRecord {
    /// Reads the value that the producer's script writes: `<full at> <voters> <first> <last>`. Returns `None` for any
    /// other text.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(' ').skip(1);
        let mut next = || parts.next()?.parse::<i64>().ok();
        let (voters, first_ms, last_ms) = (next()?, next()?, next()?);
        Some(Self { voters: voters.unsigned_abs(), first_ms, last_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(address: &str, secret: &PollSecret) -> Vec<String> {
        let networks = Network::of(address.parse().unwrap());
        networks.all().iter().map(|network| network.hash(secret).to_string()).collect()
    }

    #[test]
    fn neighbours_share_the_larger_networks_alone() {
        let secret = PollSecret::from_bytes([7; 32]);
        let shared = |a: &str, b: &str| {
            let (a, b) = (names(a, &secret), names(b, &secret));
            a.iter().zip(&b).map(|(a, b)| a == b).collect::<Vec<_>>()
        };
        assert_eq!(shared("203.0.113.9", "203.0.113.9"), [true, true]);
        assert_eq!(shared("203.0.113.9", "203.0.113.10"), [false, true]);
        assert_eq!(shared("203.0.113.9", "203.0.114.9"), [false, false]);
        assert_eq!(shared("2001:db8:1:2::1", "2001:db8:1:2:3::"), [true, true, true]);
        assert_eq!(shared("2001:db8:1:2::1", "2001:db8:1:3::1"), [false, true, true]);
        assert_eq!(shared("2001:db8:1:2ff::1", "2001:db8:1:3ff::1"), [false, false, true]);
        assert_eq!(shared("2001:db8:1::1", "2001:db8:2::1"), [false, false, false]);
        assert_eq!(names("::ffff:203.0.113.9", &secret), names("203.0.113.9", &secret));
    }

    #[test]
    fn a_name_is_keyed_and_is_read_as_it_is_written() {
        let networks = Network::of("203.0.113.9".parse().unwrap());
        let [one, other] = [1, 2].map(|byte| PollSecret::from_bytes([byte; 32]));
        let name = networks.smallest().hash(&one);
        assert_ne!(name, networks.smallest().hash(&other));
        assert_eq!(name.to_string().parse(), Ok(name));
        assert_eq!(networks.largest().level, Level::V4Slash24);
        for bad in ["", "4/32", "4/32:x", "5/32:00"] {
            assert_eq!(bad.parse::<NetworkHash>(), Err(UnknownNetwork));
        }
        assert_eq!(Networks::UNREADABLE.all(), [Network::UNREADABLE]);
        let whole = Networks::WHOLE_POLL.smallest();
        assert_eq!((Networks::WHOLE_POLL.all().len(), whole.level.factor()), (1, 1));
        assert!(whole.hash(&one).to_string().starts_with("poll:"));
    }

    #[test]
    fn a_record_is_read_or_is_none() {
        let record = NetworkRecord { voters: 3, first_ms: 5, last_ms: 9 };
        assert_eq!(NetworkRecord::read("17.250 3 5 9"), Some(record));
        for bad in ["", "1 2 3", "x y z w"] {
            assert_eq!(NetworkRecord::read(bad), None);
        }
    }
}
