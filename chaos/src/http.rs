//! One HTTP request on a connection of its own: what the harness asks by itself.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What of a reply matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Whether it says when to try again.
    pub(crate) retry_after: bool,
    pub(crate) body: String,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing was sent.
    NotConnected,
    /// Something was sent, and no reply came, or none in time.
    NoReply,
}

/// Asks a port of this machine.
pub(crate) async fn get(port: u16, path: &str, within: Duration) -> Result<Reply, Failure> {
    exchange(
        port,
        &format!("GET {path} HTTP/1.1\r\nhost: chaos\r\nconnection: close\r\n\r\n"),
        within,
    )
    .await
}

/// Posts JSON with a cookie.
pub(crate) async fn post(
    port: u16,
    path: &str,
    cookie: &str,
    body: &str,
    within: Duration,
) -> Result<Reply, Failure> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: chaos\r\nconnection: close\r\ncookie: {cookie}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(port, &request, within).await
}

async fn exchange(port: u16, request: &str, within: Duration) -> Result<Reply, Failure> {
    let deadline = tokio::time::Instant::now() + within;
    let connecting = TcpStream::connect(("127.0.0.1", port));
    let connected = tokio::time::timeout_at(deadline, connecting).await;
    let Ok(Ok(mut stream)) = connected else { return Err(Failure::NotConnected) };
    let talk = async {
        stream.write_all(request.as_bytes()).await?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await?;
        Ok::<_, std::io::Error>(reply)
    };
    let reply = tokio::time::timeout_at(deadline, talk).await;
    let Ok(Ok(reply)) = reply else { return Err(Failure::NoReply) };
    parse(&String::from_utf8_lossy(&reply)).ok_or(Failure::NoReply)
}

fn parse(reply: &str) -> Option<Reply> {
    let (head, body) = reply.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let retry_after = lines.any(|line| {
        line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case("retry-after"))
    });
    Some(Reply { status, retry_after, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_retry_after_are_read() {
        let reply = parse("HTTP/1.1 503 x\r\nRetry-After: 1\r\n\r\n{}").unwrap();
        assert_eq!(reply, Reply { status: 503, retry_after: true, body: "{}".to_owned() });
        assert!(!parse("HTTP/1.1 202 Accepted\r\n\r\n").unwrap().retry_after);
        assert_eq!(parse("SSH-2.0"), None);
    }
}
