//! The thread of the viewers, which open event streams and hold them open.
//!
//! A viewer keeps its socket, a few numbers and, at most, a part of one frame, so that ten thousand
//! fit into some ten MiB. All read through one buffer. Only the first viewer of a version decodes
//! its JSON; the others read its version alone.

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

/// The running thread of all viewers.
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
        let thread = thread
            .spawn(move || drive(config, shared))
            .context("cannot start the viewers' thread")?;
        Ok(Self { stats, stop, thread })
    }

    /// Returns the figures of all viewers so far.
    pub(crate) fn stats(&self) -> std::sync::MutexGuard<'_, ViewerStats> {
        lock(&self.stats)
    }

    /// Ends all streams, and returns the figures.
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
    /// Opens the viewers at their rate, so that the target is not hit by all of them at once.
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

    /// Holds a stream open, and opens it again whenever it ends.
    async fn watch(self: Rc<Self>, nth: usize) {
        let mut viewer = Viewer::new(1000);
        let mut rng = Rng::for_index(0x5649_4557, nth as u64);
        loop {
            // The future is boxed so that the memory for connecting, above all for TLS, is freed
            // once the stream is open.
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

    /// Opens a stream and never reads it. A small receive buffer makes the target notice that soon.
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
