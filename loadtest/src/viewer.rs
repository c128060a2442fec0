//! Viewers: event streams held open, and what they saw.
//!
//! All run on one thread. A viewer keeps its socket, a few numbers and, while a frame is half here,
//! that half: ten thousand fit into some ten MiB. They read through one buffer, and a frame's JSON
//! is decoded once, by the first viewer it reaches; the others look at its version only.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::AsyncWriteExt as _;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::frame::Event;
use crate::lane::lock;
use crate::sights::{Shown, Sights};
use crate::wire::Route;

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
        let thread =
            thread.spawn(move || drive(orders, shared)).context("starting the viewers' thread")?;
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

/// Versions remembered: more than ten seconds of frames.
const VERSIONS_MAX: usize = 256;

/// What all viewers share.
pub(crate) struct House {
    pub(crate) orders: Orders,
    pub(crate) sights: Arc<Mutex<Sights>>,
    /// The last versions and when the first viewer had them, µs.
    versions: RefCell<VecDeque<(u64, u64)>>,
    /// When each viewer last heard anything, µs; `None` while it has no stream.
    heard_us: Vec<Cell<Option<u64>>>,
    /// What everybody reads into.
    pub(crate) buffer: RefCell<Vec<u8>>,
}

/// One viewer's memory across reconnects.
#[derive(Default)]
pub(crate) struct Viewer {
    pub(crate) version: Option<u64>,
    retry_ms: u64,
    had_state: bool,
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
            // Boxed: what connecting takes (TLS above all) is not kept for the life of the stream.
            match Box::pin(self.open(&viewer)).await {
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
        match Box::pin(self.orders.route.connect_with(Some(4096))).await {
            Ok(mut wire) => {
                if wire.write_all(&self.orders.request).await.is_ok() && wire.flush().await.is_ok()
                {
                    lock(&self.sights).stalled += 1;
                }
                std::future::pending::<()>().await;
            }
            Err(error) => self.note_failure(&error),
        }
    }

    fn enter(&self) {
        let mut sights = lock(&self.sights);
        sights.open += 1;
        sights.open_max = sights.open_max.max(sights.open);
    }

    pub(crate) fn hear(&self, seat: usize, now_us: u64, bytes: usize) {
        let heard = self.heard_us[seat].replace(Some(now_us));
        let mut sights = lock(&self.sights);
        sights.bytes += bytes as u64;
        if let Some(heard_us) = heard {
            sights.silence(now_us - heard_us);
        }
    }

    /// Takes in one event; `true` for a tally.
    pub(crate) fn see(
        &self,
        viewer: &mut Viewer,
        event: &Event<'_>,
        now_us: u64,
        opened_us: u64,
        frames: u64,
        seat: usize,
    ) -> bool {
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
            Err(error) => {
                sights.sample(format!("a frame is not the JSON this tool knows: {error}"));
            }
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
