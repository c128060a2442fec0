//! A TCP proxy that can hold bytes back, delay them, or break connections.
//!
//! It stands between one client and its server, so that a network fault hits this pair and nobody else.
//! Invariants: bytes are never changed or reordered; a connection that [`Proxy::half_open`] killed stays dead when the
//! fault is over.
//! Absent on purpose: lost or damaged segments, which TCP hides from both ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use standalone::servers::free_port;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The way in which a proxy treats the bytes that pass through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Forwards everything at once.
    Pass,
    /// Holds the bytes of both directions back. They arrive when the mode changes.
    Cut,
    /// Holds the client's bytes back; the server's bytes still reach the client.
    CutTo,
    /// Holds the server's bytes back; the client's requests still reach the server.
    CutFrom,
    /// Delays each piece that is read by this time, in both directions.
    Delay(Duration),
    /// Ends all connections with a TCP reset (RST), and each new one as soon as it is accepted.
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    To,
    From,
}

impl Mode {
    fn holds(self, direction: Direction) -> bool {
        match self {
            Self::Cut => true,
            Self::CutTo => direction == Direction::To,
            Self::CutFrom => direction == Direction::From,
            Self::Pass | Self::Delay(_) | Self::Reset => false,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct State {
    mode: Mode,
    /// Connections with a lower number are half open: their server's end is gone, and the client was not informed.
    dead_before: u64,
}

/// A running proxy on a port of its own. Dropping the value ends it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: watch::Sender<State>,
    targets: Arc<Mutex<Vec<u16>>>,
    connections: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Opens a proxy in front of these ports of 127.0.0.1. If there are several, connections are given to them in
    /// turn, as by a plain load balancer; a port that refuses is passed over.
    ///
    /// # Errors
    /// Returns the operating system's error if the proxy cannot listen on a free port.
    pub async fn open(targets: Vec<u16>) -> anyhow::Result<Self> {
        let port = free_port();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.with_context(|| format!("cannot open a proxy on port {port}"))?;
        let (state, seen) = watch::channel(State { mode: Mode::Pass, dead_before: 0 });
        let targets = Arc::new(Mutex::new(targets));
        let connections = Arc::new(AtomicU64::new(0));
        let (numbers, aims) = (connections.clone(), targets.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(client, number, seen.clone(), aims.clone()));
            }
        });
        Ok(Self { port, state, targets, connections, task })
    }

    /// Returns the port on 127.0.0.1 to which clients connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the way in which bytes are treated, for open and new connections.
    pub fn set(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
    }

    /// Closes the server's end of all open connections and leaves the clients uninformed, as if the server's machine
    /// had vanished. New connections are forwarded.
    pub fn half_open(&self) {
        let next = self.connections.load(Ordering::Relaxed);
        self.state.send_modify(|state| state.dead_before = next);
    }

    /// Sends new connections to another port, as if the server's address had moved to another machine.
    pub fn aim(&self, target: u16) {
        *self.targets.lock().unwrap_or_else(PoisonError::into_inner) = vec![target];
    }
}

async fn serve(
    mut client: TcpStream,
    number: u64,
    mut state: watch::Receiver<State>,
    targets: Arc<Mutex<Vec<u16>>>,
) {
    // A host that cannot be reached answers nothing. This proxy has accepted the connection, so it stays silent.
    let open = state.wait_for(|state| !state.mode.holds(Direction::To)).await;
    let Ok(open) = open.map(|state| *state) else { return };
    if open.mode == Mode::Reset {
        return reset(&client);
    }
    let Some(mut server) = connect(number, &targets).await else { return reset(&client) };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let mut end = state.clone();
    let ended = {
        let (mut client_reads, mut client_writes) = client.split();
        let (mut server_reads, mut server_writes) = server.split();
        let to = pump(&mut client_reads, &mut server_writes, Direction::To, state.clone());
        let from = pump(&mut server_reads, &mut client_writes, Direction::From, state);
        let over = |state: &State| state.mode == Mode::Reset || number < state.dead_before;
        tokio::select! {
            // The end is checked first, or a reply that was held back would still arrive.
            biased;
            ended = end.wait_for(over) => ended.ok().map(|state| *state),
            _ = async { tokio::try_join!(to, from) } => None,
        }
    };
    match ended {
        Some(state) if number < state.dead_before => {
            drop(server);
            swallow(&mut client).await;
        }
        Some(_) => {
            reset(&client);
            reset(&server);
        }
        None => {}
    }
}

