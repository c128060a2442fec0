//! Asks the admin port of a running service whether it is ready: a health probe for container images that
//! hold no other program.
//!
//! Absent on purpose: a runtime and an HTTP client, which one request over one connection does not need.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

/// Longer than an idle service ever takes, shorter than the time-out of any orchestrator's probe.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Most bytes read of an answer, which is one line of JSON.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

/// Asks the service that listens on `admin_addr` of this machine whether it is ready.
///
/// # Errors
/// Returns an error that names the missing dependencies if the service is not ready, and one that names
/// the address if nothing answers there.
pub fn ask(admin_addr: SocketAddr) -> anyhow::Result<()> {
    let address = here(admin_addr);
    let answer = request(address).with_context(|| format!("no answer from {address}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some("503") => bail!("not ready: {}", body.trim()),
        _ => bail!("{address} answers, but not as a Votestream service"),
    }
}

/// Replaces the unspecified address, which one can listen on but not connect to, by loopback.
fn here(admin_addr: SocketAddr) -> SocketAddr {
    let ip = match admin_addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, admin_addr.port())
}

fn request(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    String::from_utf8(answer).map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Returns the outcome of `ask` for a service that gives this answer.
    fn asked(answer: &'static str) -> anyhow::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let service = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 512];
            let length = stream.read(&mut head).unwrap();
            assert!(head[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let outcome = ask(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
        service.join().unwrap();
        outcome
    }

    #[test]
    fn ready_is_what_answers_200() {
        assert!(asked("HTTP/1.1 200 OK\r\n\r\n{\"ready\":true}").is_ok());
    }

    #[test]
    fn the_error_names_the_missing_dependency() {
        let error = asked("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"waiting_for\":\"redis\"}");
        assert!(error.unwrap_err().to_string().contains("redis"));
    }

    #[test]
    fn strangers_and_silence_are_not_ready() {
        assert!(asked("220 mail.example ESMTP\r\n").is_err());
        assert!(asked("").is_err());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(ask(address).unwrap_err().to_string().contains("no answer"));
    }
}
