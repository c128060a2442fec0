//! The part of a request that comes before its body, for handlers.

use std::net::IpAddr;
use std::sync::Arc;

use warp::http::HeaderMap;

/// The IP address at the other end of a connection: the client, or a proxy before it.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddr(pub IpAddr);

/// Everything a request says before its body, for handlers; see [`super::head()`].
#[derive(Clone, Debug)]
pub struct Head {
    /// The address at the other end of the request's connection.
    pub peer: PeerAddr,
    /// The request's headers. They are moved here, because copying them costs more than all their
    /// uses; warp's own header filters therefore find none.
    pub headers: Arc<HeaderMap>,
}
