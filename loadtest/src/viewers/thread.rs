//! Viewers: event streams held open, and what they saw.
//!
//! All run on one thread. A viewer keeps its socket, a few numbers and, while a frame is half here,
//! that half: ten thousand fit into some ten MiB. They read through one buffer, and a frame's JSON
//! is decoded once, by the first viewer it reaches; the others look at its version only.

use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::AsyncWriteExt as _;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use crate::lock::lock;
use crate::rng::Rng;
use crate::viewers::audience::{Audience, Viewer, ViewersConfig};
use crate::viewers::stats::ViewerStats;

/// The viewers' thread.
pub(crate) struct ViewersThread {
    stats: Arc<Mutex<ViewerStats>>,
    stop: CancellationToken,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl ViewersThread {
    /// Starts all viewers on a thread of their own.
    pub(crate) fn start(config: ViewersConfig) -> anyhow::Result<Self> {
        let stats = Arc::new(Mutex::new(ViewerStats::default()));
        let (shared, stop) = (Arc::clone(&stats), config.stop.clone());
        let thread = std::thread::Builder::new().name("viewers".to_owned());
        let thread =
            thread.spawn(move || drive(config, shared)).context("starting the viewers' thread")?;
        Ok(Self { stats, stop, thread })
    }

    /// What they have seen so far.
    pub(crate) fn stats(&self) -> std::sync::MutexGuard<'_, ViewerStats> {
        lock(&self.stats)
    }

    /// Sends everybody home; gives what they saw.
    pub(crate) fn join(self) -> anyhow::Result<ViewerStats> {
        self.stop.cancel();
        match self.thread.join() {
            Ok(result) => result?,
            Err(_) => anyhow::bail!("the viewers' thread panicked"),
        }
        let mut stats = lock(&self.stats);
        stats.collect();
        Ok(stats.clone())
    }
}

fn drive(config: ViewersConfig, stats: Arc<Mutex<ViewerStats>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    let audience = Rc::new(Audience::new(config, stats));
    tasks.block_on(&runtime, async {
        Rc::clone(&audience).admit().await;
        audience.config.stop.cancelled().await;
        audience.note_last_silences();
    });
    Ok(())
}

impl Audience {
    /// Lets the viewers in at their rate, so that the target meets a crowd and not a stampede.
    async fn admit(self: Rc<Self>) {
        let total = self.config.watching + self.config.stalled;
        let opened_us = self.config.clock.now_us();
        let mut admitted = 0;
        while admitted < total && !self.config.stop.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let seconds = (self.config.clock.now_us() - opened_us) as f64 / 1e6;
            let due = 1 + (seconds * self.config.arrivals_per_second) as usize;
            while admitted < due.min(total) {
                let audience = Rc::clone(&self);
                if admitted < self.config.watching {
                    tokio::task::spawn_local(audience.watch(admitted));
                } else {
                    tokio::task::spawn_local(audience.stall());
                }
                admitted += 1;
            }
        }
    }

    /// Holds a stream, and opens it again whenever it ends.
    async fn watch(self: Rc<Self>, nth: usize) {
        let mut viewer = Viewer { retry_ms: 1000, ..Viewer::default() };
        let mut rng = Rng::for_index(0x5649_4557, nth as u64);
        loop {
            // Boxed: what connecting takes (TLS above all) is not kept for the life of the stream.
            match Box::pin(self.open(&viewer)).await {
                Ok(mut stream) => {
                    self.enter();
                    self.follow(&mut viewer, &mut stream, nth).await;
                    self.leave(nth);
                }
                Err(error) => self.note_failure(&error),
            }
            let jitter = 0.5 + rng.unit();
            tokio::time::sleep(Duration::from_millis(viewer.retry_ms).mul_f64(jitter)).await;
        }
    }

    /// Opens a stream and leaves it unread, with little room for the target to write into.
    async fn stall(self: Rc<Self>) {
        match Box::pin(self.config.endpoint.connect_with(Some(4096))).await {
            Ok(mut wire) => {
                if wire.write_all(&self.config.request).await.is_ok() && wire.flush().await.is_ok()
                {
                    lock(&self.stats).stalled += 1;
                }
                std::future::pending::<()>().await;
            }
            Err(error) => self.note_failure(&error),
        }
    }
}
