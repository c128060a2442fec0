//! Parses one HTTP/1.1 reply out of a buffer that fills up.
//!
//! Only the parts that a voter needs are kept: the status, the body, the voter's cookie, and
//! whether the connection stays open.
//! Invariant: [`parse`] returns `None` until the reply is complete, and never reads past its end.

use std::ops::Range;

use crate::http::chunks::{BodyProgress, ChunkDecoder};

/// The largest reply that is accepted, head and body together, in bytes.
pub(crate) const REPLY_BYTES_MAX: usize = 8 << 20;

/// A complete reply. Its ranges point into the buffer from which it was parsed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The status code, such as 202.
    pub(crate) status: u16,
    /// Whether the server will close the connection after this reply.
    pub(crate) close: bool,
    /// The `name=value` of the voter's cookie, if the reply sets one.
    pub(crate) cookie: Option<Range<usize>>,
    /// Whether the reply has a `Retry-After` header.
    pub(crate) retry_after: bool,
    /// The address to which the reply redirects.
    pub(crate) location: Option<Range<usize>>,
    /// The range of the body. Chunked bodies are joined in place.
    pub(crate) body: Range<usize>,
}

/// The bytes are not an HTTP/1.1 reply.
#[derive(Debug, thiserror::Error)]
#[error("not an HTTP/1.1 reply: {0}")]
pub(crate) struct MalformedReply(&'static str);

/// The head of a reply whose body may not have come yet.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) bytes: usize,
    pub(crate) close: bool,
    pub(crate) cookie: Option<Range<usize>>,
    pub(crate) retry_after: bool,
    pub(crate) location: Option<Range<usize>>,
    pub(crate) length: Length,
}

/// How the end of a body is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// The body has this many bytes.
    Known(usize),
    /// The body comes in chunks and ends with an empty one.
    Chunked,
    /// The body ends with the connection.
    ToEnd,
}

/// Header fields of a head that is parsed without an allocation.
const HEADERS_USUAL: usize = 32;

/// The most header fields of a head, as in browsers and proxies.
const HEADERS_MAX: usize = 1024;

/// The largest head in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Parses the head of the final reply. Interim replies (status 1xx) in front of it are skipped.
/// Returns `None` if more bytes are needed.
pub(crate) fn parse_head(buffer: &[u8]) -> Result<Option<Head>, MalformedReply> {
    let mut start = 0;
    loop {
        let rest = &buffer[start..];
        let parsed = match parse_one_head(rest, &mut [httparse::EMPTY_HEADER; HEADERS_USUAL]) {
            Err(httparse::Error::TooManyHeaders) => {
                parse_one_head(rest, &mut vec![httparse::EMPTY_HEADER; HEADERS_MAX])
            }
            parsed => parsed,
        };
        match parsed {
            Ok(Ok(Some(head))) if is_interim(head.status) => start += head.bytes,
            Ok(Ok(Some(head))) => return Ok(Some(head.moved(start))),
            Ok(Ok(None)) if rest.len() > HEAD_BYTES_MAX => {
                return Err(MalformedReply("endless head"));
            }
            Ok(parsed) => return parsed,
            Err(_) => return Err(MalformedReply("bad head")),
        }
    }
}

/// Returns whether another reply follows. After 101 the connection speaks another protocol.
fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

impl Head {
    /// Returns the head with all positions moved by `start` bytes.
    fn moved(self, start: usize) -> Self {
        let moved = |range: Range<usize>| range.start + start..range.end + start;
        Self {
            bytes: self.bytes + start,
            cookie: self.cookie.map(moved),
            location: self.location.map(moved),
            ..self
        }
    }
}

/// Parses the first head in the buffer with room for some header fields.
fn parse_one_head<'b>(
    buffer: &'b [u8],
    headers: &mut [httparse::Header<'b>],
) -> Result<Result<Option<Head>, MalformedReply>, httparse::Error> {
    let mut response = httparse::Response::new(headers);
    match response.parse(buffer)? {
        httparse::Status::Complete(bytes) => Ok(read_head(buffer, &response, bytes).map(Some)),
        httparse::Status::Partial => Ok(Ok(None)),
    }
}

