//! Takes connections within bounds, and serves a warp filter on them.
//!
//! warp's own server sets no timers, counts no connections and may never finish a graceful shutdown,
//! so this loop drives hyper itself: a permit before each accept, a time-out for heads (which is
//! also the longest idle time) and one for clients that take nothing, small buffers, and a deadline
//! on draining.
//!
//! Invariant: a request that arrives on an open connection is answered; a client learns from
//! `Connection: close`, while there still is a listener, to bring the next one elsewhere.

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
use warp::reply::Response;

use crate::config::ListenerArgs;
use crate::handles;
use crate::metrics;
use crate::seldom::Seldom;
use crate::socket;
use crate::timer::ThriftyTimer;

/// How often it is told that connections cannot be accepted.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The address at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddr(pub IpAddr);

/// What a request says before its body; see [`head`].
#[derive(Clone, Debug)]
pub struct Head {
    /// Where it came from.
    pub peer: PeerAddr,
    /// Its headers. They are moved here, so warp's own header filters find none; copying them for
    /// every request costs more than all that is done with them.
    pub headers: Arc<HeaderMap>,
}

/// Bounds on connections.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections held at once.
    pub connections_max: usize,
    /// For a request's head, and for a connection without a request.
    pub header_timeout: Duration,
    /// For a client to take something of what it is sent.
    pub write_timeout: Duration,
    /// For what is under way once the shutdown has begun.
    pub grace: Duration,
}

impl Limits {
    /// As configured, and as this process' file handles allow.
    pub fn new(args: &ListenerArgs, grace: Duration) -> Self {
        Self {
            connections_max: handles::grant(args.connections_max),
            header_timeout: Duration::from_millis(args.header_timeout_ms),
            write_timeout: args.write_timeout(),
            grace,
        }
    }
}

/// The two steps in which a listener stops.
#[derive(Clone, Debug)]
pub struct Stop {
    /// From now on a connection is closed after its next reply, which says so.
    pub draining: CancellationToken,
    /// From now on nothing is accepted, and idle connections are closed.
    pub closing: CancellationToken,
}

/// What a connection becomes before HTTP is spoken on it.
#[derive(Debug)]
pub enum Intercepted {
    /// Speak HTTP.
    Http(TcpStream, Permit),
    /// Somebody else has taken it over.
    Taken,
}

/// The right to hold one connection; given back on drop.
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

/// Binds a listener with a deep queue.
///
/// # Errors
/// When the address is taken or not ours; the text says which address.
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

/// The filter that gives a handler its request's head.
pub fn head() -> impl Filter<Extract = (Head,), Error = warp::Rejection> + Copy {
    warp::ext::get::<Head>()
}

/// Serves `filter` until it is to close, then finishes what is under way; whether that was done
/// within the grace period.
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

/// As [`serve`], but `intercept` sees each connection first and may take it over.
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
    if let Err(error) = socket::bound_waiting(&listener, limits.write_timeout) {
        tracing::warn!(%error, "the kernel does not bound what waits for slow clients");
    }
    let tasks = TaskTracker::new();
    let stopping = Arc::new(Stopping::default());
    let _following = AbortOnDropHandle::new(tokio::spawn(stopping.clone().follow(stop.clone())));
    let mut failed = Seldom::new(TELL_EVERY);
    while let Some((stream, peer, permit)) =
        accept(name, &listener, &slots, &stop.closing, &mut failed).await
    {
        let (filter, intercept) = (filter.clone(), intercept.clone());
        let (stopping, limits) = (stopping.clone(), limits.clone());
        tasks.spawn(async move {
            if let Intercepted::Http(stream, permit) = intercept(stream, peer, permit).await {
                speak_http(stream, peer, filter, limits, stopping).await;
                drop(permit);
            }
        });
    }
    drop(listener);
    tasks.close();
    tokio::time::timeout(limits.grace, tasks.wait()).await.is_ok()
}

/// The next connection, once there is a slot for it; `None` when shutting down.
async fn accept(
    name: &'static str,
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    closing: &CancellationToken,
    failed: &mut Seldom,
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
                if let Some(times) = failed.happened() {
                    tracing::warn!(%error, times, "cannot accept a connection; are file handles used up?");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn speak_http<F>(
    stream: TcpStream,
    peer: PeerAddr,
    filter: F,
    limits: Limits,
    stopping: Arc<Stopping>,
) where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: warp::Reply,
    F::Future: Send,
{
    let routes = RefCell::new(warp::service(filter));
    let service = {
        let stopping = stopping.clone();
        service_fn(move |mut request: hyper::Request<Incoming>| {
            let headers = Arc::new(std::mem::take(request.headers_mut()));
            request.extensions_mut().insert(Head { peer, headers });
            let reply = tower_service::Service::call(&mut *routes.borrow_mut(), request);
            let stopping = stopping.clone();
            async move {
                let mut reply: Response = reply.await?;
                if stopping.is_draining() {
                    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(reply)
            }
        })
    };
    // Pipelined requests could otherwise be answered for ever to a client that reads none.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_timeout));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(ThriftyTimer::default())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(16 * 1024)
        .writev(false)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    tokio::pin!(connection);
    // Errors here are the client's: it went away, sent rubbish, or was too slow.
    let outcome = match stopping.unless_closing(connection.as_mut()).await {
        Some(outcome) => outcome,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "connection ended");
    }
}

/// The two steps of [`Stop`], for connections. Every look at a token takes a lock that all of them
/// share, and there are several for each request: so they look at flags.
#[derive(Debug, Default)]
struct Stopping {
    draining: AtomicBool,
    closing: AtomicBool,
    /// Cancelled after `closing` is set.
    closed: CancellationToken,
}

impl Stopping {
    async fn follow(self: Arc<Self>, stop: Stop) {
        let draining = async {
            stop.draining.cancelled().await;
            self.draining.store(true, Ordering::Release);
        };
        let closing = async {
            stop.closing.cancelled().await;
            self.closing.store(true, Ordering::Release);
            self.closed.cancel();
        };
        tokio::join!(draining, closing);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// What `work` gives, or `None` once connections are to be closed. To be awaited by a task of its
    /// own, since it waits on the token once, and is woken there.
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
