//! Free loopback ports.
//!
//! Ports are taken from below the kernel's range for outgoing connections (32768 and up): an
//! outgoing connection can therefore not sit on a server's port while that server restarts, and a
//! client that reconnects in a loop cannot connect to itself.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// A port nobody listens on; two calls in one process never give the same one soon.
///
/// # Panics
/// If every port between 15000 and 31999 is taken.
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

/// Whether a listener could be opened on this port, on every address.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}
