//! Attackers who try to use up the memory and the connections of a service, and honest clients whose waits are measured
//! meanwhile.
//!
//! Half of each wave comes from one network, the other half from thousands; all of them are loopback addresses.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Tasks that open connections.
pub const TASKS: usize = 64;
/// How long the attackers stay once they have opened a wave.
const STAY: Duration = Duration::from_millis(1_500);
/// The longest that one step of an attacker takes.
const STEP: Duration = Duration::from_secs(2);
/// The longest that an honest client is patient.
const PATIENCE: Duration = Duration::from_secs(20);
/// The address of a proxy that the service should trust.
pub const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The address of honest clients.
const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

/// A way to hold a connection for little effort.
#[derive(Clone, Copy, Debug)]
pub enum Wave {
    /// Heads that never end.
    HalfHeads,
    /// Bodies that never end.
    HalfBodies,
    /// Requests whose replies are not read.
    SlowReaders,
    /// Connections that rest after a request.
    IdleKeptAlive,
    /// Very many requests at once, whose replies are not read.
    Pipelining,
}

impl Wave {
    /// Every way.
    pub const ALL: [Self; 5] = [
        Self::HalfBodies,
        Self::HalfHeads,
        Self::SlowReaders,
        Self::IdleKeptAlive,
        Self::Pipelining,
    ];

    fn bytes(self) -> Vec<u8> {
        let document = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
        match self {
            Self::HalfHeads => format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(9_000)),
            Self::HalfBodies => format!(
                "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 16000\r\n\
                 content-type: application/x-www-form-urlencoded\r\n\r\n{}",
                "v".repeat(15_000)
            ),
            Self::SlowReaders => document.to_owned(),
            Self::IdleKeptAlive => document.replace("GET", "HEAD"),
            Self::Pipelining => document.repeat(600),
        }
        .into_bytes()
    }
}

/// The address from which an attacker connects: every second one in the same network.
fn source(number: usize) -> Ipv4Addr {
    let part = |n: usize| (n % 250) as u8;
    match number % 2 {
        0 => Ipv4Addr::new(127, 99, 99, part(number / 2) + 1),
        _ => Ipv4Addr::new(127, 100 + part(number / 500) % 100, part(number / 2), 1),
    }
}

/// Connects from this address.
///
/// # Errors
/// Returns the error of the system.
pub async fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if from != HONEST && from != PROXY {
        // A slow reader's own buffers take little of the reply.
        socket.set_recv_buffer_size(4_096)?;
    }
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(to).await
}

/// Opens one wave of so many connections and holds it for a while.
///
/// # Panics
/// Panics if a task of it does.
pub async fn attack(wave: Wave, connections: usize, to: SocketAddr) {
    let bytes: Arc<[u8]> = wave.bytes().into();
    let tasks = (0..TASKS).map(|task| {
        let bytes = bytes.clone();
        tokio::spawn(async move {
            let mut held = Vec::new();
            for number in (task..connections).step_by(TASKS) {
                let step = async {
                    let mut connection = connect(source(number), to).await?;
                    connection.write_all(&bytes).await?;
                    std::io::Result::Ok(connection)
                };
                if let Ok(Ok(connection)) = tokio::time::timeout(STEP, step).await {
                    held.push(connection);
                }
                // Who pipelines is stuck once the buffers on the way are full.
                if matches!(wave, Wave::Pipelining) && number > connections / 8 {
                    break;
                }
            }
            held
        })
    });
    let mut held = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        held.extend(task.await.expect("no step of an attacker panics"));
    }
    tokio::time::sleep(STAY).await;
}

/// Honest clients, on a thread of their own.
#[derive(Debug)]
pub struct Honest {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Served>,
}

/// How honest clients were served.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// How long each of them waited, the shortest first.
    pub waits: Vec<Duration>,
    /// Requests that were repeated because their connection was closed.
    pub repeated: usize,
}

impl Served {
    /// The wait that 99 of 100 clients did not exceed.
    pub fn p99(&self) -> Duration {
        self.waits.get(self.waits.len() * 99 / 100).copied().unwrap_or_default()
    }

    /// The longest wait.
    pub fn longest(&self) -> Duration {
        self.waits.last().copied().unwrap_or_default()
    }
}

impl Honest {
    /// Sends this request again and again, each on a new connection, and expects these words in the reply.
    pub fn start(to: SocketAddr, request: String, words: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime can be built");
            runtime.block_on(ask_until(stopped, to, &request, words))
        });
        Self { stop, thread }
    }

    /// Stops, and returns how they were served.
    ///
    /// # Panics
    /// Panics if one of them was not served within 20 seconds.
    pub fn stop(self) -> Served {
        self.stop.store(true, Ordering::Relaxed);
        let mut served = self.thread.join().expect("every honest client was served");
        served.waits.sort();
        served
    }
}

async fn ask_until(
    stopped: Arc<AtomicBool>,
    to: SocketAddr,
    request: &str,
    words: &'static str,
) -> Served {
    let mut served = Served::default();
    while !stopped.load(Ordering::Relaxed) {
        let since = Instant::now();
        // A browser repeats a request whose connection was closed.
        while !exchange(to, request).await.contains(words) {
            served.repeated += 1;
            assert!(since.elapsed() < PATIENCE, "no reply with {words}");
        }
        served.waits.push(since.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    served
}

async fn exchange(to: SocketAddr, request: &str) -> String {
    let mut reply = Vec::new();
    let exchange = async {
        let mut connection = connect(HONEST, to).await?;
        connection.write_all(request.as_bytes()).await?;
        connection.read_to_end(&mut reply).await
    };
    let _ = tokio::time::timeout(Duration::from_secs(10), exchange).await;
    String::from_utf8_lossy(&reply).into_owned()
}