/// Connects to the first target that accepts, beginning with another target for each connection number.
async fn connect(number: u64, targets: &Mutex<Vec<u16>>) -> Option<TcpStream> {
    let targets = targets.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for nth in 0..targets.len() as u64 {
        let target = targets[((number + nth) % targets.len() as u64) as usize];
        if let Ok(server) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], target))).await {
            return Some(server);
        }
    }
    None
}

/// Forwards the bytes of one direction until their sender closes it.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    direction: Direction,
    mut state: watch::Receiver<State>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // The channel closes when the proxy is dropped, and then this connection is not needed either.
        let open = state.wait_for(|state| !state.mode.holds(direction)).await;
        let mode = open.map_err(|_| std::io::ErrorKind::ConnectionAborted)?.mode;
        let length = tokio::select! {
            read = from.read(&mut buffer) => read?,
            _ = state.changed() => continue,
        };
        if length == 0 {
            return to.shutdown().await;
        }
        if let Mode::Delay(late) = mode {
            tokio::time::sleep(late).await;
        }
        // Bytes that were read just before a cut are held back as well.
        let _ = state.wait_for(|state| !state.mode.holds(direction)).await;
        to.write_all(&buffer[..length]).await?;
    }
}

/// Reads and drops a client's bytes until the client gives up: its peer is dead, and nobody answers.
async fn swallow(client: &mut TcpStream) {
    let mut buffer = vec![0; 4096];
    while client.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
}

/// Makes the close of this connection a TCP reset (RST).
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);
    const A_WHILE: Duration = Duration::from_millis(150);

    /// A server that sends back all that it receives, and a proxy in front of it.
    async fn echo() -> (Proxy, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reads, mut writes) = stream.split();
                    let _ = tokio::io::copy(&mut reads, &mut writes).await;
                });
            }
        });
        (Proxy::open(vec![port]).await.unwrap(), server)
    }

    async fn client(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap()
    }

    async fn receive(stream: &mut TcpStream, within: Duration) -> Option<u8> {
        let mut byte = [0];
        let read = tokio::time::timeout(within, stream.read_exact(&mut byte)).await;
        read.ok().map(|read| read.map_or(b'!', |_| byte[0]))
    }

    #[tokio::test]
    async fn bytes_that_a_cut_holds_back_arrive_when_it_is_healed() {
        for mode in [Mode::Cut, Mode::CutTo, Mode::CutFrom] {
            let (proxy, _server) = echo().await;
            let mut stream = client(&proxy).await;
            stream.write_all(b"a").await.unwrap();
            assert_eq!(receive(&mut stream, SOON).await, Some(b'a'));
            proxy.set(mode);
            stream.write_all(b"b").await.unwrap();
            assert_eq!(receive(&mut stream, A_WHILE).await, None, "{mode:?}");
            proxy.set(Mode::Pass);
            assert_eq!(receive(&mut stream, SOON).await, Some(b'b'), "{mode:?}");
        }
    }

    #[tokio::test]
    async fn a_half_open_connection_stays_dead_and_new_ones_live() {
        let (proxy, _server) = echo().await;
        let mut old = client(&proxy).await;
        old.write_all(b"a").await.unwrap();
        assert_eq!(receive(&mut old, SOON).await, Some(b'a'));
        proxy.half_open();
        old.write_all(b"b").await.unwrap();
        assert_eq!(receive(&mut old, A_WHILE).await, None);
        let mut new = client(&proxy).await;
        new.write_all(b"c").await.unwrap();
        assert_eq!(receive(&mut new, SOON).await, Some(b'c'));
        proxy.set(Mode::Pass);
        assert_eq!(receive(&mut old, A_WHILE).await, None);
    }

    #[tokio::test]
    async fn a_reset_ends_old_and_new_connections() {
        let (proxy, _server) = echo().await;
        let mut old = client(&proxy).await;
        old.write_all(b"a").await.unwrap();
        assert_eq!(receive(&mut old, SOON).await, Some(b'a'));
        proxy.set(Mode::Reset);
        assert_eq!(receive(&mut old, SOON).await, Some(b'!'));
        assert_eq!(receive(&mut client(&proxy).await, SOON).await, Some(b'!'));
    }

    #[tokio::test]
    async fn a_target_that_is_gone_is_passed_over() {
        let (first, _server) = echo().await;
        let proxy = Proxy::open(vec![free_port(), first.port()]).await.unwrap();
        for _ in 0..4 {
            let mut stream = client(&proxy).await;
            stream.write_all(b"a").await.unwrap();
            assert_eq!(receive(&mut stream, SOON).await, Some(b'a'));
        }
    }
}
