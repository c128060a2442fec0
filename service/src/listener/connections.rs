//! Keeps an account of all connections of a listener: their states, their memory, and the orders to close.
//!
//! A connection stores its state in its own [`Slot`], without a lock. The shared number of bytes changes only when
//! a state costs more or less than the one before, which is not the case between the requests of a busy
//! connection. One task looks at all slots several times a second, and at once when memory or slots run short. It
//! replaces the timers of the connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::budget::{self, Bounds, Holding, Kind, Order, Owner, Reason, Times};
use super::head::PeerAddr;
use super::limits::Limits;
use crate::metric::{CounterHandle, GaugeHandle};
use crate::metrics;
use crate::telemetry::log_throttle::LogThrottle;

/// Shortest and longest time between two looks at all connections.
const LOOK_EVERY_MS: std::ops::RangeInclusive<u64> = 20..=250;
/// Part of all slots that are freed at once when none is free.
const SLOTS_FREED_DIVISOR: usize = 16;
/// Longest wait before a newcomer that found no room asks again.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// Time without room for a newcomer after which the service says that it is not ready.
const FULL_AFTER: Duration = Duration::from_secs(1);
/// Shortest time between two log lines about closed connections.
const WARN_PERIOD: Duration = Duration::from_secs(10);

/// An order that a connection finds in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Told {
    Nothing,
    /// Give the buffers back.
    Park,
    /// End once the request in hand is answered.
    Finish,
    /// End now.
    Close,
}

/// One connection's entry in the account.
#[derive(Debug)]
pub(super) struct Slot {
    owner: Owner,
    opened_ms: u32,
    kind: AtomicU8,
    /// When the present state began, or made its last progress.
    since_ms: AtomicU32,
    told: AtomicU8,
    waker: AtomicWaker,
    /// Bytes received since the last head was complete.
    pub(super) received: AtomicU32,
    /// Whether a request is being answered.
    pub(super) in_flight: AtomicBool,
    /// Whether the body of that request is still arriving.
    pub(super) body_open: AtomicBool,
    /// Whether the last write had to wait for the client.
    pub(super) blocked: AtomicBool,
}

/// The account of one listener.
pub(super) struct Connections {
    name: &'static str,
    bounds: Bounds,
    times: Times,
    proxies: Vec<ipnet::IpNet>,
    slots: Arc<Semaphore>,
    held: Mutex<HashMap<u64, Arc<Slot>>>,
    next: AtomicU64,
    used: AtomicUsize,
    /// Slots that newcomers wait for.
    slots_wanted: AtomicUsize,
    epoch: Instant,
    now_ms: AtomicU32,
    finishing: AtomicBool,
    look: Notify,
    freed: Notify,
    look_every: Duration,
    open: GaugeHandle,
    charged: [GaugeHandle; Kind::ALL.len()],
    closed: [CounterHandle; Reason::ALL.len()],
}

/// The right to hold one connection; dropping it frees its slot and its memory.
pub struct Lease {
    pub(super) slot: Arc<Slot>,
    pub(super) home: Arc<Connections>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease({:?})", self.slot)
    }
}

impl Slot {
    pub(super) fn kind(&self) -> Kind {
        Kind::ALL[usize::from(self.kind.load(Ordering::Relaxed))]
    }

    pub(super) fn told(&self) -> Told {
        match self.told.load(Ordering::Acquire) {
            0 => Told::Nothing,
            1 => Told::Park,
            2 => Told::Finish,
            _ => Told::Close,
        }
    }

    /// Registers the task that is woken by the next order. Call it before [`Slot::told`].
    pub(super) fn register(&self, context: &Context<'_>) {
        self.waker.register(context.waker());
    }

    /// Forgets an order to park, which was obeyed or came too late.
    pub(super) fn forget_park(&self) {
        let (park, nothing) = (Told::Park as u8, Told::Nothing as u8);
        let _ = self.told.compare_exchange(park, nothing, Ordering::AcqRel, Ordering::Relaxed);
    }

    fn tell(&self, told: Told) {
        if self.told.fetch_max(told as u8, Ordering::AcqRel) < told as u8 {
            self.waker.wake();
        }
    }
}

