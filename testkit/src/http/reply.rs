//! An HTTP reply, parsed from the bytes that a service sent.

use serde_json::Value;

/// An HTTP reply that was read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code, such as 202.
    pub status: u16,
    /// The headers in their order: the name in lower case, and the value.
    pub headers: Vec<(String, String)>,
    /// The body. If it came in chunks, they are joined.
    pub body: Vec<u8>,
}

impl Reply {
    /// Parses the head of a reply. Returns the reply without its body, and the length of the head in bytes; `None`
    /// while the head is not complete.
    ///
    /// # Panics
    /// Panics if the bytes are not HTTP.
    pub fn parse_head(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head_bytes) = head.parse(bytes).expect("HTTP") else {
            return None;
        };
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = head.headers.iter();
        let headers = headers.map(|header| (header.name.to_lowercase(), text(header.value)));
        let status = head.code.unwrap_or_default();
        Some((Self { status, headers: headers.collect(), body: Vec::new() }, head_bytes))
    }

    /// Parses a whole reply; `None` if its head or a chunk is not complete.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (reply, head_bytes) = Self::parse_head(bytes)?;
        let body = match reply.header("transfer-encoding") {
            Some("chunked") => join_chunks(&bytes[head_bytes..])?,
            _ => bytes[head_bytes..].into(),
        };
        Some(Self { body, ..reply })
    }

    /// Returns the value of the first header of this name, in whatever case the name is written.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the values of all headers of this name, in their order.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the content type without parameters such as the charset; empty if there is none.
    pub fn media_type(&self) -> &str {
        self.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default()
    }

    /// Returns the body as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Parses the body as JSON.
    ///
    /// # Panics
    /// Panics if the body is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// Returns the last part of a problem's `type`, such as `poll-closed`; empty if the reply is no problem.
    pub fn problem(&self) -> String {
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        kind.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Returns the cookie that the reply sets, as `name=value`, without attributes.
    pub fn cookie(&self) -> Option<&str> {
        self.header("set-cookie").and_then(|cookie| cookie.split(';').next())
    }
}

/// Returns the data of the first chunk in `bytes`, and how many bytes the chunk takes with its size line and
/// line break. Returns `None` while the chunk is incomplete. The last chunk of a body has no data.
pub fn first_chunk(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let Ok(httparse::Status::Complete((head_bytes, size))) = httparse::parse_chunk_size(bytes)
    else {
        return None;
    };
    let end = head_bytes + size as usize;
    let whole = bytes.get(..end + 2)?;
    Some((&whole[head_bytes..end], end + 2))
}

/// Puts the chunks of a whole body together; `None` if the last chunk is missing.
fn join_chunks(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let (data, taken) = first_chunk(bytes)?;
        if data.is_empty() {
            return Some(body);
        }
        body.extend_from_slice(data);
        bytes = &bytes[taken..];
    }
}