/// Reads the parts that matter out of a parsed head of this many bytes.
fn read_head(
    buffer: &[u8],
    response: &httparse::Response<'_, '_>,
    bytes: usize,
) -> Result<Head, MalformedReply> {
    let status = response.code.ok_or(MalformedReply("no status"))?;
    let mut head = Head {
        status,
        bytes,
        close: response.version == Some(0),
        cookie: None,
        retry_after: false,
        location: None,
        length: Length::ToEnd,
    };
    if status == 204 || status == 304 || is_interim(status) {
        head.length = Length::Known(0);
    }
    let range = |value: &[u8], length: usize| {
        let start = value.as_ptr() as usize - buffer.as_ptr() as usize;
        start..start + length
    };
    for header in response.headers.iter() {
        match header.name.len() {
            8 if header.name.eq_ignore_ascii_case("location") => {
                head.location = Some(range(header.value, header.value.len()));
            }
            10 if header.name.eq_ignore_ascii_case("connection") => {
                // The value is a list, such as `close, X-Foo`.
                let mut names = header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                head.close |= names.clone().any(|name| name.eq_ignore_ascii_case(b"close"));
                if names.any(|name| name.eq_ignore_ascii_case(b"keep-alive")) {
                    head.close = false; // HTTP/1.0 closes unless it says so
                }
            }
            10 if header.name.eq_ignore_ascii_case("set-cookie") => {
                if let Some(cookie) = voter_cookie(header.value) {
                    head.cookie = Some(range(header.value, cookie));
                }
            }
            11 if header.name.eq_ignore_ascii_case("retry-after") => head.retry_after = true,
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                let text = std::str::from_utf8(header.value).ok();
                let length = text.and_then(|text| text.trim().parse().ok());
                head.length = Length::Known(length.ok_or(MalformedReply("bad content-length"))?);
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                head.length = Length::Chunked;
            }
            _ => {}
        }
    }
    Ok(head)
}

/// Parses a complete reply. Returns `None` if more bytes are needed. `ended` says that the server
/// has closed its side.
pub(crate) fn parse(buffer: &mut [u8], ended: bool) -> Result<Option<Reply>, MalformedReply> {
    let Some(head) = parse_head(buffer)? else { return Ok(None) };
    let body = match head.length {
        Length::Known(length) if buffer.len() - head.bytes >= length => {
            head.bytes..head.bytes + length
        }
        Length::Known(_) => return Ok(None),
        Length::Chunked => match join_chunks(buffer, head.bytes)? {
            Some(end) => head.bytes..end,
            None => return Ok(None),
        },
        Length::ToEnd if ended => head.bytes..buffer.len(),
        Length::ToEnd => return Ok(None),
    };
    let close = head.close || head.length == Length::ToEnd;
    let Head { status, cookie, retry_after, location, .. } = head;
    Ok(Some(Reply { status, close, cookie, retry_after, location, body }))
}

/// Returns the length of `name=value` if this `Set-Cookie` value is the voter's cookie.
fn voter_cookie(value: &[u8]) -> Option<usize> {
    let name = value.strip_prefix(b"__Host-").unwrap_or(value);
    let ours = name
        .strip_prefix(b"voter")
        .is_some_and(|rest| rest.starts_with(b"=") || rest.starts_with(b"_"));
    ours.then(|| value.iter().position(|byte| *byte == b';').unwrap_or(value.len()))
}

