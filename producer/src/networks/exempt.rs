//! The clients without a limit.

use ipnet::IpNet;

use crate::client::Source;

/// The clients that are never limited: those in certain networks, and at loopback addresses without a forwarded header.
#[derive(Clone, Debug)]
pub(crate) struct Exempt(pub(crate) Vec<IpNet>);

impl Exempt {
    /// Whether this client is one of them.
    pub(super) fn covers(&self, source: Source) -> bool {
        match source {
            Source::Address { address, is_forwarded } => {
                address.is_loopback() && !is_forwarded
                    || self.0.iter().any(|network| network.contains(&address))
            }
            Source::Unreadable => false,
        }
    }
}
