//! The addresses of the two pages, as people in the room type them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use url::Url;

use super::config::Config;
use super::error::Error;

/// An address of the block that is reserved for documentation: whichever route leads there leads to other machines, too.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// How long a listener of this machine may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// The addresses under which people reach the two pages; both end with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) vote: String,
    pub(super) results: String,
}

impl Addresses {
    /// Takes the addresses that are set, and else those of this machine on its network.
    ///
    /// # Errors
    /// Returns an error if PUBLIC_URL and VOTE_URL are both set and differ.
    pub(super) fn new(config: &Config, vote_port: u16, results_port: u16) -> Result<Self, Error> {
        let machine = network_address();
        Self::with(config, vote_port, results_port, machine)
    }

    fn with(
        config: &Config,
        vote_port: u16,
        results_port: u16,
        machine: Option<IpAddr>,
    ) -> Result<Self, Error> {
        let set = match (&config.public_url, &config.vote_url) {
            (Some(public), Some(vote)) if public != vote => {
                return Err(Error::TwoAddresses {
                    public: public.to_string(),
                    vote: vote.to_string(),
                });
            }
            (public, vote) => public.as_ref().or(vote.as_ref()),
        };
        let host = machine.map_or_else(|| "localhost".to_owned(), in_url);
        let here = |port: u16| format!("http://{host}:{port}/");
        let results = match (&config.results_url, set) {
            (Some(url), _) => url.to_string(),
            // Whoever reaches the one port of a machine reaches the other one.
            (None, Some(url)) if url.scheme() == "http" && url.port() == Some(vote_port) => {
                let host = url.host_str().unwrap_or_default();
                format!("http://{host}:{results_port}/")
            }
            (None, _) => here(results_port),
        };
        Ok(Self { vote: set.map_or_else(|| here(vote_port), Url::to_string), results })
    }

    /// The path in front of all addresses of a page, for BASE_PATH; empty for most.
    pub(super) fn base_path(address: &str) -> String {
        let path = Url::parse(address).map(|url| url.path().trim_end_matches('/').to_owned());
        path.unwrap_or_default()
    }

    /// The address of the voting page as a QR code for a terminal; `None` if no telephone can reach it.
    pub(super) fn qr_code(&self) -> Option<String> {
        let url = Url::parse(&self.vote).ok()?;
        let is_here = match url.host()? {
            url::Host::Domain(name) => name == "localhost",
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
        };
        if is_here {
            return None;
        }
        let code = QrCode::with_error_correction_level(self.vote.trim_end_matches('/'), EcLevel::L)
            .ok()?;
        // A terminal is dark more often than not, so the light parts are drawn.
        let (dark, light) = (Dense1x2::Dark, Dense1x2::Light);
        Some(code.render::<Dense1x2>().dark_color(light).light_color(dark).build())
    }
}

/// The address that other machines of the network know this one by; `None` without a network.
fn network_address() -> Option<IpAddr> {
    // Connecting a UDP socket sends nothing: the system only chooses the address that it would send from.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    let address = socket.local_addr().ok()?.ip();
    let is_usable = !address.is_loopback() && !address.is_unspecified();
    is_usable.then_some(address)
}

/// Whether a listener of this machine can be reached at its address on the network.
pub(super) fn is_reachable(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return false };
    let address = match host {
        url::Host::Ipv4(address) => IpAddr::V4(address),
        url::Host::Ipv6(address) => IpAddr::V6(address),
        // Names are the operator's own; who can resolve them is not known here.
        url::Host::Domain(_) => return true,
    };
    TcpStream::connect_timeout(&SocketAddr::new(address, port), CONNECT_WITHIN).is_ok()
}

/// An address as it stands in a URL.
fn in_url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn addresses(arguments: &[&str], machine: Option<&str>) -> Result<(String, String), Error> {
        let config = Config::parse_from([&["standalone"][..], arguments].concat());
        let machine = machine.map(|address| address.parse().unwrap());
        let Addresses { vote, results } = Addresses::with(&config, 8080, 8081, machine)?;
        Ok((vote, results))
    }

    fn both(vote: &str, results: &str) -> (String, String) {
        (vote.to_owned(), results.to_owned())
    }

    #[test]
    fn pages_have_the_address_of_the_machine_on_its_network() {
        let here = both("http://192.168.1.20:8080/", "http://192.168.1.20:8081/");
        assert_eq!(addresses(&[], Some("192.168.1.20")).unwrap(), here);
        let v6 = both("http://[fd00::1]:8080/", "http://[fd00::1]:8081/");
        assert_eq!(addresses(&[], Some("fd00::1")).unwrap(), v6);
        let alone = both("http://localhost:8080/", "http://localhost:8081/");
        assert_eq!(addresses(&[], None).unwrap(), alone);
    }

    #[test]
    fn addresses_that_are_set_come_first() {
        let machine = Some("192.168.1.20");
        let same_machine = addresses(&["--public-url", "http://hall.local:8080"], machine).unwrap();
        assert_eq!(same_machine, both("http://hall.local:8080/", "http://hall.local:8081/"));
        let proxy = addresses(&["--public-url", "https://vote.example"], machine).unwrap();
        assert_eq!(proxy, both("https://vote.example/", "http://192.168.1.20:8081/"));
        let all =
            ["--vote-url", "https://vote.example/", "--results-url", "https://results.example"];
        let all = addresses(&all, machine).unwrap();
        assert_eq!(all, both("https://vote.example/", "https://results.example/"));
    }

    #[test]
    fn an_address_may_have_a_path_in_front_of_all_pages() {
        let set = [
            "--public-url",
            "https://example.org/vote",
            "--results-url",
            "https://example.org/show/",
        ];
        let (vote, results) = addresses(&set, None).unwrap();
        assert_eq!(vote, "https://example.org/vote/");
        assert_eq!([vote, results].map(|it| Addresses::base_path(&it)), ["/vote", "/show"]);
        assert_eq!(Addresses::base_path("http://192.168.1.20:8080/"), "");
    }

    #[test]
    fn two_addresses_for_one_page_are_refused() {
        let two = ["--public-url", "http://one.example", "--vote-url", "http://two.example"];
        let error = addresses(&two, None).unwrap_err().to_string();
        assert!(error.contains("PUBLIC_URL") && error.contains("VOTE_URL"), "{error}");
        let same = ["--public-url", "http://one.example", "--vote-url", "http://one.example/"];
        addresses(&same, None).unwrap();
    }

    #[test]
    fn a_telephone_gets_a_code_only_for_an_address_that_it_can_reach() {
        let code =
            |vote: &str| Addresses { vote: vote.to_owned(), results: String::new() }.qr_code();
        for here in ["http://localhost:8080/", "http://127.0.0.1:8080/", "http://[::1]:8080/"] {
            assert_eq!(code(here), None, "{here}");
        }
        assert!(code("http://192.168.1.20:8080/").is_some());
    }
}
