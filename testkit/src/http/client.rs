//! A client that sends exactly the bytes that a test composes, one connection a request, and checks every reply
//! against the OpenAPI document.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::contract::Contract;
use super::reply::Reply;

/// The longest that a reply may take before the test fails.
const REPLY_WITHIN: Duration = Duration::from_secs(30);

/// A client of one service, whose replies are checked against one OpenAPI document.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The address on which the service listens.
    pub address: SocketAddr,
    contract: &'static Contract,
    /// The path in front of all addresses.
    base: &'static str,
}

/// A request that is composed step by step, and then sent with [`Request::send`].
#[derive(Clone, Debug)]
pub struct Request {
    client: Client,
    method: &'static str,
    path: String,
    head: Vec<u8>,
    body: Vec<u8>,
    chunk_bytes: Option<usize>,
}

impl Client {
    /// Returns a client of the service at this address. It checks replies against this contract.
    pub fn new(address: SocketAddr, contract: &'static Contract) -> Self {
        Self { address, contract, base: "" }
    }

    /// Returns a client that puts this path in front of all addresses, which the OpenAPI document lists without it.
    #[must_use]
    pub fn below(self, base: &'static str) -> Self {
        Self { base, ..self }
    }

    /// Begins a GET request for this path.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// Begins a POST request to this path, with an empty body.
    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    /// Begins a request with any other method.
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

    /// Requests an address that the OpenAPI document does not list, such as one of the admin port. The reply is not
    /// checked.
    ///
    /// # Panics
    /// Panics if the service sends no reply.
    pub async fn ask(&self, method: &str, path: &str) -> Reply {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        let reply = self.exchange(format!("{head}content-length: 0\r\n\r\n").as_bytes()).await;
        reply.unwrap_or_else(|| panic!("{method} {path}: no reply"))
    }

    /// Sends these bytes and reads until the service closes the connection. Returns `None` if it closes without a
    /// reply. The reply is not checked against the document.
    ///
    /// # Panics
    /// Panics if the service does not close within 30 seconds, or its bytes are no HTTP reply.
    pub async fn exchange(&self, bytes: &[u8]) -> Option<Reply> {
        let talk = async {
            let (mut reading, mut writing) = self.connect().await.into_split();
            let mut answer = Vec::new();
            // A service may refuse a request and close the connection before it has read all of it.
            let write = async { drop(writing.write_all(bytes).await) };
            let read = async { drop(reading.read_to_end(&mut answer).await) };
            tokio::join!(write, read);
            answer
        };
        let answer = tokio::time::timeout(REPLY_WITHIN, talk).await.expect("a reply in time");
        (!answer.is_empty()).then(|| Reply::parse(&answer).expect("a whole HTTP reply"))
    }

    /// Opens a connection and sends nothing on it.
    ///
    /// # Panics
    /// Panics if nobody listens.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the service listens")
    }
}

impl Request {
    /// Adds a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.header_bytes(name, value.as_bytes())
    }

    /// Adds a header whose value may hold any bytes, also those that HTTP forbids.
    pub fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        self
    }

    /// Adds a `Cookie` header with this `name=value`, if there is one.
    pub fn cookie<'a>(self, pair: impl Into<Option<&'a str>>) -> Self {
        match pair.into() {
            Some(pair) => self.header("cookie", pair),
            None => self,
        }
    }

    /// Sets the body and adds its `Content-Type` header.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// Sets a form as the body, encoded as a browser encodes it (`a=1&b=2`).
    pub fn form(self, body: impl Into<Vec<u8>>) -> Self {
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sets a JSON value as the body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Makes the body travel in chunks of this many bytes, without a `Content-Length` header.
    pub fn chunked(mut self, chunk_bytes: usize) -> Self {
        self.chunk_bytes = Some(chunk_bytes);
        self
    }

    /// Sends the request and returns the reply.
    ///
    /// # Panics
    /// Panics if there is no reply, or the OpenAPI document lists no such reply to this request.
    pub async fn send(self) -> Reply {
        let reply = self.client.exchange(&self.bytes()).await;
        let reply = reply.unwrap_or_else(|| panic!("{} {}: no reply", self.method, self.path));
        self.client.contract.check(self.method, &self.path, &self.without_base(reply.clone()));
        reply
    }

    /// The reply as the document describes it: the type of a problem has no path in front.
    fn without_base(&self, mut reply: Reply) -> Reply {
        let base = self.client.base;
        if !base.is_empty() && reply.media_type() == "application/problem+json" {
            let below = format!("\"type\":\"{base}/");
            reply.body = reply.text().replacen(&below, "\"type\":\"/", 1).into_bytes();
        }
        reply
    }

    /// Returns the request as the bytes that [`Request::send`] sends.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { client: Client { address, base, .. }, method, path, .. } = self;
        let mut bytes =
            format!("{method} {base}{path} HTTP/1.1\r\nhost: {address}\r\n").into_bytes();
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