impl Connections {
    pub(super) fn new(name: &'static str, limits: &Limits) -> Arc<Self> {
        let bounds = Bounds::new(limits.memory_bytes, limits.connections_max);
        let shortest = limits.header_timeout.min(limits.write_timeout).as_millis() as u64 / 16;
        let look_every = shortest.clamp(*LOOK_EVERY_MS.start(), *LOOK_EVERY_MS.end());
        let ms = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        metrics::HTTP_CONNECTIONS_MAX.with([name]).set(limits.connections_max as f64);
        metrics::HTTP_MEMORY_BYTES_MAX.with([name]).set(bounds.bytes_max as f64);
        let memory = match limits.memory_bytes {
            // Neither a container nor a setting limits this process.
            usize::MAX => "any amount".to_owned(),
            _ => format!("{} MiB", bounds.bytes_max >> 20),
        };
        tracing::info!(
            listener = name,
            bytes_max = bounds.bytes_max,
            "connections of listener {name} may take {memory} of memory"
        );
        let open = metrics::HTTP_CONNECTIONS.with([name]);
        open.increment(0.0);
        Arc::new(Self {
            name,
            bounds,
            times: Times {
                header_ms: ms(limits.header_timeout),
                write_ms: ms(limits.write_timeout),
                lifetime_ms: ms(limits.lifetime),
            },
            proxies: limits.proxies.clone(),
            slots: Arc::new(Semaphore::new(limits.connections_max)),
            held: Mutex::default(),
            next: AtomicU64::new(0),
            used: AtomicUsize::new(0),
            slots_wanted: AtomicUsize::new(0),
            epoch: Instant::now(),
            now_ms: AtomicU32::new(0),
            finishing: AtomicBool::new(false),
            look: Notify::new(),
            freed: Notify::new(),
            look_every: Duration::from_millis(look_every),
            open,
            charged: Kind::ALL.map(|kind| metrics::HTTP_MEMORY_BYTES.with([name, kind.as_str()])),
            closed: Reason::ALL
                .map(|reason| metrics::HTTP_CONNECTIONS_CLOSED.with([reason.as_str()])),
        })
    }

    /// Waits for a free slot and for the memory of an idle connection, and makes room if there is none. `full` is called with
    /// `true` once that takes long, and with `false` when there is room again.
    pub(super) async fn room(&self, full: impl Fn(bool)) -> OwnedSemaphorePermit {
        let since = Instant::now();
        let mut is_full = false;
        loop {
            let free = self.slots.clone().try_acquire_owned();
            let has_memory = self.used.load(Ordering::Relaxed) < self.bounds.bytes_max;
            match free {
                Ok(permit) if has_memory => {
                    if is_full {
                        full(false);
                    }
                    return permit;
                }
                Ok(_) => {}
                Err(_) => {
                    let wanted = (self.bounds.connections_max / SLOTS_FREED_DIVISOR).max(1);
                    self.slots_wanted.store(wanted, Ordering::Relaxed);
                }
            }
            if !is_full && since.elapsed() > FULL_AFTER {
                is_full = true;
                full(true);
            }
            self.ask_for_room().await;
        }
    }

    /// Has the account looked through, and returns when something was freed, or soon.
    async fn ask_for_room(&self) {
        let freed = self.freed.notified();
        self.look.notify_one();
        let _ = tokio::time::timeout(ASK_AGAIN, freed).await;
    }

    /// Enters a connection into the account.
    pub(super) fn admit(self: &Arc<Self>, peer: PeerAddr, permit: OwnedSemaphorePermit) -> Lease {
        let now_ms = self.now_ms.load(Ordering::Relaxed);
        let slot = Arc::new(Slot {
            owner: budget::owner(peer.0, &self.proxies),
            opened_ms: now_ms,
            kind: AtomicU8::new(Kind::Idle as u8),
            since_ms: AtomicU32::new(now_ms),
            told: AtomicU8::new(Told::Nothing as u8),
            waker: AtomicWaker::new(),
            received: AtomicU32::new(0),
            in_flight: AtomicBool::new(false),
            body_open: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
        });
        self.used.fetch_add(Kind::Idle.cost(), Ordering::Relaxed);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.held().insert(number, slot.clone());
        if self.finishing.load(Ordering::Acquire) {
            slot.tell(Told::Finish);
        }
        self.open.increment(1.0);
        Lease { slot, home: self.clone(), number, _permit: permit }
    }

    /// Lets every connection end once its request is answered, now and from now on.
    pub(super) fn finish_all(&self) {
        self.finishing.store(true, Ordering::Release);
        self.held().values().for_each(|slot| slot.tell(Told::Finish));
    }

