//! Sets the kernel's limits for clients that stop reading or vanish.
//!
//! Each accepted connection inherits the options of its listening socket, so they cost nothing per
//! connection.
//!
//! Invariant: a client that vanished without closing, or whose receive window stays closed, loses its
//! connection after the write time-out. Until then the kernel buffers little for it.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpListener;

/// Unsent bytes from which on the kernel takes no more. A slow viewer then receives the newest frame
/// next, instead of megabytes of old ones. Measured on loopback, 16 to 48 KiB stay queued with this
/// limit, because segments are filled up first, and 3 to 4 MiB without. Clients that read are unaffected.
const UNSENT_BYTES_MAX: u32 = 16 * 1024;
/// Bytes that the kernel takes from a client before this program reads them; it doubles the number for its own
/// records. Without a limit it grows to megabytes. The largest ballot fits.
const UNREAD_BYTES_MAX: usize = 32 * 1024;
/// Silence after which the kernel sends the first keep-alive probe.
const PROBE_AFTER: Duration = Duration::from_secs(30);
/// Time between keep-alive probes, until the write time-out ends the connection.
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// Sets the limits for all connections that are accepted from now on.
///
/// # Errors
/// Returns the kernel's error if it does not know one of the options.
pub(super) fn limit_slow_clients(
    listener: &TcpListener,
    write_timeout: Duration,
) -> io::Result<()> {
    let socket = SockRef::from(listener);
    socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    socket.set_recv_buffer_size(UNREAD_BYTES_MAX)?;
    socket.set_tcp_user_timeout(Some(write_timeout))?;
    let keepalive = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY);
    socket.set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn an_accepted_connection_has_what_its_listener_was_set_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        limit_slow_clients(&listener, Duration::from_secs(7)).unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let socket = SockRef::from(&accepted);
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT_BYTES_MAX);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(7)));
        assert_eq!(socket.recv_buffer_size().unwrap(), 2 * UNREAD_BYTES_MAX);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), PROBE_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), PROBE_EVERY);
    }
}