/// Moves the contents of the chunks together, in place, once the last one is there. Returns their
/// end.
fn join_chunks(buffer: &mut [u8], start: usize) -> Result<Option<usize>, MalformedReply> {
    let mut contents: Vec<Range<usize>> = Vec::new();
    let address = buffer.as_ptr() as usize;
    let progress = ChunkDecoder::default().feed(&buffer[start..], |content| {
        let from = content.as_ptr() as usize - address;
        contents.push(from..from + content.len());
    });
    match progress {
        BodyProgress::Incomplete => return Ok(None),
        BodyProgress::Malformed => return Err(MalformedReply("bad chunk")),
        BodyProgress::Complete => {}
    }
    let mut end = start;
    for content in contents {
        let length = content.len();
        buffer.copy_within(content, end);
        end += length;
    }
    Ok(Some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n\
        set-cookie: voter_1a2b3c4d=v1.ab.cd.ef; Path=/; HttpOnly\r\ncontent-length: 5\r\n\r\nhello";

    #[test]
    fn reply_is_whole_only_with_its_last_byte() {
        for end in 0..ACCEPTED.len() {
            assert_eq!(parse(&mut ACCEPTED[..end].to_vec(), false).unwrap(), None, "{end}");
        }
        let mut bytes = ACCEPTED.to_vec();
        let reply = parse(&mut bytes, false).unwrap().unwrap();
        assert_eq!((reply.status, reply.close), (202, false));
        assert_eq!(&bytes[reply.cookie.unwrap()], b"voter_1a2b3c4d=v1.ab.cd.ef");
        assert_eq!(&bytes[reply.body], b"hello");
    }

    #[test]
    fn chunks_are_put_together() {
        let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n".to_vec();
        let reply = parse(&mut bytes, false).unwrap().unwrap();
        assert_eq!(&bytes[reply.body], b"abcde");
    }

    #[test]
    fn reply_without_length_ends_with_the_connection() {
        let mut bytes = b"HTTP/1.1 200 OK\r\n\r\nabc".to_vec();
        assert_eq!(parse(&mut bytes, false).unwrap(), None);
        let reply = parse(&mut bytes, true).unwrap().unwrap();
        assert!(reply.close);
        assert_eq!(&bytes[reply.body], b"abc");
    }

    #[test]
    fn other_cookies_are_not_the_voters() {
        let mut bytes = b"HTTP/1.1 303 See Other\r\nset-cookie: theme=dark\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec();
        let reply = parse(&mut bytes, false).unwrap().unwrap();
        assert_eq!((reply.cookie, reply.close), (None, true));
    }

    #[test]
    fn a_reply_that_says_when_to_try_again_is_told_apart() {
        let reply = |header: &str| {
            let text = format!("HTTP/1.1 503 No\r\n{header}content-length: 0\r\n\r\n");
            parse(&mut text.into_bytes(), false).unwrap().unwrap().retry_after
        };
        assert!(reply("Retry-After: 2\r\n") && !reply(""));
    }

    #[test]
    fn interim_replies_are_skipped() {
        let early = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";
        let text = format!("HTTP/1.1 100 Continue\r\n\r\n{early}");
        assert_eq!(parse(&mut text.clone().into_bytes(), false).unwrap(), None);
        let mut bytes = [text.as_bytes(), ACCEPTED].concat();
        let reply = parse(&mut bytes, false).unwrap().unwrap();
        assert_eq!((reply.status, &bytes[reply.body]), (202, b"hello".as_slice()));
        assert_eq!(&bytes[reply.cookie.unwrap()], b"voter_1a2b3c4d=v1.ab.cd.ef");
    }

    #[test]
    fn heads_of_many_fields_are_read() {
        let fields: String = (0..300).map(|n| format!("x-h-{n}: v\r\n")).collect();
        let text = format!("HTTP/1.1 202 Accepted\r\n{fields}content-length: 0\r\n\r\n");
        assert_eq!(parse(&mut text.into_bytes(), false).unwrap().unwrap().status, 202);
    }

    #[test]
    fn close_may_stand_in_a_list() {
        let closes = |version: &str, value: &str| {
            let text = format!(
                "HTTP/{version} 200 OK\r\nconnection: {value}\r\ncontent-length: 0\r\n\r\n"
            );
            parse(&mut text.into_bytes(), false).unwrap().unwrap().close
        };
        assert!(closes("1.1", "close, X-Foo") && closes("1.1", "X-Foo ,Close"));
        assert!(!closes("1.1", "X-Foo") && !closes("1.0", "Keep-Alive"));
    }

    #[test]
    fn a_redirect_says_where_to() {
        let mut bytes =
            b"HTTP/1.1 301 Moved\r\nLocation: https://a.example/x\r\ncontent-length: 0\r\n\r\n"
                .to_vec();
        let reply = parse(&mut bytes, false).unwrap().unwrap();
        assert_eq!(&bytes[reply.location.unwrap()], b"https://a.example/x");
    }

    #[test]
    fn garbage_is_refused() {
        assert!(parse(&mut b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(), false).is_err());
    }
}
