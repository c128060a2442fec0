//! Viewers: connections that receive every change of one poll as an event stream.
//!
//! When the first request on a connection is for an event stream, the connection leaves the HTTP server: the shared
//! frames are written to its bare socket, so a viewer costs about 2 KiB. An event stream that is requested later, on a
//! connection kept alive, goes through warp with the same frames and more memory.
//!
//! Invariant: no frame is queued here for a slow viewer. It receives the newest state once it can read it, and the frames
//! in between are skipped. Only the kernel's send buffer holds older frames; the listener limits it to tens of kilobytes.
//! A viewer that has not read a whole frame within the write time-out is disconnected. (On a connection that stays with
//! the HTTP server, one that has read nothing of it.)

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use rand::RngExt;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use votestream_service::CancellationToken;
use votestream_service::http;
use votestream_service::listener::{Intercepted, PeerAddr, Permit};
use votestream_service::metric::{CounterHandle, GaugeHandle, HistogramHandle};
use warp::http::{Method, StatusCode};

use crate::board::{Board, BoardEntry};
use crate::metrics;

/// The most bytes of a first request that are inspected to recognise a request for an event stream.
const HEAD_BYTES_MAX: usize = 4096;
/// The longest wait for the first request. After it the connection goes to the HTTP server, which has its own limit.
const FIRST_BYTES_TIMEOUT: Duration = Duration::from_secs(15);
/// The range of random delays before a browser reconnects, in milliseconds. The delays are spread so that the viewers of
/// a replica that stops do not all arrive at the next one at once.
const RETRY_MS: std::ops::Range<u32> = 500..3_000;

const HEARTBEAT: Bytes = Bytes::from_static(b"event: alive\ndata: {}\n\n");

/// Counts and serves all viewers of this replica; clones share the count and are cheap.
#[derive(Clone)]
pub struct Viewers {
    board: Board,
    count: Arc<AtomicUsize>,
    viewers_max: usize,
    write_timeout: Duration,
    stopping: CancellationToken,
    metrics: Arc<Metrics>,
}

struct Metrics {
    viewers: GaugeHandle,
    sent: CounterHandle,
    skipped: CounterHandle,
    delivery: HistogramHandle,
}

/// One of the VIEWERS_MAX places for viewers; dropping it frees the place.
struct Seat {
    count: Arc<AtomicUsize>,
    viewers: GaugeHandle,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.viewers.decrement(1.0);
    }
}

impl std::fmt::Debug for Viewers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Viewers({})", self.count.load(Ordering::Relaxed))
    }
}

impl Viewers {
    /// Creates the viewers of this board: at most `viewers_max` at once, until `stopping`. A viewer that takes longer than
    /// `write_timeout` to read a frame is disconnected.
    pub fn new(
        board: Board,
        viewers_max: usize,
        write_timeout: Duration,
        stopping: CancellationToken,
    ) -> Self {
        let metrics = Arc::new(Metrics {
            viewers: metrics::VIEWERS.handle(),
            sent: metrics::FRAMES_SENT.handle(),
            skipped: metrics::FRAMES_SKIPPED.handle(),
            delivery: metrics::DELIVERY_SECONDS.handle(),
        });
        metrics.viewers.set(0.0);
        metrics::VIEWERS_MAX.set(viewers_max as f64);
        Self { board, count: Arc::default(), viewers_max, write_timeout, stopping, metrics }
    }

    /// Takes over a new connection if its first request is for the event stream of a known poll and a seat is free. Every
    /// other connection goes on to the HTTP server, unread.
    pub async fn intercept(
        self,
        mut stream: TcpStream,
        _: PeerAddr,
        permit: Permit,
    ) -> Intercepted {
        // Browsers open connections in advance, so a replica that stops must not wait for a first request.
        let request = tokio::select! {
            () = self.stopping.cancelled() => None,
            request = event_request(&stream) => request,
        };
        let Some((head_bytes, slug)) = request else {
            return Intercepted::Http(stream, permit);
        };
        let (Some(changes), Some(seat)) = (self.board.watch(&slug), self.seat()) else {
            return Intercepted::Http(stream, permit);
        };
        let since = std::time::Instant::now();
        if greet(&mut stream, head_bytes, self.write_timeout).await.is_err() {
            return Intercepted::Taken;
        }
        http::measure("events", &Method::GET, StatusCode::OK, since);
        let (cursor, write_timeout) = (Cursor::new(changes, self.metrics), self.write_timeout);
        // A separate task, because this one also holds the state of the code above and would stay larger.
        tokio::spawn(async move {
            // An error here means that the viewer left or was too slow, which needs no log line.
            let _ = serve(stream, cursor, write_timeout).await;
            drop(seat);
            drop(permit);
        });
        Intercepted::Taken
    }

