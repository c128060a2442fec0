//! A client that sends exactly the bytes it is told to, one connection a request, and holds every
//! reply against the OpenAPI document.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::contract::Contract;

/// No reply may take longer than this.
const REPLY_WITHIN: Duration = Duration::from_secs(30);

/// A client of one service.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Where it listens.
    pub address: SocketAddr,
    contract: &'static Contract,
}

/// A request in the making.
#[derive(Clone, Debug)]
pub struct Request {
    client: Client,
    method: &'static str,
    path: String,
    head: Vec<u8>,
    body: Vec<u8>,
    chunk_bytes: Option<usize>,
}

/// A reply, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names, in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, joined if it came in chunks.
    pub body: Vec<u8>,
}

impl Client {
    /// A client of the service at this address, whose replies keep this contract.
    pub fn new(address: SocketAddr, contract: &'static Contract) -> Self {
        Self { address, contract }
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    /// A request with this method.
    pub fn request(&self, method: &'static str, path: &str) -> Request {
        Request {
            client: *self,
            method,
            path: path.to_owned(),
            head: Vec::new(),
            body: Vec::new(),
            chunk_bytes: None,
        }
    }

    /// What is told at an address that the document does not know, such as the admin port's.
    pub async fn ask(&self, method: &str, path: &str) -> Reply {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        let reply = self.exchange(format!("{head}content-length: 0\r\n\r\n").as_bytes()).await;
        reply.unwrap_or_else(|| panic!("{method} {path}: no reply"))
    }

    /// Sends these bytes and reads until the service closes; `None` when it says nothing before.
    /// The reply is not held against the document.
    pub async fn exchange(&self, bytes: &[u8]) -> Option<Reply> {
        let talk = async {
            let (mut reading, mut writing) = self.connect().await.into_split();
            let mut answer = Vec::new();
            // A service that has heard enough may close while it is still being talked to.
            let write = async { drop(writing.write_all(bytes).await) };
            let read = async { drop(reading.read_to_end(&mut answer).await) };
            tokio::join!(write, read);
            answer
        };
        let answer = tokio::time::timeout(REPLY_WITHIN, talk).await.expect("a reply in time");
        (!answer.is_empty()).then(|| Reply::parse(&answer).expect("a whole HTTP reply"))
    }

    /// A connection on which nothing was said yet.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the service listens")
    }
}

impl Request {
    /// With this header.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.header_bytes(name, value.as_bytes())
    }

    /// With this header, whose value may hold any bytes.
    pub fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        self
    }

    /// Sends this cookie, if any: `name=value`.
    pub fn cookie<'a>(self, pair: impl Into<Option<&'a str>>) -> Self {
        match pair.into() {
            Some(pair) => self.header("cookie", pair),
            None => self,
        }
    }

    /// With this body.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// With a form as a browser encodes it.
    pub fn form(self, body: impl Into<Vec<u8>>) -> Self {
        self.body("application/x-www-form-urlencoded", body)
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sends the body in chunks, without saying its length beforehand.
    pub fn chunked(mut self, chunk_bytes: usize) -> Self {
        self.chunk_bytes = Some(chunk_bytes);
        self
    }

    /// The reply; it is one that the OpenAPI document lists.
    pub async fn send(self) -> Reply {
        let reply = self.client.exchange(&self.bytes()).await;
        let reply = reply.unwrap_or_else(|| panic!("{} {}: no reply", self.method, self.path));
        self.client.contract.check(self.method, &self.path, &reply);
        reply
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { client: Client { address, .. }, method, path, .. } = self;
        let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n").into_bytes();
        bytes.extend_from_slice(b"connection: close\r\n");
        bytes.extend_from_slice(&self.head);
        match self.chunk_bytes {
            Some(chunk_bytes) => {
                bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in self.body.chunks(chunk_bytes) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(&[chunk, b"\r\n"].concat());
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
            None => {
                if *method == "POST" || !self.body.is_empty() {
                    let length = format!("content-length: {}\r\n", self.body.len());
                    bytes.extend_from_slice(length.as_bytes());
                }
                bytes.extend_from_slice(b"\r\n");
                bytes.extend_from_slice(&self.body);
            }
        }
        bytes
    }
}

impl Reply {
    /// A reply without its body, and how long its head is; `None` while that is not complete.
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

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (reply, head_bytes) = Self::parse_head(bytes)?;
        let body = match reply.header("transfer-encoding") {
            Some("chunked") => join_chunks(&bytes[head_bytes..])?,
            _ => bytes[head_bytes..].into(),
        };
        Some(Self { body, ..reply })
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The content type without parameters; empty when there is none.
    pub fn media_type(&self) -> &str {
        self.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The last part of a problem's type; empty when the reply is none.
    pub fn problem(&self) -> String {
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        kind.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// What the reply sets as a cookie: `name=value`.
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
