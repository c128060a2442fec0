//! Hands a connection from the HTTP server to a handler that writes to the bare socket.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpStream;
use warp::reply::Response;

use super::connections::Lease;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
type Taker = Box<dyn FnOnce(TcpStream, Arc<Lease>) -> Work + Send>;

/// A handler's wish to have the connection of its request instead of replying.
#[derive(Clone)]
pub struct TakeOver(Arc<Mutex<Option<Taker>>>);

impl std::fmt::Debug for TakeOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TakeOver")
    }
}

impl TakeOver {
    /// Returns the reply with which a handler asks for the connection. The listener sends nothing of this
    /// reply. It calls `taker` with the socket once all earlier replies are written.
    pub fn reply<F>(taker: impl FnOnce(TcpStream, Arc<Lease>) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let taker: Taker = Box::new(move |stream, lease| Box::pin(taker(stream, lease)));
        let mut reply = Response::default();
        reply.extensions_mut().insert(Self(Arc::new(Mutex::new(Some(taker)))));
        reply
    }

    /// Returns the work of the handler on this socket; `None` if it was taken before.
    pub(super) fn take(&self, stream: TcpStream, lease: Arc<Lease>) -> Option<Work> {
        let taker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(taker(stream, lease))
    }
}
