//! Accepts a bounded number of connections and serves a warp filter on them.
//!
//! warp's own server sets no timers, counts no connections and may never finish a graceful shutdown, so
//! this loop drives hyper itself. It takes a permit before each accept, limits the time for a request's
//! head (which is also the longest idle time) and for a client that stops reading, keeps buffers small,
//! and ends draining at a deadline.
//!
//! Invariant: a request that arrives on an open connection is answered. While the service drains, its
//! replies carry `Connection: close`, so that clients send their next request to another replica. A
//! connection without a request stays open for [`IDLE_GRACE`]. If it were closed at once, a request that its
//! client is sending at this moment would be lost.

mod socket;
mod timer;

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use warp::Filter;
use warp::http::HeaderMap;
use warp::reply::{Reply, Response};

use crate::config::ListenerArgs;
use crate::log_throttle::LogThrottle;
use crate::problem::Problem;
use crate::{fd_limit, http, metrics};
use timer::ReusingTimer;

/// Shortest time between two warnings that connections cannot be accepted.
const WARN_PERIOD: Duration = Duration::from_secs(10);

/// How long a connection without a request stays open once the service drains. Clients check a connection
/// that has rested for longer, or send the request again when it turns out to be closed.
pub const IDLE_GRACE: Duration = Duration::from_secs(1);

/// The IP address at the other end of a connection: the client, or a proxy before it.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddr(pub IpAddr);

/// Everything a request says before its body, for handlers; see [`head`].
#[derive(Clone, Debug)]
pub struct Head {
    /// The address at the other end of the request's connection.
    pub peer: PeerAddr,
    /// The request's headers. They are moved here, because copying them costs more than all their
    /// uses; warp's own header filters therefore find none.
    pub headers: Arc<HeaderMap>,
}

/// Bounds on the connections of one listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most connections held at once; further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Longest time for a request's head to arrive, and for a connection to stay idle.
    pub header_timeout: Duration,
    /// Longest time for which a client may read nothing of its reply.
    pub write_timeout: Duration,
    /// Longest time for requests in flight once the shutdown has begun.
    pub grace: Duration,
    /// How long connections without a request stay open once draining has begun, for the request that
    /// may be on its way; at most half of `grace`.
    pub idle_grace: Duration,
    /// For how many seconds a browser that came through TLS comes back through TLS alone; 0 for no such promise.
    pub hsts_max_age_s: u32,
    /// Whether every client is connected through TLS, also where no header says so.
    pub always_https: bool,
}

impl Limits {
    /// Reads the limits from the settings; the process' file descriptors may allow fewer connections.
    pub fn new(args: &ListenerArgs, grace: Duration) -> Self {
        Self {
            connections_max: fd_limit::allowed_connections(args.connections_max),
            header_timeout: Duration::from_millis(args.header_timeout_ms),
            write_timeout: args.write_timeout(),
            grace,
            idle_grace: IDLE_GRACE.min(grace / 2),
            hsts_max_age_s: args.hsts_max_age_s,
            always_https: false,
        }
    }
}

/// The tokens that stop a listener in two steps.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Once cancelled, each reply carries `Connection: close` and its connection ends.
    pub draining: CancellationToken,
    /// Once cancelled, nothing is accepted, and idle connections are closed after their grace.
    pub closing: CancellationToken,
}

/// The decision on a fresh connection, before HTTP is spoken on it.
#[derive(Debug)]
pub enum Intercepted {
    /// HTTP is to be spoken on this connection.
    Http(TcpStream, Permit),
    /// The interceptor has taken the connection over.
    Taken,
}

/// The right to hold one connection; dropping it frees the slot.
#[derive(Debug)]
pub struct Permit {
    _slot: OwnedSemaphorePermit,
    listener: &'static str,
}

impl Drop for Permit {
    fn drop(&mut self) {
        metrics::HTTP_CONNECTIONS.with([self.listener]).decrement(1.0);
    }
}

/// Binds a listener whose kernel queue holds 4,096 connections.
///
/// # Errors
/// Returns an error that names the address if it is taken or does not belong to this machine.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    use anyhow::Context;
    let bind = || {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
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
    let http = |stream, _, permit| std::future::ready(Intercepted::Http(stream, permit));
    serve_intercepted(name, listener, limits, filter, stop, http).await
}

