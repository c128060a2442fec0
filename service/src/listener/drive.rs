//! Serves one connection: as a bare socket while it rests, and with hyper while requests come.
//!
//! hyper's buffers exist only while a connection is used, so a resting connection costs little more than its socket.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;
use warp::Filter;
use warp::reply::{Reply as _, Response};

use super::budget::Kind;
use super::connections::{Lease, Told};
use super::head::{Head, PeerAddr};
use super::take_over::TakeOver;
use super::wire::{Arriving, Pieces, Socket};
use crate::http::{self, BasePath};
use crate::problem::{self, Problem};

/// Longest head of a request in bytes, and the size up to which hyper gathers a reply before it writes.
const BUFFER_BYTES_MAX: usize = 16 * 1024;

/// The parts that all connections of a listener share.
pub(super) struct Shared<F> {
    pub(super) filter: F,
    pub(super) draining: AtomicBool,
    /// As in [`super::Limits::base_path`].
    pub(super) base_path: BasePath,
    /// As in [`super::Limits::hsts_max_age_s`].
    pub(super) hsts_max_age_s: u32,
    /// As in [`super::Limits::always_https`].
    pub(super) always_https: bool,
    pub(super) tasks: TaskTracker,
}

/// A handler that has asked for the connection instead of replying, if any.
type Taker = Mutex<Option<TakeOver>>;

/// The way in which a connection leaves hyper.
enum Next {
    /// It has ended.
    Ended,
    /// It rests; these bytes were read and not used.
    Rests(TcpStream, Bytes),
    /// A handler has asked for it.
    TakenOver(TcpStream, TakeOver),
}

/// Serves a connection until it ends.
pub(super) async fn serve<F>(
    mut stream: TcpStream,
    peer: PeerAddr,
    lease: Lease,
    shared: Arc<Shared<F>>,
) where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: warp::Reply,
    F::Future: Send,
{
    let lease = Arc::new(lease);
    let mut unread = Bytes::new();
    loop {
        if unread.is_empty() {
            lease.set(Kind::Idle);
            // The socket counts as readable at first, though nothing has come, so this waits for a byte.
            let mut first_byte = [0];
            tokio::select! {
                peeked = stream.peek(&mut first_byte) => if !matches!(peeked, Ok(1..)) { return },
                () = lease.ended() => return,
            }
            if !lease.activate().await {
                return;
            }
        }
        // On the heap, so that a resting connection does not keep room for it.
        let next = Box::pin(speak(stream, unread, peer, &lease, &shared)).await;
        match next {
            Next::Ended => return,
            Next::Rests(bare, rest) => (stream, unread) = (bare, rest),
            Next::TakenOver(bare, take_over) => {
                lease.is_viewer();
                if let Some(work) = take_over.take(bare, lease) {
                    // A task of its own, because this one is larger than the handler's.
                    shared.tasks.spawn(work);
                }
                return;
            }
        }
    }
}

/// Speaks HTTP/1.1 on a connection until it ends, rests, or a handler asks for it.
async fn speak<F>(
    stream: TcpStream,
    unread: Bytes,
    peer: PeerAddr,
    lease: &Arc<Lease>,
    shared: &Arc<Shared<F>>,
) -> Next
where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: warp::Reply,
    F::Future: Send,
{
    let routes = RefCell::new(warp::service(shared.filter.clone()));
    let asked = Arc::new(Taker::default());
    let service = {
        let (lease, shared, asked) = (lease.clone(), shared.clone(), asked.clone());
        service_fn(move |mut request: hyper::Request<Incoming>| {
            lease.begin_request(!request.body().is_end_stream());
            let headers = Arc::new(std::mem::take(request.headers_mut()));
            let refused = http::check_host(request.version(), &headers);
            let transport = http::Transport::of(&headers, shared.always_https);
            request.extensions_mut().insert(Head { peer, headers });
            if let Some(uri) = shared.base_path.removed_from(request.uri()) {
                *request.uri_mut() = uri;
            }
            let request = request.map(|body| Arriving::new(body, lease.clone()));
            let reply = match refused {
                Some(reason) => Err(reason),
                None => Ok(tower_service::Service::call(&mut *routes.borrow_mut(), request)),
            };
            finish_reply(reply, transport, lease.clone(), shared.clone(), asked.clone())
        })
    };
    let socket = TokioIo::new(Socket::new(stream, unread, lease.clone()));
    let connection = hyper::server::conn::http1::Builder::new()
        .max_buf_size(BUFFER_BYTES_MAX)
        .writev(false)
        .serve_connection(socket, service);
    let mut connection = Some(connection);
    let (mut finishing, slot) = (false, &lease.slot);
    std::future::poll_fn(move |context| {
        slot.register(context);
        let Some(open) = &mut connection else { return Poll::Ready(Next::Ended) };
        let told = slot.told();
        if told == Told::Close {
            return Poll::Ready(Next::Ended);
        }
        if told == Told::Finish && !std::mem::replace(&mut finishing, true) {
            Pin::new(&mut *open).graceful_shutdown();
        }
        if let Poll::Ready(outcome) = Pin::new(open).poll(context) {
            // Errors here are the client's doing: it went away, sent no HTTP, or was too slow.
            if let Err(error) = outcome {
                tracing::debug!("a client connection ended: {error}");
            }
            return Poll::Ready(Next::Ended);
        }
        // Requests for the connection wait until earlier replies are written.
        let is_written = !slot.blocked.load(Ordering::Relaxed);
        let taker = if is_written { taken(&asked) } else { None };
        lease.settle();
        let rests = told == Told::Park && slot.kind() == Kind::Kept;
        slot.forget_park();
        if taker.is_none() && !rests {
            return Poll::Pending;
        }
        let Some(open) = connection.take() else { return Poll::Ready(Next::Ended) };
        let parts = open.into_parts();
        let stream = parts.io.into_inner().into_stream();
        Poll::Ready(match taker {
            Some(taker) => Next::TakenOver(stream, taker),
            None => Next::Rests(stream, parts.read_buf),
        })
    })
    .await
}

/// Waits for the reply, or writes one that refuses the request for this reason, and prepares it for hyper. If its handler
/// asks for the connection instead, the connection's task finds that in `asked`, and this future never ends.
async fn finish_reply<F>(
    reply: Result<impl Future<Output = Result<Response, Infallible>>, &'static str>,
    transport: http::Transport,
    lease: Arc<Lease>,
    shared: Arc<Shared<F>>,
    asked: Arc<Taker>,
) -> Result<hyper::Response<Pieces<impl Body<Data = Bytes, Error = warp::Error> + Unpin>>, Infallible>
{
    let mut reply: Response = match reply {
        Ok(reply) => reply.await?,
        Err(reason) => Problem::malformed(reason).into_response(),
    };
    if let Some(take_over) = reply.extensions_mut().remove::<TakeOver>() {
        *asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(take_over);
        return std::future::pending().await;
    }
    transport.mark(&mut reply, shared.hsts_max_age_s);
    problem::put_below(&mut reply, &shared.base_path);
    lease.slot.in_flight.store(false, Ordering::Relaxed);
    // A body may have come after its head; it is no part of the next head.
    lease.slot.received.store(0, Ordering::Relaxed);
    if shared.draining.load(Ordering::Acquire) {
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(reply.map(Pieces::new))
}

fn taken(asked: &Taker) -> Option<TakeOver> {
    asked.lock().unwrap_or_else(PoisonError::into_inner).take()
}