    /// Looks at all connections again and again.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut closed_for_room = 0;
        let mut log = LogThrottle::new(WARN_PERIOD);
        loop {
            let _ = tokio::time::timeout(self.look_every, self.look.notified()).await;
            closed_for_room += self.look_through();
            if closed_for_room > 0 && log.happened().is_some() {
                tracing::warn!(
                    listener = self.name,
                    closed = closed_for_room,
                    "listener {} has closed {closed_for_room} connections to make room for others",
                    self.name
                );
                closed_for_room = 0;
            }
        }
    }

    /// Gives the orders that are due, and returns how many connections are closed to make room.
    fn look_through(&self) -> usize {
        let now_ms = u32::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u32::MAX);
        self.now_ms.store(now_ms, Ordering::Relaxed);
        let slots_wanted = self.slots_wanted.swap(0, Ordering::Relaxed);
        let held = self.held();
        let mut charged = [0_usize; Kind::ALL.len()];
        // A connection that was told to close is as good as gone, and closes as soon as its task runs.
        let mut staying = Vec::with_capacity(held.len());
        for slot in held.values() {
            let kind = slot.kind();
            charged[kind as usize] += kind.cost();
            let told = slot.told();
            if told == Told::Close {
                continue;
            }
            let age_ms = now_ms.saturating_sub(slot.since_ms.load(Ordering::Relaxed));
            let holding = Holding { owner: slot.owner, kind, age_ms };
            let open_ms = now_ms.saturating_sub(slot.opened_ms);
            let received = slot.received.load(Ordering::Relaxed);
            match budget::order(&holding, open_ms, received, &self.times) {
                None => staying.push((holding, slot)),
                Some(Order::Park) => {
                    slot.tell(Told::Park);
                    staying.push((holding, slot));
                }
                Some(Order::Finish(reason)) => {
                    if told < Told::Finish {
                        self.count_closed(reason);
                    }
                    slot.tell(Told::Finish);
                    staying.push((holding, slot));
                }
                Some(Order::Close(reason)) => {
                    self.count_closed(reason);
                    slot.tell(Told::Close);
                }
            }
        }
        for (gauge, bytes) in self.charged.iter().zip(charged) {
            gauge.set(bytes as f64);
        }
        let used: usize = charged.iter().sum();
        if used <= self.bounds.bytes_max / 2 && slots_wanted == 0 {
            return 0;
        }
        let holdings: Vec<Holding> = staying.iter().map(|(holding, _)| *holding).collect();
        let closed = budget::plan(&holdings, &self.bounds, slots_wanted);
        for (n, reason) in &closed {
            self.count_closed(*reason);
            staying[*n].1.tell(Told::Close);
        }
        closed.len()
    }

    fn count_closed(&self, reason: Reason) {
        self.closed[reason as usize].increment(1);
    }

    fn held(&self) -> MutexGuard<'_, HashMap<u64, Arc<Slot>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Waits until this connection is told to end. Await it from one task only.
    pub async fn ended(&self) {
        std::future::poll_fn(|context| {
            self.slot.register(context);
            if self.slot.told() >= Told::Finish { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Records that the connection receives an event stream from now on.
    pub fn is_viewer(&self) {
        self.set(Kind::Viewer);
    }

    /// Ends the connection, because its network holds more than its share of something that is used up.
    pub fn close_for_share(&self) {
        self.home.count_closed(Reason::Share);
        self.slot.tell(Told::Close);
    }

    /// Records that the client reads an event stream more slowly than it is written.
    pub fn is_slow(&self) {
        self.set(Kind::Reply);
    }

    /// Waits for the memory of a connection that speaks HTTP; returns whether it got it before it was told to end.
    pub(super) async fn activate(&self) -> bool {
        let more = Kind::Head.cost() - Kind::Idle.cost();
        loop {
            if self.slot.told() >= Told::Finish {
                return false;
            }
            let used = self.home.used.fetch_add(more, Ordering::Relaxed) + more;
            if used <= self.home.bounds.bytes_max {
                self.enter(Kind::Head);
                return true;
            }
            self.home.used.fetch_sub(more, Ordering::Relaxed);
            Box::pin(self.home.ask_for_room()).await;
        }
    }

    /// Records that a request's head has arrived, and whether a body follows.
    pub(super) fn begin_request(&self, has_body: bool) {
        self.slot.in_flight.store(true, Ordering::Relaxed);
        self.slot.body_open.store(has_body, Ordering::Relaxed);
        self.slot.received.store(0, Ordering::Relaxed);
        self.touch();
    }

    /// Records the state of a connection that speaks HTTP, after its task has run.
    pub(super) fn settle(&self) {
        let slot = &self.slot;
        let flag = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let kind = match (flag(&slot.in_flight), flag(&slot.blocked)) {
            (true, _) if flag(&slot.body_open) => Kind::Body,
            (_, true) => Kind::Reply,
            (true, false) => Kind::Request,
            (false, false) if slot.received.load(Ordering::Relaxed) > 0 => Kind::Head,
            (false, false) => Kind::Kept,
        };
        if kind != slot.kind() {
            self.set(kind);
        }
    }

    /// Records that the client has made progress in its present state.
    pub(super) fn touch(&self) {
        self.slot.since_ms.store(self.home.now_ms.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Records the state, and has the account looked through if memory runs short.
    pub(super) fn set(&self, kind: Kind) {
        let before = self.slot.kind().cost();
        self.enter(kind);
        let after = kind.cost();
        if after > before {
            let more = after - before;
            let used = self.home.used.fetch_add(more, Ordering::Relaxed) + more;
            if used > self.home.bounds.bytes_max {
                self.home.look.notify_one();
            }
        } else if before > after {
            self.home.used.fetch_sub(before - after, Ordering::Relaxed);
            self.home.freed.notify_waiters();
        }
    }

    fn enter(&self, kind: Kind) {
        self.slot.kind.store(kind as u8, Ordering::Relaxed);
        self.touch();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.home.held().remove(&self.number);
        self.home.used.fetch_sub(self.slot.kind().cost(), Ordering::Relaxed);
        self.home.open.decrement(1.0);
        self.home.freed.notify_waiters();
    }
}