/// Serves like [`serve`], but lets `intercept` look at each connection first and take it over.
pub async fn serve_intercepted<F, I, Taking>(
    name: &'static str,
    listener: TcpListener,
    limits: Limits,
    filter: F,
    stop: Stop,
    intercept: I,
) -> bool
where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: warp::Reply,
    F::Future: Send,
    I: Fn(TcpStream, PeerAddr, Permit) -> Taking + Clone + Send + Sync + 'static,
    Taking: Future<Output = Intercepted> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    metrics::HTTP_CONNECTIONS.with([name]).increment(0.0);
    metrics::HTTP_CONNECTIONS_MAX.with([name]).set(limits.connections_max as f64);
    if let Err(error) = socket::limit_slow_clients(&listener, limits.write_timeout) {
        tracing::warn!(
            listener = name,
            "slow clients of listener {name} may fill kernel buffers, the kernel knows no limit: {error}"
        );
    }
    let tasks = TaskTracker::new();
    let flags = Arc::new(StopFlags::default());
    let _following =
        AbortOnDropHandle::new(tokio::spawn(flags.clone().follow(stop.clone(), limits.idle_grace)));
    let mut failures = LogThrottle::new(WARN_PERIOD);
    while let Some((stream, peer, permit)) =
        accept(name, &listener, &slots, &stop.closing, &mut failures).await
    {
        let (filter, intercept) = (filter.clone(), intercept.clone());
        let (flags, limits) = (flags.clone(), limits.clone());
        tasks.spawn(async move {
            if let Intercepted::Http(stream, permit) = intercept(stream, peer, permit).await {
                serve_http(stream, peer, filter, limits, flags).await;
                drop(permit);
            }
        });
    }
    drop(listener);
    tasks.close();
    tokio::time::timeout(limits.grace, tasks.wait()).await.is_ok()
}

/// Waits for a free slot and accepts the next connection; returns `None` when shutting down.
async fn accept(
    name: &'static str,
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    closing: &CancellationToken,
    failures: &mut LogThrottle,
) -> Option<(TcpStream, PeerAddr, Permit)> {
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            () = closing.cancelled() => return None,
            next = next => next,
        };
        match accepted {
            Ok((stream, address)) => {
                // Without it small replies wait for the peer's delayed acknowledgement.
                let _ = stream.set_nodelay(true);
                metrics::HTTP_CONNECTIONS.with([name]).increment(1.0);
                let permit = Permit { _slot: slot, listener: name };
                return Some((stream, PeerAddr(address.ip().to_canonical()), permit));
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

/// Speaks HTTP/1.1 on one connection until it ends or the listener closes it.
async fn serve_http<F>(
    stream: TcpStream,
    peer: PeerAddr,
    filter: F,
    limits: Limits,
    flags: Arc<StopFlags>,
) where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: warp::Reply,
    F::Future: Send,
{
    let routes = RefCell::new(warp::service(filter));
    let service = {
        let flags = flags.clone();
        service_fn(move |mut request: hyper::Request<Incoming>| {
            let headers = Arc::new(std::mem::take(request.headers_mut()));
            let refused = http::check_host(request.version(), &headers);
            let transport = http::Transport::of(&headers, limits.always_https);
            request.extensions_mut().insert(Head { peer, headers });
            let reply = match refused {
                Some(reason) => Err(reason),
                None => Ok(tower_service::Service::call(&mut *routes.borrow_mut(), request)),
            };
            let flags = flags.clone();
            async move {
                let mut reply: Response = match reply {
                    Ok(reply) => reply.await?,
                    Err(reason) => Problem::malformed(reason).into_response(),
                };
                transport.mark(&mut reply, limits.hsts_max_age_s);
                if flags.is_draining() {
                    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(reply)
            }
        })
    };
    // A client that pipelines requests and reads no reply would otherwise be served for ever.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_timeout));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(ReusingTimer::default())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(16 * 1024)
        .writev(false)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    tokio::pin!(connection);
    // Errors here are the client's doing: it went away, sent no HTTP, or was too slow.
    let outcome = match flags.unless_closing(connection.as_mut()).await {
        Some(outcome) => outcome,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!("a client connection ended: {error}");
    }
}

/// The two steps of [`Stop`] as flags. Connections read them several times per request, and reading a
/// token takes a lock that all connections share.
#[derive(Debug, Default)]
struct StopFlags {
    draining: AtomicBool,
    closing: AtomicBool,
    /// Cancelled after the `closing` flag is set, to wake connections that wait.
    closed: CancellationToken,
}

impl StopFlags {
    /// Sets the flags as the tokens are cancelled. Connections close once `closing` is cancelled
    /// and `idle_grace` has passed since draining began, whichever comes later.
    async fn follow(self: Arc<Self>, stop: Stop, idle_grace: Duration) {
        tokio::select! {
            () = stop.draining.cancelled() => {}
            () = stop.closing.cancelled() => {}
        }
        self.draining.store(true, Ordering::Release);
        let grace_over = tokio::time::sleep(idle_grace);
        tokio::join!(grace_over, stop.closing.cancelled());
        self.closing.store(true, Ordering::Release);
        self.closed.cancel();
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Runs `work`, and returns `None` if connections are to be closed before it ends. Await it from a
    /// task of its own: it registers with the token once, and the token wakes that task only.
    async fn unless_closing<T>(&self, mut work: impl Future<Output = T> + Unpin) -> Option<T> {
        let mut closed = std::pin::pin!(self.closed.cancelled());
        let mut waits = false;
        std::future::poll_fn(move |context| {
            if let Poll::Ready(done) = Pin::new(&mut work).poll(context) {
                return Poll::Ready(Some(done));
            }
            if !std::mem::replace(&mut waits, true) {
                return closed.as_mut().poll(context).map(|()| None);
            }
            match self.closing.load(Ordering::Acquire) {
                true => Poll::Ready(None),
                false => Poll::Pending,
            }
        })
        .await
    }
}
