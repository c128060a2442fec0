//! Identifies the client of a request: its address, its network, its transport, and the site whose page
//! sent the request.
//!
//! Invariant: forwarded headers are believed only if they come from a trusted proxy.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use votestream_service::listener::PeerAddr;
use warp::http::{HeaderMap, HeaderName, HeaderValue, header, header::AsHeaderName};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The settings that decide which headers of a request are believed.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Networks of the proxies whose `X-Forwarded-` headers are believed.
    pub proxies: Vec<IpNet>,
    /// Origins of other sites whose pages may read polls and post ballots.
    pub origins: Vec<String>,
    /// Whether all clients connect through TLS, as behind a proxy that sets no headers.
    pub always_secure: bool,
}

/// The client that sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// IP address of the client, or that of its proxy if the proxy is not trusted.
    pub address: IpAddr,
    /// Whether the request came through TLS.
    pub secure: bool,
    /// The site whose page sent the request.
    pub page: PageSite,
}

/// The site whose page sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageSite {
    /// This service's site. Clients that are not browsers count as this site.
    Own,
    /// An allowed site whose form or link makes the browser show our reply as the next page.
    AllowedNavigation,
    /// An allowed site whose script reads our reply.
    AllowedScript,
    /// A site that is not allowed.
    Foreign,
}

impl Trust {
    /// Identifies the client of a request that arrived from `peer`.
    pub fn client(&self, peer: PeerAddr, headers: &HeaderMap) -> Client {
        let page = self.page_site(peer, headers);
        if !self.is_proxy(peer.0) {
            return Client { address: peer.0, secure: self.always_secure, page };
        }
        let https = text(headers, "x-forwarded-proto").is_some_and(|proto| proto == "https");
        let address = self.forwarded_for(headers).unwrap_or(peer.0);
        Client { address, secure: self.always_secure || https, page }
    }

    /// Returns the site whose page sent the request. Clients that are not browsers send neither Origin nor
    /// Sec-Fetch-Site, and have no cookies that another site could misuse.
    pub fn page_site(&self, peer: PeerAddr, headers: &HeaderMap) -> PageSite {
        let origin = text(headers, header::ORIGIN);
        let is_own = match text(headers, &SEC_FETCH_SITE) {
            Some(site) => matches!(site, "same-origin" | "none"),
            None => origin.is_none_or(|origin| self.is_own(origin, peer, headers)),
        };
        let navigates = text(headers, &SEC_FETCH_MODE) == Some("navigate");
        match (is_own, self.allowed_origin(headers)) {
            (true, _) => PageSite::Own,
            (false, Some(_)) if navigates => PageSite::AllowedNavigation,
            (false, Some(_)) => PageSite::AllowedScript,
            (false, None) => PageSite::Foreign,
        }
    }

    /// Returns the request's Origin if it is one of the allowed ones.
    pub fn allowed_origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then_some(origin)
    }

    fn is_own(&self, origin: &str, peer: PeerAddr, headers: &HeaderMap) -> bool {
        let host = origin.split_once("://").map(|(_, host)| host);
        let forwarded = self.is_proxy(peer.0).then(|| text(headers, "x-forwarded-host")).flatten();
        let own = forwarded.or_else(|| text(headers, header::HOST));
        host.is_some() && host == own
    }

    /// Returns the rightmost address in X-Forwarded-For that is not a trusted proxy's. A client may have
    /// invented everything left of it, so the header is read from the right and no further than needed.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines = headers.get_all("x-forwarded-for").iter();
        // A line with invalid bytes still ends with the address that our proxy wrote.
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

/// Returns the network whose clients share one limit: an IPv4 /24, or an IPv6 /56, the size that one
/// household gets.
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
        assert_eq!((through.address.to_string(), through.secure), ("203.0.113.9".into(), true));
        let direct = behind_proxy().client(peer("198.51.100.7"), &forwarded);
        assert_eq!((direct.address.to_string(), direct.secure), ("198.51.100.7".into(), false));
    }

    #[test]
    fn text_that_a_client_invents_before_its_address_changes_nothing() {
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
    fn posts_from_other_sites_are_recognised() {
        let trust = Trust { origins: vec!["https://tv.example".into()], ..Trust::default() };
        let site = |pairs| trust.page_site(peer("::1"), &headers(pairs));
        let cross = |pairs| site(pairs) == PageSite::Foreign;
        assert!(!cross(&[]), "a plain client");
        assert!(!cross(&[("sec-fetch-site", "same-origin")]));
        assert!(cross(&[("sec-fetch-site", "cross-site")]));
        assert!(cross(&[("sec-fetch-site", "same-site")]));
        assert!(!cross(&[("origin", "http://vote:8080"), ("host", "vote:8080")]));
        assert!(cross(&[("origin", "http://evil"), ("host", "vote:8080")]));
        assert!(cross(&[("origin", "null"), ("host", "vote:8080")]));
        let tv = [("origin", "https://tv.example"), ("sec-fetch-site", "cross-site")];
        assert_eq!(site(&tv), PageSite::AllowedScript);
        let script = [tv[0], tv[1], ("sec-fetch-mode", "cors")];
        assert_eq!(site(&script), PageSite::AllowedScript);
        let form = [tv[0], tv[1], ("sec-fetch-mode", "navigate")];
        assert_eq!(site(&form), PageSite::AllowedNavigation);
    }

    #[test]
    fn neighbours_share_a_network() {
        let net = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(net("203.0.113.9"), "203.0.113.0/24");
        assert_eq!(net("2001:db8:1:2ff::1"), "2001:db8:1:200::/56");
    }
}
