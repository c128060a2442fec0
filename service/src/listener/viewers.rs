//! Viewers: connections that receive every change of one state as an event stream.
//!
//! A request for an event stream takes its connection away from the HTTP server: the shared frames are written to the bare
//! socket, so a viewer costs about 2 KiB of this process' memory, also on a connection that a proxy has kept alive.
//!
//! Invariant: no frame is queued here for a slow viewer. It receives the newest state once it can read it, and the frames
//! in between are skipped. Only the kernel's send buffer holds older frames; the listener limits it to tens of kilobytes.
//! A viewer that has not read a whole frame within the write time-out is disconnected.
//!
//! Absent on purpose: what a frame says. The dashboard sends tallies, the producer the states of polls.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use warp::reply::Response;

use super::budget::Owner;
use super::connections::Lease;
use super::seats::{Seat, Seats};
use super::take_over::TakeOver;
use crate::http;
use crate::metric::{CounterHandle, GaugeHandle, HistogramHandle};

/// The period in which the changes of a frame were committed, bounded by two reads.
#[derive(Clone, Copy, Debug)]
pub struct ReadWindow {
    /// When the read began that found the changes.
    pub began: Instant,
    /// When the read before it began, which did not find them; `None` for the first read.
    pub previous_began: Option<Instant>,
}

/// A state that viewers receive, frame by frame.
pub trait Shown: Send + Sync + 'static {
    /// The state as an event of the stream, rendered once for all viewers.
    fn frame(&self) -> Bytes;

    /// The state for a viewer who has just come.
    fn first_frame(&self) -> Bytes {
        self.frame()
    }

    /// Grows by one with every frame; a viewer that sees it grow by more has skipped frames.
    fn sequence(&self) -> u64;

    /// Grows by one whenever viewers are to be sent a sign of life.
    fn heartbeats(&self) -> u64;

    /// The sign of life.
    fn heartbeat(&self) -> Bytes;

    /// The reads between which the frame's changes were committed; `None` when that is not known.
    fn window(&self) -> Option<ReadWindow> {
        None
    }
}

/// The sign of life of every stream: an event with the time of the server, given in RFC 3339 form.
pub fn sign_of_life(now: &str) -> Bytes {
    format!("event: alive\ndata: {{\"now\":\"{now}\"}}\n\n").into()
}

/// What is measured of the viewers of one service.
#[derive(Clone, Debug)]
pub struct ViewerMetrics {
    /// Event streams that are open now.
    pub viewers: GaugeHandle,
    /// What is measured of their frames, if anything.
    pub frames: Option<FrameMetrics>,
}

/// What is measured of frames.
#[derive(Clone, Debug)]
pub struct FrameMetrics {
    /// Frames written, each counted once per viewer.
    pub sent: CounterHandle,
    /// Frames that slow viewers did not receive because a newer one replaced them.
    pub skipped: CounterHandle,
    /// Delay of a frame, from the last read that did not find its changes until it was written.
    pub delivery: HistogramHandle,
}

/// Counts and serves all viewers of this replica; clones share the count and are cheap.
#[derive(Clone)]
pub struct Viewers {
    seats: Seats,
    write_timeout: Duration,
    retry_ms: Range<u32>,
    frames: Option<Arc<FrameMetrics>>,
}

impl std::fmt::Debug for Viewers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Viewers({})", self.seats.count())
    }
}

impl Viewers {
    /// Allows at most `viewers_max` viewers at once. A viewer that takes longer than `write_timeout` to read a frame is
    /// disconnected. A browser whose stream ends comes back after a random delay from `retry_ms`, in milliseconds, so that the
    /// viewers of a replica that stops do not all arrive at the next one at once.
    pub fn new(
        metrics: ViewerMetrics,
        viewers_max: usize,
        write_timeout: Duration,
        retry_ms: Range<u32>,
    ) -> Self {
        let seats = Seats::new(viewers_max, metrics.viewers);
        Self { seats, write_timeout, retry_ms, frames: metrics.frames.map(Arc::new) }
    }

    /// Returns the reply that takes the connection of a client in this network over for these states; `None` when there is no
    /// seat.
    pub fn take_over<S: Shown>(
        &self,
        changes: watch::Receiver<S>,
        owner: Owner,
    ) -> Option<Response> {
        let seat = self.seats.take(owner)?;
        let retry_ms = rand::rng().random_range(self.retry_ms.clone());
        let cursor = Cursor::new(changes, self.frames.clone(), retry_ms);
        let write_timeout = self.write_timeout;
        Some(TakeOver::reply(move |stream, lease| {
            seat.is_served_on(&lease);
            let viewer = Box::new(Viewer { stream, lease, cursor, write_timeout, _seat: seat });
            async move {
                // An error here means that the viewer left or was too slow, which needs no log line.
                let _ = viewer.serve().await;
            }
        }))
    }

    /// Returns whether there is a seat for a client in this network.
    pub fn has_seat(&self, owner: Owner) -> bool {
        self.seats.has_one_for(owner)
    }
}