    /// Returns a stream of a poll's frames, for a connection that stays with the HTTP server. Returns `None` when the poll
    /// is unknown, and `Some(None)` when no seat is free.
    pub fn frames(
        &self,
        slug: &str,
    ) -> Option<Option<impl Stream<Item = io::Result<Bytes>> + Send + Sync + use<>>> {
        let changes = self.board.watch(slug)?;
        let metrics = self.metrics.clone();
        Some(self.seat().map(|seat| {
            let start = Cursor::new(changes, metrics);
            futures_util::stream::unfold((start, seat), |(mut cursor, seat)| async move {
                let frame = cursor.next().await?;
                cursor.written(false);
                Some((Ok(frame), (cursor, seat)))
            })
        }))
    }

    /// Takes a seat, or returns `None` when all are taken.
    fn seat(&self) -> Option<Seat> {
        if self.count.fetch_add(1, Ordering::Relaxed) >= self.viewers_max {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.metrics.viewers.increment(1.0);
        Some(Seat { count: self.count.clone(), viewers: self.metrics.viewers.clone() })
    }
}

/// The position of one viewer in the sequence of frames.
struct Cursor {
    changes: watch::Receiver<BoardEntry>,
    metrics: Arc<Metrics>,
    /// The sequence number of the last frame and the number of heartbeats; `None` before the first frame.
    seen: Option<(u64, u64)>,
    /// When the read began that the last frame came from.
    last_read_began: Option<Instant>,
    /// The earliest time at which a change in the frame being written may have been committed.
    committed_after: Option<Instant>,
    /// Whether the last write had to wait for the viewer.
    slow: bool,
}

impl Cursor {
    fn new(changes: watch::Receiver<BoardEntry>, metrics: Arc<Metrics>) -> Self {
        Self {
            changes,
            metrics,
            seen: None,
            last_read_began: None,
            committed_after: None,
            slow: false,
        }
    }

    /// Waits for the next bytes to send; the first call returns at once. Returns `None` when the replica stops.
    async fn next(&mut self) -> Option<Bytes> {
        let Some((sequence, heartbeats)) = self.seen else {
            let entry = self.changes.borrow_and_update();
            self.seen = Some((entry.sequence, entry.heartbeats));
            self.last_read_began = entry.window.map(|window| window.began);
            self.metrics.sent.increment(1);
            let retry = format!("retry: {}\n\n", rand::rng().random_range(RETRY_MS));
            return Some([retry.as_bytes(), &entry.frame].concat().into());
        };
        loop {
            self.changes.changed().await.ok()?;
            let entry = self.changes.borrow_and_update();
            self.seen = Some((entry.sequence, entry.heartbeats));
            if entry.sequence != sequence {
                self.metrics.sent.increment(1);
                let skipped = entry.sequence.saturating_sub(sequence + 1);
                self.metrics.skipped.increment(skipped);
                // When frames were skipped, their changes are in this one too, so it may hold anything since the
                // last frame that this viewer received.
                let previous_began = entry.window.and_then(|window| window.previous_began);
                self.committed_after =
                    if skipped > 0 { self.last_read_began } else { previous_began };
                self.last_read_began = entry.window.map(|window| window.began);
                return Some(entry.frame.clone());
            }
            if entry.heartbeats != heartbeats {
                return Some(HEARTBEAT);
            }
        }
    }

