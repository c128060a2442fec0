//! One thread of the generator: its part of the timetable, its connections, its books.
//!
//! A lane shares nothing with other lanes but the target, so threads of one process divide the work
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

use crate::alarm::Alarm;
use crate::arrivals::{Arrival, Arrivals};
use crate::clock::Clock;
use crate::connection::Connection;
use crate::journal::Journal;
use crate::plan::Plan;
use crate::pool::{Pool, Seat};
use crate::recorder::Recorder;
use crate::request::Requests;
use crate::shard::Lane;
use crate::visit::Visits;
use crate::voter::Crowd;
use crate::wire::Route;

/// What a lane is told before it starts.
#[derive(Clone)]
pub(crate) struct Orders {
    pub(crate) plan: Arc<Plan>,
    /// Closed model: this many connections without a pause, instead of the plan's rate.
    pub(crate) closed: Option<usize>,
    /// Closed model: no voter beyond this number.
    pub(crate) voters_max: u64,
    pub(crate) crowd: Crowd,
    pub(crate) route: Route,
    pub(crate) clock: Clock,
    /// Most connections at a time.
    pub(crate) connections_max: usize,
    pub(crate) reply_time_max: Duration,
    pub(crate) journal: Option<Arc<Journal>>,
    /// Ends the load early.
    pub(crate) stop: CancellationToken,
}

/// A running lane.
pub(crate) struct Running {
    recorder: Arc<Mutex<Recorder>>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Starts the lane on a thread of its own.
    pub(crate) fn start(orders: Orders, lane: Lane, recorder: Recorder) -> anyhow::Result<Self> {
        let recorder = Arc::new(Mutex::new(recorder));
        let books = Arc::clone(&recorder);
        let thread = std::thread::Builder::new()
            .name(format!("lane-{}", lane.nth))
            .spawn(move || drive(&orders, lane, books))
            .context("starting a generator thread")?;
        Ok(Self { recorder, thread })
    }

    /// The lane's figures so far.
    pub(crate) fn figures(&self) -> MutexGuard<'_, Recorder> {
        lock(&self.recorder)
    }

    /// A handle on the lane's figures for other threads.
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

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no lane panics while it writes its books")
}

fn drive(orders: &Orders, lane: Lane, recorder: Arc<Mutex<Recorder>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let desk = Rc::new(Desk {
        visits: Visits {
            requests: Requests::new(&orders.route.target, &orders.crowd.poll),
            recorder,
            crowd: orders.crowd.clone(),
            clock: orders.clock,
            reply_time_max: orders.reply_time_max,
            journal: orders.journal.clone(),
            ends_us: if orders.closed.is_some() { Vec::new() } else { orders.plan.ends_us() },
        },
        route: Arc::new(orders.route.clone()),
        pool: Pool::default(),
        open: Cell::new(0),
    });
    let tasks = LocalSet::new();
    let done = tasks.block_on(&runtime, async {
        match orders.closed {
            Some(connections) => desk.run_closed(orders, lane, connections).await,
            None => desk.run_open(orders, lane).await,
        }
    });
    desk.visits.books().cpu = crate::host::thread_time();
    done
}

/// A lane at work.
struct Desk {
    visits: Visits,
    route: Arc<Route>,
    pool: Pool,
    /// Connections at work or free.
    open: Cell<usize>,
}

impl Desk {
    /// Follows the timetable whatever the target does.
    async fn run_open(self: &Rc<Self>, orders: &Orders, lane: Lane) -> anyhow::Result<()> {
        let mut alarm = Alarm::new().context("opening the schedule's timer")?;
        let mut workers = tokio::task::JoinSet::new();
        let mut in_a_row = 0;
        for arrival in Arrivals::new(&orders.plan, lane, orders.crowd.seed) {
            loop {
                let wait = orders.clock.until(arrival.due_us);
                if wait.is_zero() || orders.stop.is_cancelled() {
                    break;
                }
                in_a_row = 0;
                alarm.sleep(wait.min(STOP_CHECK)).await?;
            }
            in_a_row += 1;
            if in_a_row % BURST == 0 {
                tokio::task::yield_now().await; // behind schedule: let the connections work, too
            }
            if orders.stop.is_cancelled() {
                break;
            }
            self.visits.books().intend(arrival.due_us, arrival.phase);
            if !self.pool.offer(arrival) && self.open.get() < orders.connections_max {
                self.open.set(self.open.get() + 1);
                workers.spawn_local(Rc::clone(self).work());
            }
        }
        self.pool.close();
        loop {
            if orders.stop.is_cancelled() {
                self.pool.dismiss();
            }
            match tokio::time::timeout(STOP_CHECK, workers.join_next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(done)) => done.context("a voter's task failed")?,
                Err(_) => {}
            }
        }
    }

    /// Serves voters on one connection until none is left.
    async fn work(self: Rc<Self>) {
        let mut connection = Connection::new(Arc::clone(&self.route));
        let mut request = Vec::with_capacity(512);
        let seat = Rc::new(Seat::default());
        while let Some(arrival) = self.pool.next(&seat).await {
            self.visits.serve(&mut connection, &mut request, arrival).await;
        }
    }

    /// Keeps `connections` busy without a pause, for as long as the plan lasts.
    async fn run_closed(
        self: &Rc<Self>,
        orders: &Orders,
        lane: Lane,
        connections: usize,
    ) -> anyhow::Result<()> {
        let next = Rc::new(Cell::new(lane.nth));
        tokio::time::sleep(orders.clock.until(0)).await;
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (desk, next, orders) = (Rc::clone(self), Rc::clone(&next), orders.clone());
            workers.spawn_local(async move {
                let mut connection = Connection::new(Arc::clone(&desk.route));
                let mut request = Vec::with_capacity(512);
                let ends_us = orders.plan.ends_us();
                while let Some(arrival) = next_closed(&next, &orders, lane, &ends_us) {
                    desk.visits.serve(&mut connection, &mut request, arrival).await;
                }
            });
        }
        while let Some(done) = workers.join_next().await {
            done.context("a voter's task failed")?;
        }
        Ok(())
    }
}

/// The next voter of the closed model, due at once; `None` when time or voters are up.
fn next_closed(next: &Cell<u64>, orders: &Orders, lane: Lane, ends_us: &[u64]) -> Option<Arrival> {
    let (now_us, voter) = (orders.clock.now_us(), next.get());
    let phase = ends_us.iter().position(|end| now_us < *end)?;
    if voter >= orders.voters_max || orders.stop.is_cancelled() {
        return None;
    }
    next.set(voter + lane.of);
    Some(Arrival { voter, due_us: now_us, phase })
}

/// How soon a lane that waits notices an early end.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// Voters handed over before the connections get their turn.
const BURST: u32 = 64;
