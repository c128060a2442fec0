//! The limit that applies to a client, and how a new voter is refused.

use votestream_schema::poll::network_limit::NetworkLimit;

/// A limit that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rate {
    /// New voters of an address at once.
    pub(super) at_once: u32,
    /// New voters in each minute after that.
    pub(super) per_minute: u32,
}

impl Rate {
    /// The numbers of a limit; `None` if it is off.
    pub(super) fn of(limit: NetworkLimit) -> Option<Self> {
        match limit {
            NetworkLimit::Limit { at_once, per_minute } => Some(Self { at_once, per_minute }),
            NetworkLimit::Off => None,
        }
    }
}

/// Why a new voter is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The network has brought as many as it may.
    Limited {
        /// The seconds after which another attempt may succeed.
        retry_after_s: u32,
    },
    /// Redis did not say whether it has, for this reason.
    Unknown(String),
}