    /// Records the delivery time of the bytes from [`Cursor::next`], which are written now. Writes that had to wait for
    /// the viewer, this time or the time before, are left out.
    fn written(&mut self, waited: bool) {
        if let Some(committed_after) = self.committed_after.take().filter(|_| !waited && !self.slow)
        {
            self.metrics.delivery.record(committed_after.elapsed());
        }
        self.slow = waited;
    }
}

/// Consumes the request's head and writes the head of the response.
async fn greet(stream: &mut TcpStream, head_bytes: usize, time_limit: Duration) -> io::Result<()> {
    discard(stream, head_bytes).await?;
    write_all(stream, http::event_stream_head().as_bytes(), time_limit).await.map(drop)
}

/// Writes frames until the viewer disconnects, is too slow, or the replica stops.
async fn serve(stream: TcpStream, mut cursor: Cursor, time_limit: Duration) -> io::Result<()> {
    loop {
        let frame = tokio::select! {
            frame = cursor.next() => frame,
            gone = hung_up(&stream) => return gone,
        };
        let Some(frame) = frame else { return Ok(()) };
        let waited = write_all(&stream, &frame, time_limit).await?;
        cursor.written(waited);
    }
}

/// Writes all bytes without copying them into a buffer. Returns whether it had to wait for the viewer, or an error when
/// the viewer did not read all of them within the time limit.
async fn write_all(stream: &TcpStream, bytes: &[u8], time_limit: Duration) -> io::Result<bool> {
    let rest = &bytes[write_some(stream, bytes)?..];
    if rest.is_empty() {
        return Ok(false);
    }
    // On the heap, because only few viewers are slow: inline, every viewer's task would reserve room for the timer.
    Box::pin(tokio::time::timeout(time_limit, write_slowly(stream, rest))).await??;
    Ok(true)
}

async fn write_slowly(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        bytes = &bytes[write_some(stream, bytes)?..];
    }
    Ok(())
}

/// Writes as many bytes as the kernel accepts now, possibly none, and returns their number.
fn write_some(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match stream.try_write(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        outcome => outcome,
    }
}

/// Returns when the viewer closes the connection or sends anything, which no viewer needs to do.
async fn hung_up(stream: &TcpStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        match stream.try_read(&mut [0; 64]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return outcome.map(drop),
        }
    }
}

/// Returns the length of the first request's head and the slug of the poll, if the request is for an event stream and
/// arrived in one piece. Consumes nothing.
async fn event_request(stream: &TcpStream) -> Option<(usize, String)> {
    let readable = tokio::time::timeout(FIRST_BYTES_TIMEOUT, stream.readable());
    readable.await.ok()?.ok()?;
    // On the heap and freed at once, because a task keeps the size of the largest state that it ever waits with.
    let mut head = BytesMut::zeroed(HEAD_BYTES_MAX);
    let length = stream.peek(&mut head).await.ok()?;
    parse(&head[..length])
}

/// Recognises `GET /api/polls/{slug}/events` without a body.
fn parse(head: &[u8]) -> Option<(usize, String)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = request.parse(head).ok()? else { return None };
    let path = request.path?.split('?').next()?;
    let slug = path.strip_prefix("/api/polls/")?.strip_suffix("/events")?;
    let has_body = request.headers.iter().any(|header| {
        header.name.eq_ignore_ascii_case("content-length")
            || header.name.eq_ignore_ascii_case("transfer-encoding")
    });
    // Anything unusual is for hyper, which refuses a request without a host or with two.
    let is_host = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case("host");
    let has_host = request.headers.iter().filter(is_host).count() == 1;
    (request.method == Some("GET") && has_host && !slug.contains('/') && !has_body)
        .then(|| (head_bytes, slug.to_owned()))
}

/// Reads and drops the request's head.
async fn discard(stream: &mut TcpStream, bytes: usize) -> io::Result<()> {
    let mut rest = bytes as u64;
    let mut buffer = Vec::with_capacity(bytes);
    while rest > 0 {
        let read = (&mut *stream).take(rest).read_buf(&mut buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        rest -= read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_request_for_an_event_stream_is_taken_over() {
        let whole = b"GET /api/polls/pets/events?x=1 HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(parse(whole), Some((whole.len(), "pets".to_owned())));
        for other in [
            &whole[..whole.len() - 1],
            b"GET /api/polls/pets/tally HTTP/1.1\r\n\r\n",
            b"GET /api/polls/a/b/events HTTP/1.1\r\n\r\n",
            b"POST /api/polls/pets/events HTTP/1.1\r\n\r\n",
            b"GET /api/polls/pets/events HTTP/1.1\r\ncontent-length: 3\r\n\r\n",
            b"GET /api/polls/pets/events HTTP/1.1\r\n\r\n",
            b"GET /api/polls/pets/events HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n",
            b"\x16\x03\x01\x02\0",
            b"",
        ] {
            assert_eq!(parse(other), None);
        }
    }
}
