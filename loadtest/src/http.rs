//! A small HTTP/1.1 client: where requests go, the connections, and the replies.
//!
//! It is hand-written because it runs once a ballot, and its cost would show in every latency.

pub(crate) mod addresses;
pub(crate) mod chunks;
pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod endpoint;
pub(crate) mod proxy;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod target;
