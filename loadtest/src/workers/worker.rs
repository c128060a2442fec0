//! A worker: one thread that sends a slice of the voters over its own connections.
//!
//! Workers share nothing but the target and the journal. So threads of one process divide the load
//! exactly as the shards of several processes do. Each has a single-threaded runtime: no lock is
//! contended, and no task moves between cores.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Semaphore;
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

/// The settings of a worker.
#[derive(Clone)]
pub(crate) struct WorkerConfig {
    pub(crate) plan: Arc<Plan>,
    /// Closed model: the number of connections that send without a pause, instead of the rates of
    /// the plan.
    pub(crate) closed: Option<usize>,
    /// Closed model: voters with this number or a higher one are not sent.
    pub(crate) voters_max: u64,
    pub(crate) crowd: Crowd,
    /// The targets; voters are spread over them.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) clock: Clock,
    /// The most connections at a time.
    pub(crate) connections_max: usize,
    pub(crate) reply_time_max: Duration,
    pub(crate) journal: Option<Arc<Journal>>,
    /// The permits for calculations, shared by all workers.
    pub(crate) solvers: Arc<Semaphore>,
    /// Ends the load early when it is cancelled.
    pub(crate) stop: CancellationToken,
}

/// The running thread of one worker.
pub(crate) struct WorkerThread {
    recorder: Arc<Mutex<Recorder>>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl WorkerThread {
    /// Starts a worker on a thread of its own.
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
            .context("cannot start a worker thread")?;
        Ok(Self { recorder, thread })
    }

    /// Locks the worker's figures so far.
    pub(crate) fn figures(&self) -> MutexGuard<'_, Recorder> {
        lock(&self.recorder)
    }

    /// Returns a handle on the worker's figures for other threads.
    pub(crate) fn recorder(&self) -> Arc<Mutex<Recorder>> {
        Arc::clone(&self.recorder)
    }

    /// Returns whether all voters of the worker have finished.
    pub(crate) fn is_through(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until the worker has finished, and returns its figures.
    pub(crate) fn join(self) -> anyhow::Result<Recorder> {
        match self.thread.join() {
            Ok(result) => result?,
            Err(_) => anyhow::bail!("a worker thread panicked"),
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
            requests: config
                .endpoints
                .iter()
                .map(|endpoint| Requests::new(endpoint, &config.crowd.poll))
                .collect(),
            recorder,
            crowd: config.crowd.clone(),
            clock: config.clock,
            reply_time_max: config.reply_time_max,
            journal: config.journal.clone(),
            ends_us: if config.closed.is_some() { Vec::new() } else { config.plan.ends_us() },
            solvers: Arc::clone(&config.solvers),
        },
        endpoints: config.endpoints.iter().cloned().map(Arc::new).collect(),
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

/// The state of a worker on its own thread.
struct Worker {
    sessions: Sessions,
    endpoints: Vec<Arc<Endpoint>>,
    dispatcher: Dispatcher,
    /// The number of connections, busy and idle.
    open: Cell<usize>,
}

impl Worker {
    /// Open model: starts every voter when the timetable says so, no matter how the target answers.
    async fn run_open(self: &Rc<Self>, config: &WorkerConfig, slice: Slice) -> anyhow::Result<()> {
        // Hand each voter over when it is due. Open another connection if none is idle.
        let mut timer = PreciseTimer::new().context("cannot open the timer of the schedule")?;
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
        // Wait for the voters who have started. After an early end, those in the queue are dropped.
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

    /// Returns a connection to each target, none of which is open yet.
    fn connections(&self) -> Vec<Connection> {
        self.endpoints.iter().map(|endpoint| Connection::new(Arc::clone(endpoint))).collect()
    }

    /// Serves voters on one connection to each target until there are no more.
    async fn work(self: Rc<Self>) {
        let mut connections = self.connections();
        let mut request = Vec::with_capacity(512);
        let idle = Rc::new(IdleConnection::default());
        while let Some(arrival) = self.dispatcher.next(&idle).await {
            self.sessions.serve(&mut connections, &mut request, arrival).await;
        }
    }

    /// Closed model: keeps `connections` busy without a pause, for as long as the plan lasts.
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
                let mut connections = worker.connections();
                let mut request = Vec::with_capacity(512);
                let ends_us = config.plan.ends_us();
                while let Some(arrival) = next_closed(&next, &config, slice, &ends_us) {
                    worker.sessions.serve(&mut connections, &mut request, arrival).await;
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.context("a voter's task failed")?;
        }
        Ok(())
    }
}

/// Returns the next voter of the closed model, who is due now; `None` when the time is up or there
/// are no more voters.
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

/// The longest time until a waiting worker notices that the load was ended.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// The number of voters who are handed over in a row before the connections get their turn.
const BURST: u32 = 64;
