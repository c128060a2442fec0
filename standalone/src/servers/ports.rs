//! Finds free TCP ports for servers on this machine.
//!
//! The ports lie below the range that the kernel uses for outgoing connections (32768 and up). So no outgoing connection
//! can occupy the port of a server that restarts, and a client that reconnects in a loop cannot connect to itself.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// Returns a port on which nobody listens. Calls in one process return the same port again only after 17,000 others.
///
/// # Panics
/// Panics if every port between 15000 and 31999 is taken.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(u16::MAX);
    if NEXT.load(Ordering::Relaxed) == u16::MAX {
        let start = rand::random::<u16>() % COUNT;
        let _ = NEXT.compare_exchange(u16::MAX, start, Ordering::Relaxed, Ordering::Relaxed);
    }
    (0..COUNT)
        .map(|_| FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT)
        .find(|port| is_free(*port))
        .expect("some of 17,000 ports is free")
}

/// Whether a listener could be opened on this port, on all addresses of the machine.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}
