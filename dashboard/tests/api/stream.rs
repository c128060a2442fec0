//! A viewer for tests: reads an event stream block by block and checks it against the OpenAPI document.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::contract;
use testkit::http::{Client, Reply};

/// The longest wait for any event.
const EVENT_WITHIN: Duration = Duration::from_secs(60);

/// The history of the connection. The stream is the same in both cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The stream is the first request, as a browser sends it.
    Fresh,
    /// Another request came before, as proxies send it.
    KeptAlive,
}

pub const WAYS: [Way; 2] = [Way::Fresh, Way::KeptAlive];

/// One block of an event stream, which ends with an empty line.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// The reconnection delay in milliseconds.
    Retry(u64),
    /// An event `alive`, which is a heartbeat.
    Heartbeat,
    /// An event whose data matches the OpenAPI document.
    Event { name: String, id: Option<i64>, data: Value },
}

/// An open event stream and the bytes read from it so far.
#[derive(Debug)]
pub struct Stream {
    connection: TcpStream,
    received: Vec<u8>,
}

impl Stream {
    /// Opens the stream of a poll, without reading its first two blocks.
    pub async fn open(client: &Client, poll: &str, way: Way) -> Self {
        Self::open_on(client.connect().await, poll, way).await
    }

    /// Opens the stream of a poll on an existing connection.
    pub async fn open_on(mut connection: TcpStream, poll: &str, way: Way) -> Self {
        if way == Way::KeptAlive {
            let request = b"GET /api/polls HTTP/1.1\r\nhost: x\r\n\r\n";
            connection.write_all(request).await.unwrap();
            let (reply, rest) = read_head(&mut connection).await;
            let body_bytes: usize = reply.header("content-length").unwrap().parse().unwrap();
            let mut body = vec![0; body_bytes - rest.len()];
            connection.read_exact(&mut body).await.unwrap();
        }
        Self::ask(connection, &format!("/api/polls/{poll}/events"), "", way).await
    }

    /// Opens the stream of a poll for somebody who has voted, as this cookie says.
    pub async fn opened(client: &Client, poll: &str, cookie: &str) -> Self {
        let path = format!("/api/polls/{poll}/events?opened");
        let cookie = format!("cookie: {cookie}\r\n");
        Self::ask(client.connect().await, &path, &cookie, Way::Fresh).await
    }

    async fn ask(mut connection: TcpStream, path: &str, more: &str, way: Way) -> Self {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n{more}\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let (reply, mut received) = read_head(&mut connection).await;
        // The read size limits how much one call reads.
        received.reserve(64 * 1024);
        contract().check("GET", path, &reply);
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("transfer-encoding"), None, "{way:?}: it goes to the bare socket");
        Self { connection, received }
    }

    /// Reads the next block; returns `None` when the stream has ended.
    pub async fn block(&mut self) -> Option<Block> {
        let next = async {
            loop {
                if let Some(end) = self.received.windows(2).position(|two| two == b"\n\n") {
                    let block: Vec<u8> = self.received.drain(..end + 2).collect();
                    return Some(parse(str::from_utf8(&block).unwrap()));
                }
                // A service that stops may reset the connection.
                if !matches!(self.connection.read_buf(&mut self.received).await, Ok(1..)) {
                    return None;
                }
            }
        };
        tokio::time::timeout(EVENT_WITHIN, next).await.expect("a block in time")
    }

    /// Reads a few bytes and drops them; returns whether there were any.
    pub async fn sip(&mut self, bytes: usize) -> bool {
        let mut sip = vec![0; bytes];
        matches!(self.connection.read(&mut sip).await, Ok(1..))
    }

    /// Drops what has come, and returns whether the connection is still open.
    pub async fn is_open(&mut self) -> bool {
        loop {
            let mut sip = [0; 4_096];
            let read = self.connection.read(&mut sip);
            match tokio::time::timeout(Duration::from_millis(10), read).await {
                Ok(Ok(1..)) => {}
                Ok(_) => return false,
                Err(_) => return true,
            }
        }
    }

    /// Skips heartbeats and returns the next event: its name, id and data.
    pub async fn event(&mut self) -> (String, Option<i64>, Value) {
        loop {
            match self.block().await.expect("the stream goes on") {
                Block::Event { name, id, data } => return (name, id, data),
                Block::Heartbeat | Block::Retry(_) => {}
            }
        }
    }

    /// Skips events until one matches, and returns its data.
    pub async fn event_where(&mut self, fits: impl Fn(&str, &Value) -> bool) -> Value {
        let search = async {
            loop {
                let (name, _, data) = self.event().await;
                if fits(&name, &data) {
                    return data;
                }
            }
        };
        tokio::time::timeout(EVENT_WITHIN, search).await.expect("such an event in time")
    }

    /// Reads to the end of the stream and drops everything.
    pub async fn end(&mut self) {
        while self.block().await.is_some() {}
    }
}

async fn read_head(connection: &mut TcpStream) -> (Reply, Vec<u8>) {
    let mut received = Vec::new();
    let read = async {
        loop {
            if let Some((reply, head_bytes)) = Reply::parse_head(&received) {
                return (reply, received.split_off(head_bytes));
            }
            assert_ne!(connection.read_buf(&mut received).await.unwrap(), 0, "no reply");
        }
    };
    tokio::time::timeout(EVENT_WITHIN, read).await.expect("a reply in time")
}

fn parse(block: &str) -> Block {
    let field = |name: &str| {
        let mut lines = block.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    if let Some(retry) = field("retry") {
        return Block::Retry(retry.parse().unwrap());
    }
    let name = field("event").unwrap();
    if name == "alive" {
        let data = serde_json::from_str(field("data").unwrap()).unwrap();
        contract().validate(name, "/components/schemas/AliveEvent", &data);
        return Block::Heartbeat;
    }
    let data = serde_json::from_str(field("data").unwrap()).unwrap();
    let schema = match name {
        "tally" => "/components/schemas/TallyEvent",
        "hidden" => "/components/schemas/HiddenEvent",
        other => panic!("the document knows no event `{other}`"),
    };
    contract().validate(name, schema, &data);
    Block::Event { name: name.to_owned(), id: field("id").map(|id| id.parse().unwrap()), data }
}
