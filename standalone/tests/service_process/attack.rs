//! Attackers who try to use up the memory and the connections of a service, at the limits of `k8s/base`.
//!
//! Half of each wave comes from one network, the other half from thousands. Meanwhile honest clients are measured. The aim
//! for their 99th percentile is 500 ms. The tests print it and demand only that every honest client is served, because
//! attackers and services, built without optimisation, share the machine with whatever else runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::cage::Cage;
use super::{PollServers, SOON, ServiceProcess};

/// Connections of one wave against the producer; most of its 15,000 slots.
const VOTERS_WAVE: usize = 11_000;
/// Connections of one wave against the dashboard, beside its viewers: this process has 20,000 file descriptors.
const VIEWERS_WAVE: usize = 8_000;
/// Tasks that open them.
const TASKS: usize = 64;
/// Viewers behind a proxy.
const VIEWERS: usize = 10_000;
/// How long the attackers stay once they have opened a wave.
const STAY: Duration = Duration::from_millis(1_500);
/// The longest that one step of an attacker takes.
const STEP: Duration = Duration::from_secs(2);
/// The bound on honest clients' 99th percentile that is demanded on any machine.
const P99_MAX: Duration = Duration::from_secs(20);
/// The address of a proxy that the service trusts.
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The address of honest clients.
const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

/// Held by the test that attacks: there are not enough file descriptors for two.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

const TALLY: &str = "GET /api/polls/pets/tally HTTP/1.1\r\nhost: x\r\n\r\n";
const BALLOT: &str = "POST /api/polls/pets/ballots HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
    content-type: application/json\r\ncontent-length: 20\r\n\r\n{\"choices\":[\"cats\"]}";

/// A way to hold a connection for little effort.
#[derive(Clone, Copy, Debug)]
enum Wave {
    HalfHeads,
    HalfBodies,
    SlowReaders,
    IdleKeptAlive,
    Pipelining,
}

impl Wave {
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
    let part = |n: usize| u8::try_from(n % 250).unwrap();
    match number % 2 {
        0 => Ipv4Addr::new(127, 99, 99, part(number / 2) + 1),
        _ => Ipv4Addr::new(127, 100 + part(number / 500) % 100, part(number / 2), 1),
    }
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if from != HONEST && from != PROXY {
        // A slow reader's own buffers take little of the reply.
        socket.set_recv_buffer_size(4_096)?;
    }
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(to).await
}

/// Opens one wave and holds it for a while.
async fn attack(wave: Wave, connections: usize, to: SocketAddr) {
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
        held.extend(task.await.unwrap());
    }
    tokio::time::sleep(STAY).await;
}

/// Honest clients, on a thread of their own.
struct Honest {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(Vec<Duration>, usize)>,
}

impl Honest {
    /// Sends this request again and again, each on a new connection, and expects these words in the reply.
    fn start(to: SocketAddr, request: &'static str, words: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (mut times, mut repeated) = (Vec::new(), 0);
                while !stopped.load(Ordering::Relaxed) {
                    let since = Instant::now();
                    // A browser repeats a request whose connection was closed.
                    while !exchange(to, request).await.contains(words) {
                        repeated += 1;
                        assert!(since.elapsed() < Duration::from_secs(20), "no reply with {words}");
                    }
                    times.push(since.elapsed());
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                (times, repeated)
            })
        });
        Self { stop, thread }
    }

    /// Stops, prints what they saw, and demands the bound on the 99th percentile.
    fn expect_served(self, service: &str) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut times, repeated) = self.thread.join().expect("every honest client was served");
        times.sort();
        let p99 = times[times.len() * 99 / 100];
        let (most, count) = (times[times.len() - 1], times.len());
        println!(
            "{service}: {count} honest clients, p99 {p99:?}, longest {most:?}, {repeated} repeated"
        );
        assert!(repeated <= 5.max(count / 10), "{count} served, {repeated} repeated");
        assert!(p99 < P99_MAX, "{p99:?}");
    }
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

