//! Viewers: event streams held open, and what they saw.
//!
//! All run on one thread. A viewer keeps its socket, a few numbers and, while a frame is half here,
//! that half: ten thousand fit into some ten MiB. They read through one buffer, and a frame's JSON
//! is decoded once, by the first viewer it reaches; the others look at its version only.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, ready};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::frame::{Chunks, Event, Events};
use crate::histogram::Latencies;
use crate::lane::lock;
use crate::recorder::Recorder;
use crate::reply::{Length, parse_head};
use crate::screen::Screen;
use crate::wire::{Route, Wire};

/// What the viewers' thread is told.
pub(crate) struct Orders {
    pub(crate) route: Route,
    /// The request for the stream.
    pub(crate) request: Vec<u8>,
    /// Viewers who read; the first also watches for the run's ballots.
    pub(crate) watching: usize,
    /// Viewers who never read.
    pub(crate) stalled: usize,
    /// New viewers per second.
    pub(crate) arrivals_per_second: f64,
    pub(crate) clock: Clock,
    pub(crate) interval_us: u64,
    pub(crate) stop: CancellationToken,
}

/// What the viewers have seen so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sights {
    /// Streams open now, the most at a time, and viewers who have had a state.
    pub(crate) open: u64,
    pub(crate) open_max: u64,
    pub(crate) with_state: u64,
    /// Stalled viewers connected.
    pub(crate) stalled: u64,
    pub(crate) reconnects: u64,
    pub(crate) refused: u64,
    pub(crate) connect_failures: u64,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// Frames marked stale, and events of a hidden poll.
    pub(crate) stale_frames: u64,
    pub(crate) hidden: u64,
    /// Frames whose version was below the one before on the same stream.
    pub(crate) regressions: u64,
    /// Silences longer than a heartbeat allows, and the longest, µs.
    pub(crate) gaps: u64,
    pub(crate) silence_max_us: u64,
    /// From the start of the connection to the first state.
    pub(crate) first_state: Latencies,
    /// From the first viewer that had a version to each other one.
    pub(crate) spread: Latencies,
    /// Frames by interval.
    pub(crate) frames_by_interval: Vec<u64>,
    pub(crate) screen: Option<Screen>,
    /// The load's own clock, once that runs; the viewers came before.
    pub(crate) load: Option<Clock>,
    /// Whose acknowledgements the screen waits for.
    pub(crate) lanes: Lanes,
    /// The first few failures, as they came.
    pub(crate) samples: Vec<String>,
}

/// The books of all lanes.
pub(crate) type Lanes = Vec<Arc<Mutex<Recorder>>>;

/// The viewers' thread.
pub(crate) struct Running {
    sights: Arc<Mutex<Sights>>,
    stop: CancellationToken,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Starts all viewers on a thread of their own.
    pub(crate) fn start(orders: Orders) -> anyhow::Result<Self> {
        let sights = Arc::new(Mutex::new(Sights::default()));
        let (shared, stop) = (Arc::clone(&sights), orders.stop.clone());
        let thread = std::thread::Builder::new().name("viewers".to_owned());
        let thread = thread.spawn(move || drive(orders, shared)).context("starting the viewers' thread")?;
        Ok(Self { sights, stop, thread })
    }

    /// What they have seen so far.
    pub(crate) fn sights(&self) -> std::sync::MutexGuard<'_, Sights> {
        lock(&self.sights)
    }

    /// Sends everybody home; gives what they saw.
    pub(crate) fn join(self) -> anyhow::Result<Sights> {
        self.stop.cancel();
        match self.thread.join() {
            Ok(result) => result?,
            Err(_) => anyhow::bail!("the viewers' thread panicked"),
        }
        let mut sights = lock(&self.sights);
        sights.collect();
        Ok(sights.clone())
    }
}

fn drive(orders: Orders, sights: Arc<Mutex<Sights>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    let viewers = orders.watching;
    let house = Rc::new(House {
        heard_us: (0..viewers).map(|_| Cell::new(None)).collect(),
        versions: RefCell::default(),
        buffer: RefCell::new(vec![0; 64 << 10]),
        orders,
        sights,
    });
    tasks.block_on(&runtime, async {
        Rc::clone(&house).admit().await;
        house.orders.stop.cancelled().await;
        house.note_last_silences();
    });
    Ok(())
}

/// Longest silence that heartbeats every 15 s allow, with some slack. Unit: µs.
const SILENCE_US_MAX: u64 = 20_000_000;

/// Versions remembered: more than ten seconds of frames.
const VERSIONS_MAX: usize = 256;

/// What all viewers share.
struct House {
    orders: Orders,
    sights: Arc<Mutex<Sights>>,
    /// The last versions and when the first viewer had them, µs.
    versions: RefCell<VecDeque<(u64, u64)>>,
    /// When each viewer last heard anything, µs; `None` while it has no stream.
    heard_us: Vec<Cell<Option<u64>>>,
    /// What everybody reads into.
    buffer: RefCell<Vec<u8>>,
}

