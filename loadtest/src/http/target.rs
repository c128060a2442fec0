//! The address of a server that is loaded, and the rule that decides whether it may be loaded.
//!
//! Invariant: no request is sent before every address of the target is known to be loopback or
//! private, or its host was repeated with `--yes-really-load`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A base address: scheme, host, port, and an optional path in front of all paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether to use TLS.
    pub https: bool,
    /// The host name or address literal, without brackets.
    pub host: String,
    /// The TCP port, also if it is the default one.
    pub port: u16,
    /// The path in front of every path, without a slash at its end. It is often empty.
    pub base: String,
}

/// The reason why a target is refused.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The text is not an address of a kind that is supported.
    #[error("'{0}' is not an address such as http://localhost:8080: {1}")]
    Malformed(String, &'static str),
    /// The host name cannot be resolved.
    #[error("cannot resolve {host}: {source}")]
    Unknown {
        /// The host name that was looked up.
        host: String,
        /// The error of the resolver.
        source: std::io::Error,
    },
    /// The address is public, and the operator has not allowed it.
    #[error(
        "refusing to load {host} ({ip}): it is neither loopback nor a private address.\n\
         If it is yours and you mean it, repeat its address: --yes-really-load {url}"
    )]
    Public {
        /// The host name of the target.
        host: String,
        /// The public address to which it resolves.
        ip: IpAddr,
        /// The whole address, which the operator repeats to allow it.
        url: String,
    },
}

impl Target {
    /// Parses an `http://` or `https://` address.
    ///
    /// # Errors
    /// Returns [`TargetError::Malformed`] for anything else, and for a query, a fragment or
    /// credentials.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let malformed = |why| TargetError::Malformed(url.to_owned(), why);
        let (https, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            Some(_) => return Err(malformed("only http and https are supported")),
            None => return Err(malformed("it must start with http:// or https://")),
        };
        if rest.contains(['?', '#', '@']) || rest.contains(char::is_whitespace) {
            return Err(malformed("it must not have a query, a fragment, credentials or a space"));
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = split_authority(authority).ok_or_else(|| malformed("bad host"))?;
        let port = match port {
            Some(port) => port.parse().map_err(|_| malformed("bad port"))?,
            None if https => 443,
            None => 80,
        };
        if host.is_empty() || port == 0 {
            return Err(malformed("host or port is missing"));
        }
        Ok(Self { https, host: host.to_owned(), port, base: path.trim_end_matches('/').to_owned() })
    }

    /// Returns the value of the `Host` header, without the port if it is the default one.
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.https, self.port) {
            (false, 80) | (true, 443) => host,
            _ => format!("{host}:{}", self.port),
        }
    }

    /// Resolves the host to all of its addresses, IPv4 first.
    ///
    /// # Errors
    /// Returns [`TargetError::Unknown`] if the host has no address.
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>, TargetError> {
        let unknown = |source| TargetError::Unknown { host: self.host.clone(), source };
        let found =
            tokio::net::lookup_host((self.host.as_str(), self.port)).await.map_err(unknown)?;
        let mut found: Vec<SocketAddr> = found.collect();
        found.sort_by_key(SocketAddr::is_ipv6); // a service on 0.0.0.0 answers IPv4 first
        if found.is_empty() {
            return Err(unknown(std::io::ErrorKind::NotFound.into()));
        }
        Ok(found)
    }

    /// Checks whether the resolved addresses may be loaded.
    ///
    /// # Errors
    /// Returns [`TargetError::Public`] unless every address is loopback or private, or `allowed`
    /// names the host.
    pub fn check(&self, addresses: &[SocketAddr], allowed: &[Target]) -> Result<(), TargetError> {
        if allowed.iter().any(|target| target.host.eq_ignore_ascii_case(&self.host)) {
            return Ok(());
        }
        match addresses.iter().map(SocketAddr::ip).find(|ip| !is_near(*ip)) {
            Some(ip) => {
                Err(TargetError::Public { host: self.host.clone(), ip, url: self.to_string() })
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.base)
    }
}

fn split_authority(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None if rest.is_empty() => Some((host, None)),
            None => None,
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}

/// Returns whether the address is loopback, private (RFC 1918, RFC 4193), link-local or
/// unspecified.
fn is_near(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_near(IpAddr::V4(ip)),
            None => {
                ip.is_loopback()
                    || ip.is_unique_local()
                    || ip.is_unicast_link_local()
                    || ip.is_unspecified()
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    #[test]
    fn addresses_survive_a_round_trip() {
        for url in ["http://localhost:8080", "https://[::1]:8443/vote", "http://10.0.0.7"] {
            assert_eq!(parse(url).to_string(), url);
        }
        assert_eq!(parse("https://a.example/").to_string(), "https://a.example");
    }

    #[test]
    fn strange_addresses_are_refused() {
        for url in [
            "localhost:8080",
            "ftp://a",
            "http://",
            "http://a:99999",
            "http://u:p@a",
            "http://a/?b",
            "http://[::1",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn only_near_addresses_pass_without_the_operators_word() {
        let near = [
            "127.0.0.1:80",
            "10.1.2.3:80",
            "192.168.0.1:80",
            "[::1]:80",
            "[fd00::1]:80",
            "[::ffff:10.0.0.1]:80",
        ];
        for address in near {
            assert!(
                parse("http://vote").check(&[address.parse().unwrap()], &[]).is_ok(),
                "{address}"
            );
        }
        for address in
            ["192.0.2.7:80", "100.64.0.1:80", "[2001:db8::1]:80", "[::ffff:192.0.2.1]:80"]
        {
            assert!(
                parse("http://vote").check(&[address.parse().unwrap()], &[]).is_err(),
                "{address}"
            );
        }
    }

    #[test]
    fn one_public_address_among_private_ones_is_enough_to_refuse() {
        let mixed = ["127.0.0.1:80".parse().unwrap(), "192.0.2.7:80".parse().unwrap()];
        assert!(parse("http://vote").check(&mixed, &[]).is_err());
    }

    #[test]
    fn repeating_the_host_and_only_the_host_opens_the_way() {
        let public = ["192.0.2.7:443".parse().unwrap()];
        let target = parse("https://vote.example");
        assert!(target.check(&public, &[parse("https://VOTE.example")]).is_ok());
        assert!(target.check(&public, &[parse("https://other.example")]).is_err());
    }
}