/// The position of one viewer in the sequence of frames.
struct Cursor<S> {
    changes: watch::Receiver<S>,
    frames: Option<Arc<FrameMetrics>>,
    /// The delay after which the browser comes back when the stream ends, in milliseconds.
    retry_ms: u32,
    /// The sequence number of the last frame and the number of heartbeats; `None` before the first frame.
    seen: Option<(u64, u64)>,
    /// When the read began that the last frame came from.
    last_read_began: Option<Instant>,
    /// The earliest time at which a change in the frame being written may have been committed.
    committed_after: Option<Instant>,
    /// Whether the last write had to wait for the viewer.
    slow: bool,
}

impl<S: Shown> Cursor<S> {
    fn new(changes: watch::Receiver<S>, frames: Option<Arc<FrameMetrics>>, retry_ms: u32) -> Self {
        Self {
            changes,
            frames,
            retry_ms,
            seen: None,
            last_read_began: None,
            committed_after: None,
            slow: false,
        }
    }

    /// Waits for the next bytes to send; the first call returns at once. Returns `None` when the replica stops.
    async fn next(&mut self) -> Option<Bytes> {
        let Some((sequence, heartbeats)) = self.seen else {
            let shown = self.changes.borrow_and_update();
            self.seen = Some((shown.sequence(), shown.heartbeats()));
            self.last_read_began = shown.window().map(|window| window.began);
            if let Some(frames) = &self.frames {
                frames.sent.increment(1);
            }
            let retry = format!("retry: {}\n\n", self.retry_ms);
            return Some([retry.as_bytes(), &shown.first_frame()].concat().into());
        };
        loop {
            self.changes.changed().await.ok()?;
            let shown = self.changes.borrow_and_update();
            let (now, beats) = (shown.sequence(), shown.heartbeats());
            self.seen = Some((now, beats));
            if now != sequence {
                let skipped = now.saturating_sub(sequence + 1);
                if let Some(frames) = &self.frames {
                    frames.sent.increment(1);
                    frames.skipped.increment(skipped);
                }
                // When frames were skipped, their changes are in this one too, so it may hold anything since the
                // last frame that this viewer received.
                let window = shown.window();
                let previous_began = window.and_then(|window| window.previous_began);
                self.committed_after =
                    if skipped > 0 { self.last_read_began } else { previous_began };
                self.last_read_began = window.map(|window| window.began);
                return Some(shown.frame());
            }
            if beats != heartbeats {
                return Some(shown.heartbeat());
            }
        }
    }

    /// Records the delivery time of the bytes from [`Cursor::next`], which are written now. Writes that had to wait for
    /// the viewer, this time or the time before, are left out.
    fn written(&mut self, waited: bool) {
        let committed_after = self.committed_after.take().filter(|_| !waited && !self.slow);
        if let (Some(committed_after), Some(frames)) = (committed_after, &self.frames) {
            frames.delivery.record(committed_after.elapsed());
        }
        self.slow = waited;
    }
}

/// All that lives as long as a viewer's stream. It has a block of its own, because an async function keeps room for each of its
/// arguments twice.
struct Viewer<S> {
    stream: TcpStream,
    lease: Arc<Lease>,
    cursor: Cursor<S>,
    write_timeout: Duration,
    _seat: Seat,
}

impl<S: Shown> Viewer<S> {
    /// Writes the head of the reply, and then frames until the viewer disconnects, is too slow, or the connection has to end.
    async fn serve(mut self: Box<Self>) -> io::Result<()> {
        let Self { stream, lease, cursor, write_timeout, .. } = &mut *self;
        let time_limit = *write_timeout;
        if !write_all(stream, lease, http::event_stream_head().as_bytes(), time_limit).await? {
            return Ok(());
        }
        loop {
            let frame = tokio::select! {
                frame = cursor.next() => frame,
                gone = hung_up(stream) => return gone,
                () = lease.ended() => return Ok(()),
            };
            let Some(frame) = frame else { return Ok(()) };
            let rest = &frame[write_some(stream, &frame)?..];
            if !rest.is_empty() {
                // The kernel's buffers are full, which costs more memory than a viewer that reads.
                lease.is_slow();
                if !write_all(stream, lease, rest, time_limit).await? {
                    return Ok(());
                }
                lease.is_viewer();
            }
            cursor.written(!rest.is_empty());
        }
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

/// Returns when the viewer closes the connection or sends anything, which no viewer needs to do. The socket remembers one task
/// that waits for this, so nothing is kept here.
async fn hung_up(stream: &TcpStream) -> io::Result<()> {
    std::future::poll_fn(|context| {
        loop {
            std::task::ready!(stream.poll_read_ready(context))?;
            match stream.try_read(&mut [0; 64]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome.map(drop)),
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Shown for Nothing {
        fn frame(&self) -> Bytes {
            Bytes::new()
        }

        fn sequence(&self) -> u64 {
            0
        }

        fn heartbeats(&self) -> u64 {
            0
        }

        fn heartbeat(&self) -> Bytes {
            Bytes::new()
        }
    }

    /// Beside these blocks a stream has its task, its entry in the account of connections, and what the runtime keeps of its
    /// socket: some 700 bytes.
    #[test]
    fn a_stream_keeps_few_bytes_for_itself() {
        fn bytes_of<F, R>(_: fn(F) -> R) -> usize {
            std::mem::size_of::<R>()
        }
        let (viewer, future) =
            (std::mem::size_of::<Viewer<Nothing>>(), bytes_of(Viewer::<Nothing>::serve));
        assert!(viewer <= 208 && future <= 376, "{viewer} and {future} bytes");
    }
}
