//! The proxy that the environment names (`http_proxy`, `https_proxy`, `no_proxy`), as curl and Go
//! read it.
//!
//! Plain requests go to the proxy with the whole address in their first line. For https the proxy
//! opens a tunnel. Loopback addresses are never reached through a proxy.

use std::io;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::target::Target;

/// The largest reply to a request for a tunnel, in bytes.
const REPLY_BYTES_MAX: usize = 16 << 10;

/// A proxy for one target.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Proxy {
    address: Target,
}

impl Proxy {
    /// Returns the proxy of this target; `None` if it is reached directly. `variable` reads the
    /// environment.
    ///
    /// # Errors
    /// Returns an error that names the variable if it is not an address of a proxy.
    pub(crate) fn of(
        target: &Target,
        variable: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Option<Self>> {
        // HTTP_PROXY in capitals is not read, because web servers set it from a header (httpoxy).
        let names: &[&'static str] = if target.https {
            &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        } else {
            &["http_proxy", "all_proxy", "ALL_PROXY"]
        };
        let mut found = None;
        for name in names {
            found = found.or(variable(name).filter(|url| !url.is_empty()).map(|url| (*name, url)));
        }
        let Some((name, url)) = found else { return Ok(None) };
        let exceptions = variable("no_proxy").or_else(|| variable("NO_PROXY")).unwrap_or_default();
        if is_direct(target, &exceptions) {
            return Ok(None);
        }
        let url = if url.contains("://") { url } else { format!("http://{url}") };
        let address = Target::parse(&url).with_context(|| format!("the variable {name}"))?;
        ensure!(!address.https, "the variable {name}: proxies with https are not supported");
        Ok(Some(Self { address }))
    }

    /// Returns the addresses of the proxy.
    pub(crate) async fn resolve(&self) -> anyhow::Result<Vec<SocketAddr>> {
        Ok(self.address.resolve().await?)
    }

    /// Asks the proxy at the other end of `stream` for a tunnel to the target.
    ///
    /// # Errors
    /// Returns an error if the proxy refuses, or does not speak HTTP.
    pub(crate) async fn tunnel(stream: &mut TcpStream, target: &Target) -> io::Result<()> {
        let host = match target.host.contains(':') {
            true => format!("[{}]:{}", target.host, target.port),
            false => format!("{}:{}", target.host, target.port),
        };
        let request = format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut reply = Vec::new();
        while !reply.ends_with(b"\r\n\r\n") {
            // Byte by byte, because what follows belongs to TLS.
            reply.push(stream.read_u8().await?);
            if reply.len() > REPLY_BYTES_MAX {
                return Err(io::Error::other("the proxy sends an endless head"));
            }
        }
        let status = reply.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        if status.first() == Some(&b'2') {
            return Ok(());
        }
        let line = reply.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = crate::text::printable(line, 100);
        Err(io::Error::other(format!("the proxy opens no tunnel: {line}")))
    }
}

/// Returns whether a target is reached without a proxy: it is on this machine, or an exception names
/// its host or a domain above it.
fn is_direct(target: &Target, exceptions: &str) -> bool {
    let ip = target.host.parse::<IpAddr>().ok();
    if target.host.eq_ignore_ascii_case("localhost") || ip.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    let host = target.host.to_ascii_lowercase();
    exceptions.split(',').map(str::trim).filter(|one| !one.is_empty()).any(|one| {
        let one = one.to_ascii_lowercase();
        let (name, port) = match one.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() && !name.contains(':') => {
                (name.to_owned(), port.parse().ok())
            }
            _ => (one, None),
        };
        let domain = name.trim_start_matches("*.").trim_start_matches('.');
        let matches = name == "*" || host == domain || host.ends_with(&format!(".{domain}"));
        matches && port.is_none_or(|port: u16| port == target.port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(target: &str, variables: &[(&str, &str)]) -> anyhow::Result<Option<String>> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let proxy = Proxy::of(&Target::parse(target).unwrap(), variable)?;
        Ok(proxy.map(|proxy| proxy.address.to_string()))
    }

    #[test]
    fn variables_choose_the_proxy_by_scheme() {
        let both = [("http_proxy", "one:3128"), ("HTTPS_PROXY", "http://two:3129/")];
        assert_eq!(proxy("http://vote", &both).unwrap().unwrap(), "http://one:3128");
        assert_eq!(proxy("https://vote", &both).unwrap().unwrap(), "http://two:3129");
        assert_eq!(proxy("http://vote", &[("HTTP_PROXY", "one:3128")]).unwrap(), None);
        assert_eq!(proxy("http://vote", &[("http_proxy", "")]).unwrap(), None);
        assert!(proxy("http://vote", &[("http_proxy", "https://one")]).is_err());
    }

    #[test]
    fn exceptions_and_this_machine_are_reached_directly() {
        let direct = |target: &str| {
            let variables =
                [("http_proxy", "one:1"), ("no_proxy", "vote.example, .local,ten:8080")];
            proxy(target, &variables).unwrap().is_none()
        };
        for target in
            ["localhost", "127.0.0.9", "vote.example", "a.vote.example", "x.local", "ten:8080"]
        {
            assert!(direct(&format!("http://{target}")), "{target}");
        }
        for target in ["novote.example", "ten:8081", "10.0.0.1"] {
            assert!(!direct(&format!("http://{target}")), "{target}");
        }
    }
}
