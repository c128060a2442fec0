//! One keep-alive HTTP/1.1 connection, which sends a request and reads its reply.
//!
//! It is hand-written because it runs once a ballot: one write, usually one read, and no
//! allocation.
//! Invariant: a connection on which anything failed is never used again.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};

use crate::http::endpoint::{ByteStream, Endpoint};
use crate::http::reply::{self, REPLY_BYTES_MAX, Reply};

/// The reason why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// The connection could not be opened, so nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// The reply did not come, or not completely, within the time allowed.
    #[error("no reply in time")]
    Timeout,
    /// The connection broke before the reply was complete.
    #[error("connection lost: {0}")]
    Broken(#[source] io::Error),
    /// The bytes that came are not an HTTP reply.
    #[error(transparent)]
    MalformedReply(#[from] reply::MalformedReply),
}

/// A connection to one endpoint. It is opened when it is first needed.
pub(crate) struct Connection {
    endpoint: Arc<Endpoint>,
    wire: Option<ByteStream>,
    buffer: Vec<u8>,
    /// How long it took to open the connection, until somebody asks.
    connect_time: Option<Duration>,
}

impl Connection {
    /// Returns a connection that is not open yet.
    pub(crate) fn new(endpoint: Arc<Endpoint>) -> Self {
        Self { endpoint, wire: None, buffer: Vec::with_capacity(1024), connect_time: None }
    }

    /// Opens the connection, unless it is open already.
    ///
    /// # Errors
    /// Returns [`ExchangeError::Connect`] if no connection can be opened.
    pub(crate) async fn open(&mut self) -> Result<(), ExchangeError> {
        if self.wire.as_mut().is_some_and(has_ended) {
            self.wire = None;
        }
        if self.wire.is_none() {
            let began = Instant::now();
            self.wire = Some(self.endpoint.connect().await.map_err(ExchangeError::Connect)?);
            self.connect_time = Some(began.elapsed());
        }
        Ok(())
    }

    /// Returns how long it took to open the connection, once for each connection.
    pub(crate) fn take_connect_time(&mut self) -> Option<Duration> {
        self.connect_time.take()
    }

    /// Closes the connection. The next request opens a new one.
    pub(crate) fn close(&mut self) {
        self.wire = None;
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Returns [`ExchangeError::Connect`] or [`ExchangeError::Broken`]; the connection is then
    /// closed.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(), ExchangeError> {
        self.open().await?;
        let wire = self.wire.as_mut().expect("open() has just filled it");
        let sent = wire.write_all(request).await;
        if sent.is_ok() && matches!(wire, ByteStream::Plain(_)) {
            return Ok(());
        }
        let sent = match sent {
            Ok(()) => wire.flush().await,
            failed => failed,
        };
        sent.map_err(|error| {
            self.wire = None;
            ExchangeError::Broken(error)
        })
    }

    /// Reads the reply to the request that was sent last. [`Self::text`] returns its parts.
    ///
    /// # Errors
    /// Returns the reason if there is no reply; the connection is then closed.
    pub(crate) async fn receive(&mut self, time_max: Duration) -> Result<Reply, ExchangeError> {
        let reply = match tokio::time::timeout(time_max, self.read()).await {
            Ok(reply) => reply,
            Err(_) => Err(ExchangeError::Timeout),
        };
        if !matches!(&reply, Ok(reply) if !reply.close) {
            self.wire = None;
        }
        reply
    }

    /// Returns the bytes that a [`Reply`] points to. They are valid until the next request.
    pub(crate) fn text(&self, range: &std::ops::Range<usize>) -> &[u8] {
        &self.buffer[range.clone()]
    }

    /// Sends a request and reads its reply.
    ///
    /// # Errors
    /// Returns the reason if there is no reply; the connection is then closed.
    pub(crate) async fn exchange(
        &mut self,
        request: &[u8],
        time_max: Duration,
    ) -> Result<Reply, ExchangeError> {
        self.send(request).await?;
        self.receive(time_max).await
    }

    async fn read(&mut self) -> Result<Reply, ExchangeError> {
        self.buffer.clear();
        let wire = self
            .wire
            .as_mut()
            .ok_or_else(|| ExchangeError::Broken(io::ErrorKind::NotConnected.into()))?;
        loop {
            let read = wire.read_buf(&mut self.buffer).await.map_err(ExchangeError::Broken)?;
            if let Some(reply) = reply::parse(&mut self.buffer, read == 0)? {
                return Ok(reply);
            }
            if read == 0 || self.buffer.len() > REPLY_BYTES_MAX {
                return Err(ExchangeError::Broken(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

/// Returns whether the server closed an idle connection, or sent bytes that nobody asked for. Without
/// news from the system this costs no system call. TLS handles its own messages meanwhile.
fn has_ended(wire: &mut ByteStream) -> bool {
    let mut byte = [0_u8; 1];
    let mut buffer = ReadBuf::new(&mut byte);
    let mut context = Context::from_waker(Waker::noop());
    !matches!(Pin::new(wire).poll_read(&mut context, &mut buffer), Poll::Pending)
}