/// One viewer's memory across reconnects.
#[derive(Default)]
struct Viewer {
    version: Option<u64>,
    retry_ms: u64,
    had_state: bool,
}

/// One stream.
struct Stream {
    wire: Wire,
    chunks: Option<Chunks>,
    events: Events,
    opened_us: u64,
    /// Frames so far; the first one after connecting is nobody's news.
    frames: u64,
}

impl House {
    /// Lets the viewers in at their rate, so that the target meets a crowd and not a stampede.
    async fn admit(self: Rc<Self>) {
        let total = self.orders.watching + self.orders.stalled;
        let opened_us = self.orders.clock.now_us();
        let mut admitted = 0;
        while admitted < total && !self.orders.stop.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let seconds = (self.orders.clock.now_us() - opened_us) as f64 / 1e6;
            let due = 1 + (seconds * self.orders.arrivals_per_second) as usize;
            while admitted < due.min(total) {
                let house = Rc::clone(&self);
                if admitted < self.orders.watching {
                    tokio::task::spawn_local(house.watch(admitted));
                } else {
                    tokio::task::spawn_local(house.stall());
                }
                admitted += 1;
            }
        }
    }

    /// Holds a stream, and opens it again whenever it ends.
    async fn watch(self: Rc<Self>, seat: usize) {
        let mut viewer = Viewer { retry_ms: 1000, ..Viewer::default() };
        let mut chance = Chance::of(0x5649_4557, seat as u64);
        loop {
            match self.open(&viewer).await {
                Ok(mut stream) => {
                    self.enter();
                    self.follow(&mut viewer, &mut stream, seat).await;
                    self.heard_us[seat].set(None);
                    let mut sights = lock(&self.sights);
                    sights.open -= 1;
                    sights.reconnects += 1;
                }
                Err(error) => self.note_failure(&error),
            }
            let jitter = 0.5 + chance.unit();
            tokio::time::sleep(Duration::from_millis(viewer.retry_ms).mul_f64(jitter)).await;
        }
    }

    /// Opens a stream and leaves it unread, with little room for the target to write into.
    async fn stall(self: Rc<Self>) {
        match self.orders.route.connect_with(Some(4096)).await {
            Ok(mut wire) => {
                if wire.write_all(&self.orders.request).await.is_ok() && wire.flush().await.is_ok() {
                    lock(&self.sights).stalled += 1;
                }
                std::future::pending::<()>().await;
            }
            Err(error) => self.note_failure(&error),
        }
    }

    /// Connects and reads up to the end of the reply's head.
    async fn open(&self, viewer: &Viewer) -> io::Result<Stream> {
        let opened_us = self.orders.clock.now_us();
        let mut wire = self.orders.route.connect().await?;
        let request = &self.orders.request;
        match viewer.version {
            None => wire.write_all(request).await?,
            Some(version) => {
                let mut again = request[..request.len() - 2].to_vec();
                again.extend_from_slice(format!("last-event-id: {version}\r\n\r\n").as_bytes());
                wire.write_all(&again).await?;
            }
        }
        wire.flush().await?;
        let mut stream = Stream { wire, chunks: None, events: Events::default(), opened_us, frames: 0 };
        let mut head = Vec::new();
        loop {
            self.read(&mut stream.wire, |bytes| head.extend_from_slice(bytes)).await?;
            let parsed = parse_head(&head).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let Some(parsed) = parsed else { continue };
            if parsed.status != 200 {
                lock(&self.sights).refused += 1;
                return Err(io::Error::other(format!("status {}", parsed.status)));
            }
            stream.chunks = (parsed.length == Length::Chunked).then(Chunks::default);
            if head.len() > parsed.bytes {
                // What came behind the head belongs to the stream: give it back as its start.
                stream.events = Events::default();
                let rest = head.split_off(parsed.bytes);
                return Ok(self.begun(stream, &rest));
            }
            return Ok(stream);
        }
    }

    /// Keeps content that came together with the head for the first [`Self::follow`].
    fn begun(&self, mut stream: Stream, rest: &[u8]) -> Stream {
        let mut early = Vec::new();
        match &mut stream.chunks {
            Some(chunks) => {
                chunks.feed(rest, |bytes| early.extend_from_slice(bytes));
            }
            None => early.extend_from_slice(rest),
        }
        stream.events.keep(early);
        stream
    }

    /// Reads the stream to its end.
    async fn follow(&self, viewer: &mut Viewer, stream: &mut Stream, seat: usize) {
        let Stream { wire, chunks, events, opened_us, frames } = stream;
        let mut take = |bytes: &[u8], heard: bool| {
            let now_us = self.orders.clock.now_us();
            if heard {
                self.hear(seat, now_us, bytes.len());
            }
            events.feed(bytes, |event| {
                if self.see(viewer, &event, now_us, *opened_us, *frames, seat) {
                    *frames += 1;
                }
            });
        };
        take(&[], false); // what came together with the head
        loop {
            let mut goes_on = true;
            let read = self.read(wire, |bytes| match chunks {
                Some(chunks) => goes_on = chunks.feed(bytes, |content| take(content, true)),
                None => take(bytes, true),
            });
            if read.await.is_err() || !goes_on {
                return;
            }
        }
    }

    /// Waits for bytes and hands them out of the shared buffer.
    async fn read(&self, wire: &mut Wire, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        poll_fn(|cx| {
            let mut buffer = self.buffer.borrow_mut();
            let mut filled = ReadBuf::new(&mut buffer);
            ready!(Pin::new(&mut *wire).poll_read(cx, &mut filled))?;
            if filled.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            each(filled.filled());
            Poll::Ready(Ok(()))
        })
        .await
    }

    fn enter(&self) {
        let mut sights = lock(&self.sights);
        sights.open += 1;
        sights.open_max = sights.open_max.max(sights.open);
    }

    fn hear(&self, seat: usize, now_us: u64, bytes: usize) {
        let heard = self.heard_us[seat].replace(Some(now_us));
        let mut sights = lock(&self.sights);
        sights.bytes += bytes as u64;
        if let Some(heard_us) = heard {
            sights.silence(now_us - heard_us);
        }
    }

    /// Takes in one event; `true` for a tally.
    fn see(&self, viewer: &mut Viewer, event: &Event<'_>, now_us: u64, opened_us: u64, frames: u64, seat: usize) -> bool {
        if let Some(retry_ms) = event.retry_ms {
            viewer.retry_ms = retry_ms.min(30_000);
        }
        let (Some(version), "tally") = (event.version, event.name) else {
            if event.name == "hidden" {
                lock(&self.sights).hidden += 1;
            }
            return false;
        };
        let mut sights = lock(&self.sights);
        sights.frames += 1;
        sights.book_frame(self.orders.interval_us);
        if frames == 0 {
            sights.first_state.record(now_us - opened_us);
            sights.with_state += u64::from(!viewer.had_state);
            viewer.had_state = true;
        } else if viewer.version.is_some_and(|before| version < before) {
            sights.regressions += 1;
        }
        let first_us = self.first_seen(&mut sights, version, event.data, now_us);
        if frames > 0 && viewer.version.is_some_and(|before| version > before) {
            sights.spread.record(now_us - first_us);
        }
        if seat == 0 {
            sights.watch_screen(event.data);
        }
        viewer.version = Some(version);
        true
    }

    /// When the first viewer had this version; notes and decodes it if that is now.
    fn first_seen(&self, sights: &mut Sights, version: u64, data: &[u8], now_us: u64) -> u64 {
        let mut versions = self.versions.borrow_mut();
        if let Some((_, first_us)) = versions.iter().rev().find(|(known, _)| *known == version) {
            return *first_us;
        }
        if versions.len() == VERSIONS_MAX {
            versions.pop_front();
        }
        versions.push_back((version, now_us));
        match serde_json::from_slice::<Shown>(data) {
            Ok(shown) => sights.stale_frames += u64::from(shown.stale),
            Err(error) => sights.sample(format!("a frame is not the JSON this tool knows: {error}")),
        }
        now_us
    }

    fn note_failure(&self, error: &io::Error) {
        let mut sights = lock(&self.sights);
        sights.connect_failures += 1;
        sights.sample(format!("no stream: {error}"));
    }

    /// Counts the silences that last until the end.
    fn note_last_silences(&self) {
        let now_us = self.orders.clock.now_us();
        let mut sights = lock(&self.sights);
        for heard_us in self.heard_us.iter().filter_map(Cell::get) {
            sights.silence(now_us.saturating_sub(heard_us));
        }
    }
}

