//! Identifies the client of a request: its address, its network, its transport, and the site whose page
//! sent the request.
//!
//! Invariant: forwarded headers are believed only if they come from a trusted proxy.

use std::net::IpAddr;

use ipnet::IpNet;
use votestream_schema::poll::network::{Network, Networks};
use votestream_schema::submission::forwarded;
use votestream_service::http;
use votestream_service::listener::PeerAddr;
use warp::http::{HeaderMap, HeaderName, HeaderValue, header, header::AsHeaderName};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
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
    /// Where the client is.
    pub source: Source,
    /// Whether the request came through TLS.
    pub secure: bool,
    /// The site whose page sent the request.
    pub page: PageSite,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// At an address.
    Address {
        /// Address of the client, or that of its proxy if the proxy is not trusted.
        address: IpAddr,
        /// Whether the request has a header that a proxy writes: then a loopback address is that of a proxy.
        is_forwarded: bool,
    },
    /// Behind a trusted proxy that does not name the client in a form that can be read. All such clients share one limit.
    Unreadable,
}

impl Source {
    /// Returns the networks whose limits count for the client.
    pub fn networks(self) -> Networks {
        match self {
            Self::Address { address, .. } => Network::of(address),
            Self::Unreadable => Networks::UNREADABLE,
        }
    }
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
        let addresses: Vec<&[u8]> = lines(headers, &X_FORWARDED_FOR);
        let elements: Vec<&[u8]> = lines(headers, &header::FORWARDED);
        let is_forwarded = !addresses.is_empty() || !elements.is_empty();
        let at_peer = Source::Address { address: peer.0.to_canonical(), is_forwarded };
        if !self.is_proxy(peer.0) {
            return Client { source: at_peer, secure: self.always_secure, page };
        }
        let elements = forwarded::forwarded(&elements);
        let source =
            if is_forwarded { self.forwarded_source(&addresses, &elements) } else { at_peer };
        let https = match headers.get(&X_FORWARDED_PROTO) {
            Some(value) => http::is_https(value.as_bytes()),
            None => elements.last().is_some_and(|element| element.is_https),
        };
        Client { source, secure: self.always_secure || https, page }
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
        let forwarded = self.is_proxy(peer.0).then(|| forwarded_host(headers)).flatten();
        let own = forwarded.as_deref().or_else(|| text(headers, header::HOST));
        host.is_some() && host == own
    }

    /// Finds the client in the headers of a trusted proxy. Where both headers are there, one of them may be the client's
    /// own invention, so they must agree.
    fn forwarded_source(&self, addresses: &[&[u8]], elements: &[forwarded::Element]) -> Source {
        let by_addresses = (!addresses.is_empty())
            .then(|| self.first_stranger(forwarded::x_forwarded_for(addresses)));
        let by_elements = (!elements.is_empty())
            .then(|| self.first_stranger(elements.iter().map(|element| element.address)));
        match (by_addresses, by_elements) {
            (Some(one), Some(other)) if one == other => one,
            (Some(one), None) | (None, Some(one)) => one,
            _ => None,
        }
        .map_or(Source::Unreadable, |address| Source::Address { address, is_forwarded: true })
    }

    /// Returns the first address, from the right, that is not a trusted proxy's; if all are, the last one. A client may
    /// have invented everything further left. Returns `None` if an address up to there cannot be read.
    fn first_stranger(&self, hops: impl Iterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
        let mut found = None;
        for hop in hops {
            found = Some(hop?);
            if !found.is_some_and(|address| self.is_proxy(address)) {
                break;
            }
        }
        found
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }
}

/// The host that a proxy in front says that it was asked for.
fn forwarded_host(headers: &HeaderMap) -> Option<String> {
    let elements = forwarded::forwarded(&lines(headers, &header::FORWARDED));
    forwarded::forwarded_host(&lines(headers, &X_FORWARDED_HOST), &elements)
}

fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a [u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
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

    /// The client's address behind a trusted proxy at 10.0.0.1, in words.
    fn behind(pairs: &[(&'static str, &[u8])]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        match behind_proxy().client(peer("10.0.0.1"), &headers).source {
            Source::Address { address, is_forwarded } => {
                assert_eq!(is_forwarded, !pairs.is_empty());
                address.to_string()
            }
            Source::Unreadable => "unreadable".to_owned(),
        }
    }

    #[test]
    fn forwarded_headers_are_believed_from_trusted_proxies_only() {
        let forwarded = headers(&[
            ("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.1.1.1"),
            ("x-forwarded-proto", "https"),
        ]);
        let at = |address: &str| {
            let address = address.parse().unwrap();
            Source::Address { address, is_forwarded: true }
        };
        let through = behind_proxy().client(peer("10.0.0.1"), &forwarded);
        assert_eq!((through.source, through.secure), (at("203.0.113.9"), true));
        let direct = behind_proxy().client(peer("198.51.100.7"), &forwarded);
        assert_eq!((direct.source, direct.secure), (at("198.51.100.7"), false));
    }

    #[test]
    fn text_that_a_client_invents_before_its_address_changes_nothing() {
        let client = |lines: &[&'static [u8]]| {
            behind(&lines.iter().map(|line| ("x-forwarded-for", *line)).collect::<Vec<_>>())
        };
        let own = "203.0.113.9";
        assert_eq!(client(&[b"1.1.1.1, rubbish, 203.0.113.9"]), own);
        assert_eq!(client(&[b"1.1.1.1, \xff\xfe, 203.0.113.9, 10.2.2.2"]), own);
        assert_eq!(client(&[b"1.1.1.1", b"rubbish", b"203.0.113.9:41000"]), own);
        // Nothing but proxies: the one that is furthest away.
        assert_eq!(client(&[b"10.3.3.3, 10.2.2.2"]), "10.3.3.3");
        assert_eq!(
            client(&[]),
            "10.0.0.1",
            "a proxy itself, as a load balancer that asks whether we live"
        );
    }

    #[test]
    fn a_client_that_the_proxy_does_not_name_is_unreadable_and_no_proxy() {
        for text in ["", "unknown", "1.1.1.1, rubbish", "1.1.1.1, ", "rubbish, 10.2.2.2", "unix:"] {
            assert_eq!(behind(&[("x-forwarded-for", text.as_bytes())]), "unreadable", "{text}");
        }
        for text in [
            "",
            "for=unknown",
            "proto=https",
            "for=1.1.1.1, for=_hidden",
            "for=\"evil, for=1.1.1.1",
        ] {
            assert_eq!(behind(&[("forwarded", text.as_bytes())]), "unreadable", "{text}");
        }
    }

    #[test]
    fn both_headers_are_read_and_must_agree() {
        let own = "203.0.113.9";
        let element = |text: &'static str| ("forwarded", text.as_bytes());
        let list = |text: &'static str| ("x-forwarded-for", text.as_bytes());
        assert_eq!(
            behind(&[element("for=1.1.1.1, for=\"203.0.113.9:80\";proto=http, for=10.2.2.2")]),
            own
        );
        assert_eq!(behind(&[element("for=\"[2001:db8::1]:443\"")]), "2001:db8::1");
        assert_eq!(behind(&[element("for=203.0.113.9"), list("203.0.113.9")]), own);
        assert_eq!(behind(&[element("for=203.0.113.9"), list("1.1.1.1")]), "unreadable");
    }

    #[test]
    fn the_way_of_the_client_is_read_in_every_form() {
        let secure = |name, value| {
            behind_proxy().client(peer("10.0.0.1"), &headers(&[(name, value)])).secure
        };
        for proto in ["https", "HTTPS", "https, http"] {
            assert!(secure("x-forwarded-proto", proto), "{proto}");
        }
        assert!(
            !secure("x-forwarded-proto", "http") && !secure("x-forwarded-proto", "http, https")
        );
        assert!(secure("forwarded", "for=1.1.1.1;proto=https, for=10.2.2.2;proto=http"));
        assert!(!secure("forwarded", "for=1.1.1.1;proto=http"));
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
        // What a proxy says counts from a trusted one alone.
        let page = ("origin", "http://vote.example");
        for said in
            [("x-forwarded-host", "vote.example"), ("forwarded", "for=1.1.1.1;host=vote.example")]
        {
            let pairs = headers(&[page, ("host", "inner:8080"), said]);
            let site = |from: &str| behind_proxy().page_site(peer(from), &pairs);
            assert_eq!(site("10.0.0.1"), PageSite::Own, "{said:?}");
            assert_eq!(site("198.51.100.7"), PageSite::Foreign, "{said:?}");
        }
        let tv = [("origin", "https://tv.example"), ("sec-fetch-site", "cross-site")];
        assert_eq!(site(&tv), PageSite::AllowedScript);
        let script = [tv[0], tv[1], ("sec-fetch-mode", "cors")];
        assert_eq!(site(&script), PageSite::AllowedScript);
        let form = [tv[0], tv[1], ("sec-fetch-mode", "navigate")];
        assert_eq!(site(&form), PageSite::AllowedNavigation);
    }
}
