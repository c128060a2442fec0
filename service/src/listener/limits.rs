//! Bounds on the connections of one listener, from the settings and the machine.

use std::convert::Infallible;
use std::time::Duration;

use ipnet::IpNet;

use super::memory_limit;
use crate::config::ListenerArgs;
use crate::fd_limit;
use crate::health::{Gate, Health};
use crate::http::BasePath;

/// How long a connection without a request stays open once the service drains. Clients check a connection
/// that has rested for longer, or send the request again when it turns out to be closed.
pub const IDLE_GRACE: Duration = Duration::from_secs(1);

/// Bounds on the connections of one listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most connections held at once.
    pub connections_max: usize,
    /// Memory of the whole process in bytes; [`super::budget::Bounds`] says which part is for connections.
    pub memory_bytes: usize,
    /// Longest time for a request's head to arrive, and for a connection to stay idle.
    pub header_timeout: Duration,
    /// Longest time for which a client may read nothing of its reply.
    pub write_timeout: Duration,
    /// Age from which on a connection ends after its current request.
    pub lifetime: Duration,
    /// Networks of proxies, which speak for many clients and have no share of their own.
    pub proxies: Vec<IpNet>,
    /// The path in front of all addresses, which requests lose before they are routed.
    pub base_path: BasePath,
    /// Says that the service is not ready while newcomers find no room.
    pub gate: Option<Gate>,
    /// For how many seconds a browser that came through TLS comes back through TLS alone; 0 for no such promise.
    pub hsts_max_age_s: u32,
    /// Whether every client is connected through TLS, also where no header says so.
    pub always_https: bool,
    /// Longest time for requests in flight once the shutdown has begun.
    pub grace: Duration,
    /// How long connections without a request stay open once draining has begun, for the request that
    /// may be on its way; at most half of `grace`.
    pub idle_grace: Duration,
}

impl Limits {
    /// Reads the limits from the settings; the process' file descriptors may allow fewer connections. The gate of
    /// `health` stays open until newcomers find no room.
    pub fn new(args: &ListenerArgs, proxies: &[IpNet], grace: Duration, health: &Health) -> Self {
        let gate = health.gate("room");
        gate.report(Ok::<(), Infallible>(()));
        Self {
            connections_max: fd_limit::allowed_connections(args.connections_max),
            memory_bytes: memory_limit::bytes(args.memory_bytes_max),
            header_timeout: Duration::from_millis(args.header_timeout_ms),
            write_timeout: args.write_timeout(),
            lifetime: Duration::from_millis(args.connection_lifetime_ms),
            proxies: proxies.to_vec(),
            base_path: args.base_path.clone(),
            gate: Some(gate),
            hsts_max_age_s: args.hsts_max_age_s,
            always_https: false,
            grace,
            idle_grace: IDLE_GRACE.min(grace / 2),
        }
    }
}
