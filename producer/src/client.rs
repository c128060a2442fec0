//! Who is at the other end: address, network, transport, and whether a page of ours sent it here.
//!
//! Forwarded headers are believed from trusted proxies only.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use votestream_service::listener::PeerAddr;
use warp::http::{HeaderMap, HeaderName, header, header::AsHeaderName};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is believed of clients.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Proxies whose forwarded headers are believed.
    pub proxies: Vec<IpNet>,
    /// Further origins whose pages may post.
    pub origins: Vec<String>,
    /// All clients come through TLS.
    pub always_secure: bool,
}

/// One request's client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address, or its proxy's when that is not trusted.
    pub address: IpAddr,
    /// Whether it came through TLS.
    pub secure: bool,
}

impl Trust {
    /// The client of a request that came from `peer`.
    pub fn client(&self, peer: PeerAddr, headers: &HeaderMap) -> Client {
        if !self.is_proxy(peer.0) {
            return Client { address: peer.0, secure: self.always_secure };
        }
        let https = text(headers, "x-forwarded-proto").is_some_and(|proto| proto == "https");
        let address = self.forwarded_for(headers).unwrap_or(peer.0);
        Client { address, secure: self.always_secure || https }
    }

    /// Whether the request was sent by a page of another site. Clients that are not browsers send
    /// neither header, and have no cookies that another site could use.
    pub fn is_cross_site(&self, peer: PeerAddr, headers: &HeaderMap) -> bool {
        let origin = text(headers, header::ORIGIN);
        if origin.is_some_and(|origin| self.origins.iter().any(|allowed| allowed == origin)) {
            return false;
        }
        match text(headers, &SEC_FETCH_SITE) {
            Some(site) => !matches!(site, "same-origin" | "none"),
            None => origin.is_some_and(|origin| !self.is_own(origin, peer, headers)),
        }
    }

    fn is_own(&self, origin: &str, peer: PeerAddr, headers: &HeaderMap) -> bool {
        let host = origin.split_once("://").map(|(_, host)| host);
        let forwarded = self.is_proxy(peer.0).then(|| text(headers, "x-forwarded-host")).flatten();
        let own = forwarded.or_else(|| text(headers, header::HOST));
        host.is_some() && host == own
    }

    /// The rightmost address that is not a trusted proxy's: what stands left of it may be invented,
    /// and need not even be an address. So it is read from the right, and no further than needed.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines = headers.get_all("x-forwarded-for").iter();
        // A line with odd bytes still ends with what our proxy wrote.
        let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        let mut found = None;
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
            let address = address.to_canonical();
            found = Some(address);
            if !self.is_proxy(address) {
                break;
            }
        }
        found
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }
}

/// The network that shares one limit: an IPv4 /24, or an IPv6 /56 as handed to one household.
pub fn network(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(v4) => IpNet::V4(Ipv4Net::new_assert(v4, 24).trunc()),
        IpAddr::V6(v6) => IpNet::V6(Ipv6Net::new_assert(v6, 56).trunc()),
    }
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect()
    }

    fn peer(address: &str) -> PeerAddr {
        PeerAddr(address.parse().unwrap())
    }

    fn behind_proxy() -> Trust {
        Trust { proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Trust::default() }
    }

    #[test]
    fn forwarded_headers_are_believed_from_trusted_proxies_only() {
        let forwarded = headers(&[
            ("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.1.1.1"),
            ("x-forwarded-proto", "https"),
        ]);
        let through = behind_proxy().client(peer("10.0.0.1"), &forwarded);
        assert_eq!(through, Client { address: "203.0.113.9".parse().unwrap(), secure: true });
        let direct = behind_proxy().client(peer("198.51.100.7"), &forwarded);
        assert_eq!(direct, Client { address: "198.51.100.7".parse().unwrap(), secure: false });
    }

    #[test]
    fn what_a_client_invents_in_front_of_its_address_changes_nothing() {
        let client = |lines: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                let line = warp::http::HeaderValue::from_bytes(line).unwrap();
                headers.append("x-forwarded-for", line);
            }
            behind_proxy().client(peer("10.0.0.1"), &headers).address.to_string()
        };
        let own = "203.0.113.9";
        assert_eq!(client(&[b"1.1.1.1, rubbish, 203.0.113.9"]), own);
        assert_eq!(client(&[b"1.1.1.1, \xff\xfe, 203.0.113.9, 10.2.2.2"]), own);
        assert_eq!(client(&[b"1.1.1.1", b"rubbish", b"203.0.113.9"]), own);
        // Nothing but proxies: the one that is furthest away.
        assert_eq!(client(&[b"10.3.3.3, 10.2.2.2"]), "10.3.3.3");
        assert_eq!(client(&[b"1.1.1.1, rubbish"]), "10.0.0.1", "no proxy of ours wrote that");
    }

    #[test]
    fn posts_from_other_sites_are_told_apart() {
        let trust = Trust { origins: vec!["https://tv.example".into()], ..Trust::default() };
        let cross = |pairs| trust.is_cross_site(peer("::1"), &headers(pairs));
        assert!(!cross(&[]), "a plain client");
        assert!(!cross(&[("sec-fetch-site", "same-origin")]));
        assert!(cross(&[("sec-fetch-site", "cross-site")]));
        assert!(cross(&[("sec-fetch-site", "same-site")]));
        assert!(!cross(&[("origin", "http://vote:8080"), ("host", "vote:8080")]));
        assert!(cross(&[("origin", "http://evil"), ("host", "vote:8080")]));
        assert!(cross(&[("origin", "null"), ("host", "vote:8080")]));
        assert!(!cross(&[("origin", "https://tv.example"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn neighbours_share_a_network() {
        let net = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(net("203.0.113.9"), "203.0.113.0/24");
        assert_eq!(net("2001:db8:1:2ff::1"), "2001:db8:1:200::/56");
    }
}
