//! Viewers: connections that receive every change of one poll as an event stream.
//!
//! A request for an event stream takes its connection away from the HTTP server: the shared frames are written to the bare
//! socket, so a viewer costs about 2 KiB of this process' memory, also on a connection that a proxy has kept alive.
//!
//! Invariant: no frame is queued here for a slow viewer. It receives the newest state once it can read it, and the frames
//! in between are skipped. Only the kernel's send buffer holds older frames; the listener limits it to tens of kilobytes.
//! A viewer that has not read a whole frame within the write time-out is disconnected.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use votestream_service::http;
use votestream_service::listener::budget::Owner;
use votestream_service::listener::{Lease, TakeOver};
use votestream_service::metric::{CounterHandle, HistogramHandle};
use warp::reply::Response;

use crate::board::{Board, BoardEntry};
use crate::metrics;
use crate::seats::Seats;

/// The range of random delays before a browser reconnects, in milliseconds. The delays are spread so that the viewers of
/// a replica that stops do not all arrive at the next one at once.
const RETRY_MS: std::ops::Range<u32> = 500..3_000;

const HEARTBEAT: Bytes = Bytes::from_static(b"event: alive\ndata: {}\n\n");

/// Counts and serves all viewers of this replica; clones share the count and are cheap.
#[derive(Clone)]
pub struct Viewers {
    board: Board,
    seats: Seats,
    write_timeout: Duration,
    metrics: Arc<Metrics>,
}

struct Metrics {
    sent: CounterHandle,
    skipped: CounterHandle,
    delivery: HistogramHandle,
}

impl std::fmt::Debug for Viewers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Viewers({})", self.seats.count())
    }
}

impl Viewers {
    /// Creates the viewers of this board: at most `viewers_max` at once. A viewer that takes longer than `write_timeout` to
    /// read a frame is disconnected.
    pub fn new(board: Board, viewers_max: usize, write_timeout: Duration) -> Self {
        let metrics = Arc::new(Metrics {
            sent: metrics::FRAMES_SENT.handle(),
            skipped: metrics::FRAMES_SKIPPED.handle(),
            delivery: metrics::DELIVERY_SECONDS.handle(),
        });
        metrics::VIEWERS_MAX.set(viewers_max as f64);
        let seats = Seats::new(viewers_max, metrics::VIEWERS.handle());
        Self { board, seats, write_timeout, metrics }
    }

    /// Returns the reply that takes the connection of a client in this network over for a poll's frames. Returns `None` when
    /// the poll is unknown, and `Some(None)` when there is no seat.
    pub fn take_over(&self, slug: &str, owner: Owner) -> Option<Option<Response>> {
        let changes = self.board.watch(slug)?;
        let seat = self.seats.take(owner);
        Some(seat.map(|seat| {
            let (cursor, write_timeout) =
                (Cursor::new(changes, self.metrics.clone()), self.write_timeout);
            TakeOver::reply(move |stream, lease| async move {
                seat.is_served_on(&lease);
                // An error here means that the viewer left or was too slow, which needs no log line.
                let _ = serve(stream, &lease, cursor, write_timeout).await;
                drop(seat);
            })
        }))
    }

    /// Returns whether a poll is known, and if so, whether there is a seat for a client in this network.
    pub fn has_seat(&self, slug: &str, owner: Owner) -> Option<bool> {
        self.board.watch(slug)?;
        Some(self.seats.has_one_for(owner))
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

/// Writes the head of the reply, and then frames until the viewer disconnects, is too slow, or the connection has to end.
async fn serve(
    stream: TcpStream,
    lease: &Lease,
    mut cursor: Cursor,
    time_limit: Duration,
) -> io::Result<()> {
    if !write_all(&stream, lease, http::event_stream_head().as_bytes(), time_limit).await? {
        return Ok(());
    }
    loop {
        let frame = tokio::select! {
            frame = cursor.next() => frame,
            gone = hung_up(&stream) => return gone,
            () = lease.ended() => return Ok(()),
        };
        let Some(frame) = frame else { return Ok(()) };
        let rest = &frame[write_some(&stream, &frame)?..];
        if !rest.is_empty() {
            // The kernel's buffers are full, which costs more memory than a viewer that reads.
            lease.is_slow();
            if !write_all(&stream, lease, rest, time_limit).await? {
                return Ok(());
            }
            lease.is_viewer();
        }
        cursor.written(!rest.is_empty());
    }
}

/// Writes all bytes without copying them into a buffer. Returns false if the connection was told to end first, and an error
/// when the viewer did not read all of them within the time limit.
async fn write_all(
    stream: &TcpStream,
    lease: &Lease,
    bytes: &[u8],
    time_limit: Duration,
) -> io::Result<bool> {
    let rest = &bytes[write_some(stream, bytes)?..];
    if rest.is_empty() {
        return Ok(true);
    }
    // On the heap, because only few viewers are slow: inline, every viewer's task would reserve room for the timer.
    Box::pin(async {
        tokio::select! {
            written = tokio::time::timeout(time_limit, write_slowly(stream, rest)) => written?.map(|()| true),
            () = lease.ended() => Ok(false),
        }
    })
    .await
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