/// What a viewer reads of a frame.
#[derive(Deserialize)]
struct Shown {
    voters: u64,
    #[serde(default)]
    stale: bool,
}

impl Sights {
    fn silence(&mut self, us: u64) {
        self.silence_max_us = self.silence_max_us.max(us);
        self.gaps += u64::from(us > SILENCE_US_MAX);
    }

    fn book_frame(&mut self, interval_us: u64) {
        let Some(load) = self.load else { return };
        let at = usize::try_from(load.now_us() / interval_us).unwrap_or(usize::MAX).min(4096);
        if at >= self.frames_by_interval.len() {
            self.frames_by_interval.resize(at + 1, 0);
        }
        self.frames_by_interval[at] += 1;
    }

    fn watch_screen(&mut self, data: &[u8]) {
        self.collect();
        let (Some(screen), Some(load)) = (&mut self.screen, self.load) else { return };
        let Ok(shown) = serde_json::from_slice::<Shown>(data) else { return };
        screen.frame(shown.voters, load.now_us());
    }

    /// Takes in what the lanes had acknowledged since the last time.
    pub(crate) fn collect(&mut self) {
        if let Some(screen) = &mut self.screen {
            for lane in &self.lanes {
                screen.acknowledge(std::mem::take(&mut lock(lane).acknowledgements));
            }
        }
    }

    fn sample(&mut self, what: String) {
        if self.samples.len() < 8 && !self.samples.contains(&what) {
            self.samples.push(what);
        }
    }
}
