//! Viewers: connections that are sent every change of one poll.
//!
//! A viewer whose first request is for an event stream leaves HTTP behind: its bare socket is
//! written the shared frames, which keeps it at about 2 KiB. A stream that is asked for later on a
//! connection kept alive goes through warp, with the same frames and more memory.
//!
//! Invariant: no frame is queued here for a slow viewer: it is told the newest state once it can take it,
//! and the frames in between are skipped. What the kernel has taken is sent first; the listener keeps that at
//! tens of kilobytes. A viewer that has not taken a frame after the write time-out is sent away; on a connection
//! that HTTP keeps, one that has taken nothing of it.

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

use crate::board::{Board, Shown};
use crate::metrics;

/// The most bytes looked at to tell an event stream from other requests.
const HEAD_BYTES_MAX: usize = 4096;
/// How long a first request may take to arrive before it is left to HTTP, which has its own limit.
const FIRST_BYTES_WITHIN: Duration = Duration::from_secs(15);
/// Between which times a viewer comes back after a lost stream, in milliseconds: spread out, so that
/// a replica that stops does not send all its viewers to the next at once.
const RETRY_MS: std::ops::Range<u32> = 500..3_000;

const HEARTBEAT: Bytes = Bytes::from_static(b": \n\n");

/// All viewers of this replica; cheap to clone.
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

/// The right to be a viewer; given back on drop.
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
    /// At most `viewers_max` viewers of this board, until `stopping`; each takes a frame within
    /// `write_timeout`.
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

    /// Takes over a fresh connection if it asks for an event stream that there is, and a seat is
    /// free; all else is left to HTTP.
    pub async fn intercept(
        self,
        mut stream: TcpStream,
        _: PeerAddr,
        permit: Permit,
    ) -> Intercepted {
        // Browsers open connections in advance; a replica that stops does not wait for their use.
        let asked = tokio::select! {
            () = self.stopping.cancelled() => None,
            asked = asks_for_events(&stream) => asked,
        };
        let Some((head_bytes, slug)) = asked else {
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
        // A task of its own, for it to be no larger than it must.
        tokio::spawn(async move {
            // The viewer went away or was too slow: nothing to be told to anybody.
            let _ = serve(stream, cursor, write_timeout).await;
            drop(seat);
            drop(permit);
        });
        Intercepted::Taken
    }

    /// The frames of a poll, for a connection that HTTP keeps; `None` when there is no such poll,
    /// `Some(None)` when there is no seat.
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

    fn seat(&self) -> Option<Seat> {
        if self.count.fetch_add(1, Ordering::Relaxed) >= self.viewers_max {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.metrics.viewers.increment(1.0);
        Some(Seat { count: self.count.clone(), viewers: self.metrics.viewers.clone() })
    }
}

/// What one viewer has been told.
struct Cursor {
    changes: watch::Receiver<Shown>,
    metrics: Arc<Metrics>,
    /// Sequence of the last frame, and heartbeats seen; `None` before the first frame.
    seen: Option<(u64, u64)>,
    /// When the last frame's tallies were looked at.
    looked_at: Option<Instant>,
    /// Since when the frame being written may have been due.
    due: Option<Instant>,
    /// Whether the last write had to wait for the viewer.
    slow: bool,
}

impl Cursor {
    fn new(changes: watch::Receiver<Shown>, metrics: Arc<Metrics>) -> Self {
        Self { changes, metrics, seen: None, looked_at: None, due: None, slow: false }
    }

    /// What to send next, at once the first time; `None` when the replica stops.
    async fn next(&mut self) -> Option<Bytes> {
        let Some((sequence, heartbeats)) = self.seen else {
            let shown = self.changes.borrow_and_update();
            self.seen = Some((shown.sequence, shown.heartbeats));
            self.looked_at = shown.look.map(|look| look.at);
            self.metrics.sent.increment(1);
            let retry = format!("retry: {}\n\n", rand::rng().random_range(RETRY_MS));
            return Some([retry.as_bytes(), &shown.frame].concat().into());
        };
        loop {
            self.changes.changed().await.ok()?;
            let shown = self.changes.borrow_and_update();
            self.seen = Some((shown.sequence, shown.heartbeats));
            if shown.sequence != sequence {
                self.metrics.sent.increment(1);
                let skipped = shown.sequence.saturating_sub(sequence + 1);
                self.metrics.skipped.increment(skipped);
                // What a skipped frame would have told is new since the last one that was taken.
                let before = shown.look.and_then(|look| look.before);
                self.due = if skipped > 0 { self.looked_at } else { before };
                self.looked_at = shown.look.map(|look| look.at);
                return Some(shown.frame.clone());
            }
            if shown.heartbeats != heartbeats {
                return Some(HEARTBEAT);
            }
        }
    }

    /// Measures what [`Cursor::next`] gave, now that it is written, unless the viewer itself was
    /// waited for, then or the time before.
    fn written(&mut self, waited: bool) {
        if let Some(due) = self.due.take().filter(|_| !waited && !self.slow) {
            self.metrics.delivery.record(due.elapsed());
        }
        self.slow = waited;
    }
}

/// Takes the request and begins the reply.
async fn greet(stream: &mut TcpStream, head_bytes: usize, within: Duration) -> io::Result<()> {
    discard(stream, head_bytes).await?;
    write_all(stream, http::event_stream_head().as_bytes(), within).await.map(drop)
}

async fn serve(stream: TcpStream, mut cursor: Cursor, within: Duration) -> io::Result<()> {
    loop {
        let frame = tokio::select! {
            frame = cursor.next() => frame,
            gone = hung_up(&stream) => return gone,
        };
        let Some(frame) = frame else { return Ok(()) };
        let waited = write_all(&stream, &frame, within).await?;
        cursor.written(waited);
    }
}

/// Writes without a buffer of its own; a viewer that does not read holds up nobody but itself, and
/// is an error when it has not taken all of it in time. Whether the viewer had to be waited for.
async fn write_all(stream: &TcpStream, bytes: &[u8], within: Duration) -> io::Result<bool> {
    let rest = &bytes[write_some(stream, bytes)?..];
    if rest.is_empty() {
        return Ok(false);
    }
    // On the heap: room for a timer, in each task, would be for the few viewers that are slow.
    Box::pin(tokio::time::timeout(within, write_slowly(stream, rest))).await??;
    Ok(true)
}

async fn write_slowly(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        bytes = &bytes[write_some(stream, bytes)?..];
    }
    Ok(())
}

/// How much of it the kernel takes now.
fn write_some(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match stream.try_write(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        outcome => outcome,
    }
}

/// Resolves when the viewer closes, or says something that no viewer has to say.
async fn hung_up(stream: &TcpStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        match stream.try_read(&mut [0; 64]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return outcome.map(drop),
        }
    }
}

/// The length of the first request's head and the poll it asks for, if it is for an event stream and
/// came in one piece. Nothing is consumed.
async fn asks_for_events(stream: &TcpStream) -> Option<(usize, String)> {
    let readable = tokio::time::timeout(FIRST_BYTES_WITHIN, stream.readable());
    readable.await.ok()?.ok()?;
    // On the heap, and gone at once: a task is as large as the largest thing it holds while waiting.
    let mut head = BytesMut::zeroed(HEAD_BYTES_MAX);
    let length = stream.peek(&mut head).await.ok()?;
    parse(&head[..length])
}

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
    (request.method == Some("GET") && !slug.contains('/') && !has_body)
        .then(|| (head_bytes, slug.to_owned()))
}

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
            b"\x16\x03\x01\x02\0",
            b"",
        ] {
            assert_eq!(parse(other), None);
        }
    }
}
