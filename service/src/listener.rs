//! Accepts connections within budgets of memory and slots, and serves a warp filter on them.
//!
//! warp's own server sets no timers, bounds neither connections nor memory, and may never finish a graceful shutdown, so
//! this loop drives hyper itself. Every connection is entered into an account (`connections`). When memory or slots
//! run short, the connections that are cheapest to lose are closed ([`budget`]).
//!
//! Invariant: a request that arrives on an open connection is answered. While the service drains, its
//! replies carry `Connection: close`, so that clients send their next request to another replica. A
//! connection without a request stays open for [`IDLE_GRACE`]. If it were closed at once, a request that its
//! client is sending at this moment would be lost.

pub mod budget;
mod connections;
mod drive;
mod head;
mod limits;
pub(crate) mod memory_limit;
mod seats;
mod socket;
mod take_over;
#[cfg(test)]
mod tests;
pub mod viewers;
mod wire;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use warp::Filter;

pub use connections::Lease;
pub use head::{Head, PeerAddr};
pub use limits::{IDLE_GRACE, Limits};
pub use take_over::TakeOver;

use crate::health::Gate;
use crate::telemetry::log_throttle::LogThrottle;
use connections::Connections;
use drive::Shared;

/// Shortest time between two warnings that connections cannot be accepted.
const WARN_PERIOD: Duration = Duration::from_secs(10);

/// Reason that /readyz gives while newcomers find no room.
const NO_ROOM: &str =
    "memory or slots for connections are spent, and no connection may be closed for a new one";

/// The tokens that stop a listener in two steps.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Once cancelled, each reply carries `Connection: close` and its connection ends.
    pub draining: CancellationToken,
    /// Once cancelled, nothing is accepted, and idle connections are closed after their grace.
    pub closing: CancellationToken,
}

/// Binds a listener whose kernel queue holds 4,096 connections. At `[::]` it serves IPv6 and IPv4.
///
/// # Errors
/// Returns an error that names the address if it is taken or does not belong to this machine.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    use anyhow::Context;
    let bind = || {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        if address.is_ipv6() && address.ip().is_unspecified() {
            // Clients of IPv4 come in as well, however the machine is set up (net.ipv6.bindv6only).
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        TcpListener::from_std(socket.into())
    };
    bind().with_context(|| format!("cannot listen on {address}"))
}

/// Returns the filter that hands a request's head to its handler.
pub fn head() -> impl Filter<Extract = (Head,), Error = warp::Rejection> + Copy {
    warp::ext::get::<Head>()
}

/// Serves `filter` on the listener called `name` until `stop.closing`, then finishes the requests in
/// flight. Returns whether they finished within the grace period.
pub async fn serve<F>(
    name: &'static str,
    listener: TcpListener,
    limits: Limits,
    filter: F,
    stop: Stop,
) -> bool
where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: warp::Reply,
    F::Future: Send,
{
    if let Err(error) = socket::limit_slow_clients(&listener, limits.write_timeout) {
        tracing::warn!(
            listener = name,
            "slow clients of listener {name} may fill kernel buffers, the kernel knows no limit: {error}"
        );
    }
    let connections = Connections::new(name, &limits);
    let tasks = TaskTracker::new();
    let draining = AtomicBool::new(false);
    let shared = Arc::new(Shared {
        filter,
        draining,
        base_path: limits.base_path.clone(),
        hsts_max_age_s: limits.hsts_max_age_s,
        always_https: limits.always_https,
        tasks: tasks.clone(),
    });
    let _watching = AbortOnDropHandle::new(tokio::spawn(connections.clone().watch()));
    let stopping = follow(stop.clone(), limits.idle_grace, shared.clone(), connections.clone());
    let _stopping = AbortOnDropHandle::new(tokio::spawn(stopping));

    let mut failures = LogThrottle::new(WARN_PERIOD);
    loop {
        let next = accept(name, &listener, &connections, limits.gate.as_ref(), &mut failures);
        let (stream, peer, lease) = tokio::select! {
            () = stop.closing.cancelled() => break,
            next = next => next,
        };
        tasks.spawn(drive::serve(stream, peer, lease, shared.clone()));
    }
    drop(listener);
    tasks.close();
    tokio::time::timeout(limits.grace, tasks.wait()).await.is_ok()
}

/// Accepts the next connection and waits for room for it.
async fn accept(
    name: &'static str,
    listener: &TcpListener,
    connections: &Arc<Connections>,
    gate: Option<&Gate>,
    failures: &mut LogThrottle,
) -> (TcpStream, PeerAddr, Lease) {
    let full = |is_full| {
        let state = if is_full { Err(NO_ROOM) } else { Ok(()) };
        gate.inspect(|gate| gate.report(state));
    };
    loop {
        // Room is made only for a connection that is there, so the connection comes first.
        match listener.accept().await {
            Ok((stream, address)) => {
                let permit = connections.room(full).await;
                // Without it small replies wait for the peer's delayed acknowledgement.
                let _ = stream.set_nodelay(true);
                let peer = PeerAddr(address.ip().to_canonical());
                return (stream, peer, connections.admit(peer, permit));
            }
            Err(error) => {
                if let Some(times) = failures.happened() {
                    tracing::warn!(
                        times,
                        "listener {name} cannot accept connections, trying again every 50 ms; raise \
                         the limit of file descriptors if they are used up: {error}"
                    );
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Carries out the two steps of [`Stop`]. Connections close once `closing` is cancelled and `idle_grace` has passed
/// since draining began, whichever comes later.
async fn follow<F>(
    stop: Stop,
    idle_grace: Duration,
    shared: Arc<Shared<F>>,
    connections: Arc<Connections>,
) {
    tokio::select! {
        () = stop.draining.cancelled() => {}
        () = stop.closing.cancelled() => {}
    }
    shared.draining.store(true, Ordering::Release);
    let grace_over = tokio::time::sleep(idle_grace);
    tokio::join!(grace_over, stop.closing.cancelled());
    connections.finish_all();
}