/// Opens event streams as a proxy does: on connections that have served another request before.
async fn watch_through_a_proxy(to: SocketAddr) -> Vec<TcpStream> {
    let tasks = (0..TASKS).map(|task| {
        tokio::spawn(async move {
            let mut viewers = Vec::new();
            for _ in (task..VIEWERS).step_by(TASKS) {
                let mut connection = connect(PROXY, to).await.unwrap();
                connection.write_all(TALLY.as_bytes()).await.unwrap();
                read_until(&mut connection, "}").await;
                let events = TALLY.replace("tally", "events");
                connection.write_all(events.as_bytes()).await.unwrap();
                read_until(&mut connection, "data: ").await;
                viewers.push(connection);
            }
            viewers
        })
    });
    let mut viewers = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        viewers.extend(task.await.unwrap());
    }
    viewers
}

async fn read_until(connection: &mut TcpStream, words: &str) {
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains(words) {
        let read = tokio::time::timeout(Duration::from_secs(20), connection.read_buf(&mut got));
        assert_ne!(read.await.expect("a reply in time").unwrap(), 0, "closed");
    }
}

/// Whether the connection is still open, after all that came is read.
fn is_open(connection: &TcpStream) -> bool {
    let mut buffer = [0; 4_096];
    loop {
        match connection.try_read(&mut buffer) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

async fn start(servers: &PollServers, program: &str, cage: &Cage) -> ServiceProcess {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).unwrap();
    let before = format!("{} true", cage.enter());
    let proxy = format!("{PROXY}/32");
    let setting = cage.setting();
    let mut variables = vec![("TRUSTED_PROXIES", proxy.as_str()), ("LOG_FORMAT", "text")];
    variables.extend(setting.iter().map(|(name, value)| (*name, value.as_str())));
    servers.start_after(program, &before, &variables).await
}

/// Checks that the service lives, is ready, and has stayed within its memory.
async fn expect_alive(service: &mut ServiceProcess, cage: &Cage) {
    assert!(service.child.try_wait().unwrap().is_none(), "it ended: {}", service.logged());
    let (peak, kills) = cage.peak_and_kills(service.child.id());
    println!("peak {} MiB of {} MiB, {kills} killed", peak >> 20, cage.bytes >> 20);
    assert_eq!(kills, 0, "{}", service.logged());
    assert!(peak <= cage.bytes, "{peak}");
    eventually(SOON, async || service.admin.ask("GET", "/readyz").await.status == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attacked_producer_keeps_its_voters_and_its_memory() {
    let _alone = ALONE.lock().await;
    let cage = Cage::of("producer");
    let servers = PollServers::new().await;
    let mut producer = start(&servers, "producer", &cage).await;
    let to = producer.client.address;
    let honest = Honest::start(to, BALLOT, "202 Accepted");
    for wave in [
        Wave::HalfBodies,
        Wave::HalfHeads,
        Wave::SlowReaders,
        Wave::IdleKeptAlive,
        Wave::Pipelining,
        Wave::HalfBodies,
    ] {
        attack(wave, VOTERS_WAVE, to).await;
        println!("{wave:?}");
        expect_alive(&mut producer, &cage).await;
    }
    honest.expect_served("producer");
    drop(producer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attacked_dashboard_keeps_its_viewers_and_its_memory() {
    let _alone = ALONE.lock().await;
    let cage = Cage::of("dashboard");
    let servers = PollServers::new().await;
    let mut dashboard = start(&servers, "dashboard", &cage).await;
    let to = dashboard.client.address;
    let viewers = watch_through_a_proxy(to).await;
    println!("{} viewers", viewers.len());
    expect_alive(&mut dashboard, &cage).await;
    let request = "GET /api/polls/pets/tally HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let honest = Honest::start(to, request, "200 OK");
    for wave in [Wave::HalfHeads, Wave::SlowReaders, Wave::IdleKeptAlive, Wave::Pipelining] {
        attack(wave, VIEWERS_WAVE, to).await;
        println!("{wave:?}");
        expect_alive(&mut dashboard, &cage).await;
        let lost = viewers.iter().filter(|viewer| !is_open(viewer)).count();
        assert_eq!(lost, 0, "viewers behind a trusted proxy lost their streams");
    }
    honest.expect_served("dashboard");
    drop(dashboard);
}
