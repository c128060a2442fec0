//! One thread of the generator: its part of the timetable, its connections, its recorder.
//!
//! A slice shares nothing with other lanes but the target, so threads of one process divide the work
//! exactly as shards of several processes do. Everything on it runs on a single-threaded runtime:
//! no locks are contended, no task moves between cores.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use crate::http::connection::Connection;
use crate::http::endpoint::Endpoint;
use crate::lock::lock;
use crate::measure::clock::Clock;
use crate::plan::arrivals::{Arrival, Arrivals};
use crate::plan::shard::Slice;
use crate::plan::timetable::Plan;
use crate::voters::crowd::Crowd;
use crate::voters::requests::Requests;
use crate::workers::dispatcher::{Dispatcher, IdleConnection};
use crate::workers::journal::Journal;
use crate::workers::precise_timer::PreciseTimer;
use crate::workers::recorder::Recorder;
use crate::workers::session::Sessions;

/// What a slice is told before it starts.
#[derive(Clone)]
pub(crate) struct WorkerConfig {
    pub(crate) plan: Arc<Plan>,
    /// Closed model: this many connections without a pause, instead of the plan's rate.
    pub(crate) closed: Option<usize>,
    /// Closed model: no voter beyond this number.
    pub(crate) voters_max: u64,
    pub(crate) crowd: Crowd,
    pub(crate) endpoint: Endpoint,
    pub(crate) clock: Clock,
    /// Most connections at a time.
    pub(crate) connections_max: usize,
    pub(crate) reply_time_max: Duration,
    pub(crate) journal: Option<Arc<Journal>>,
    /// Ends the load early.
    pub(crate) stop: CancellationToken,
}

/// A running slice.
pub(crate) struct WorkerThread {
    recorder: Arc<Mutex<Recorder>>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl WorkerThread {
    /// Starts the slice on a thread of its own.
    pub(crate) fn start(
        config: WorkerConfig,
        slice: Slice,
        recorder: Recorder,
    ) -> anyhow::Result<Self> {
        let recorder = Arc::new(Mutex::new(recorder));
        let shared = Arc::clone(&recorder);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{}", slice.nth))
            .spawn(move || drive(&config, slice, shared))
            .context("starting a generator thread")?;
        Ok(Self { recorder, thread })
    }

    /// The slice's figures so far.
    pub(crate) fn figures(&self) -> MutexGuard<'_, Recorder> {
        lock(&self.recorder)
    }

    /// A handle on the slice's figures for other threads.
    pub(crate) fn recorder(&self) -> Arc<Mutex<Recorder>> {
        Arc::clone(&self.recorder)
    }

    /// Whether all its voters are through.
    pub(crate) fn is_through(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end (at once after [`Self::is_through`]); gives the figures.
    pub(crate) fn join(self) -> anyhow::Result<Recorder> {
        match self.thread.join() {
            Ok(result) => result?,
            Err(_) => anyhow::bail!("a generator thread panicked"),
        }
        Ok(lock(&self.recorder).clone())
    }
}

fn drive(
    config: &WorkerConfig,
    slice: Slice,
    recorder: Arc<Mutex<Recorder>>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let worker = Rc::new(Worker {
        sessions: Sessions {
            requests: Requests::new(&config.endpoint.target, &config.crowd.poll),
            recorder,
            crowd: config.crowd.clone(),
            clock: config.clock,
            reply_time_max: config.reply_time_max,
            journal: config.journal.clone(),
            ends_us: if config.closed.is_some() { Vec::new() } else { config.plan.ends_us() },
        },
        endpoint: Arc::new(config.endpoint.clone()),
        dispatcher: Dispatcher::default(),
        open: Cell::new(0),
    });
    let local = LocalSet::new();
    let done = local.block_on(&runtime, async {
        match config.closed {
            Some(connections) => worker.run_closed(config, slice, connections).await,
            None => worker.run_open(config, slice).await,
        }
    });
    worker.sessions.recorder().cpu = crate::measure::machine::thread_time();
    done
}

/// A slice at work.
struct Worker {
    sessions: Sessions,
    endpoint: Arc<Endpoint>,
    dispatcher: Dispatcher,
    /// Connections at work or free.
    open: Cell<usize>,
}

impl Worker {
    /// Follows the timetable whatever the target does.
    async fn run_open(self: &Rc<Self>, config: &WorkerConfig, slice: Slice) -> anyhow::Result<()> {
        let mut timer = PreciseTimer::new().context("opening the schedule's timer")?;
        let mut tasks = tokio::task::JoinSet::new();
        let mut in_a_row = 0;
        for arrival in Arrivals::new(&config.plan, slice, config.crowd.seed) {
            loop {
                let wait = config.clock.until(arrival.due_us);
                if wait.is_zero() || config.stop.is_cancelled() {
                    break;
                }
                in_a_row = 0;
                timer.sleep(wait.min(STOP_CHECK)).await?;
            }
            in_a_row += 1;
            if in_a_row % BURST == 0 {
                tokio::task::yield_now().await; // behind schedule: let the connections work, too
            }
            if config.stop.is_cancelled() {
                break;
            }
            self.sessions.recorder().intend(arrival.due_us, arrival.phase);
            if !self.dispatcher.offer(arrival) && self.open.get() < config.connections_max {
                self.open.set(self.open.get() + 1);
                tasks.spawn_local(Rc::clone(self).work());
            }
        }
        self.dispatcher.close();
        loop {
            if config.stop.is_cancelled() {
                self.dispatcher.dismiss();
            }
            match tokio::time::timeout(STOP_CHECK, tasks.join_next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(done)) => done.context("a voter's task failed")?,
                Err(_) => {}
            }
        }
    }

    /// Serves voters on one connection until none is left.
    async fn work(self: Rc<Self>) {
        let mut connection = Connection::new(Arc::clone(&self.endpoint));
        let mut request = Vec::with_capacity(512);
        let idle = Rc::new(IdleConnection::default());
        while let Some(arrival) = self.dispatcher.next(&idle).await {
            self.sessions.serve(&mut connection, &mut request, arrival).await;
        }
    }

    /// Keeps `connections` busy without a pause, for as long as the plan lasts.
    async fn run_closed(
        self: &Rc<Self>,
        config: &WorkerConfig,
        slice: Slice,
        connections: usize,
    ) -> anyhow::Result<()> {
        let next = Rc::new(Cell::new(slice.nth));
        tokio::time::sleep(config.clock.until(0)).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (worker, next, config) = (Rc::clone(self), Rc::clone(&next), config.clone());
            tasks.spawn_local(async move {
                let mut connection = Connection::new(Arc::clone(&worker.endpoint));
                let mut request = Vec::with_capacity(512);
                let ends_us = config.plan.ends_us();
                while let Some(arrival) = next_closed(&next, &config, slice, &ends_us) {
                    worker.sessions.serve(&mut connection, &mut request, arrival).await;
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.context("a voter's task failed")?;
        }
        Ok(())
    }
}

/// The next voter of the closed model, due at once; `None` when time or voters are up.
fn next_closed(
    next: &Cell<u64>,
    config: &WorkerConfig,
    slice: Slice,
    ends_us: &[u64],
) -> Option<Arrival> {
    let (now_us, voter) = (config.clock.now_us(), next.get());
    let phase = ends_us.iter().position(|end| now_us < *end)?;
    if voter >= config.voters_max || config.stop.is_cancelled() {
        return None;
    }
    next.set(voter + slice.of);
    Some(Arrival { voter, due_us: now_us, phase })
}

/// How soon a slice that waits notices an early end.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// Voters handed over before the connections get their turn.
const BURST: u32 = 64;
