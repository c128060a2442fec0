//! The HTTP client of the harness itself: one request on a connection of its own.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The parts of a reply that the harness checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The status code, such as 202.
    pub(crate) status: u16,
    /// Whether the reply has a `Retry-After` header.
    pub(crate) retry_after: bool,
    /// The body as text.
    pub(crate) body: String,
}

/// The reason why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpError {
    /// The connection was refused or not accepted in time, so nothing was sent.
    #[error("nobody accepts connections")]
    NotConnected,
    /// The request was sent, at least in part, and no complete reply came in time.
    #[error("no reply in time")]
    NoReply,
}

/// Sends a GET request to a port of this machine.
pub(crate) async fn get(port: u16, path: &str, within: Duration) -> Result<Reply, HttpError> {
    exchange(
        port,
        &format!("GET {path} HTTP/1.1\r\nhost: chaos\r\nconnection: close\r\n\r\n"),
        within,
    )
    .await
}

/// Sends a POST request with a JSON body and a cookie to a port of this machine.
pub(crate) async fn post(
    port: u16,
    path: &str,
    cookie: &str,
    body: &str,
    within: Duration,
) -> Result<Reply, HttpError> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: chaos\r\nconnection: close\r\ncookie: {cookie}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(port, &request, within).await
}

async fn exchange(port: u16, request: &str, within: Duration) -> Result<Reply, HttpError> {
    let deadline = tokio::time::Instant::now() + within;
    let connecting = TcpStream::connect(("127.0.0.1", port));
    let connected = tokio::time::timeout_at(deadline, connecting).await;
    let Ok(Ok(mut stream)) = connected else { return Err(HttpError::NotConnected) };
    let talk = async {
        stream.write_all(request.as_bytes()).await?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await?;
        Ok::<_, std::io::Error>(reply)
    };
    let reply = tokio::time::timeout_at(deadline, talk).await;
    let Ok(Ok(reply)) = reply else { return Err(HttpError::NoReply) };
    parse(&String::from_utf8_lossy(&reply)).ok_or(HttpError::NoReply)
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
