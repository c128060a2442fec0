//! Attackers who try to use up the memory and the connections of a service, at the limits of `k8s/base`.
//!
//! The aim for the 99th percentile of honest clients is 500 ms. The tests print it and demand only that every honest client
//! is served, because services that are built without optimisation share the machine with the attackers and whatever else
//! runs. `make bench BENCH=attack` measures it with release builds.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::attack::{Honest, PROXY, TASKS, Wave, attack, connect};
use testkit::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cage::Cage;
use super::{PollServers, SOON, ServiceProcess};

/// Connections of one wave against the producer; most of its 15,000 slots.
const VOTERS_WAVE: usize = 11_000;
/// Connections of one wave against the dashboard, beside its viewers: this process has 20,000 file descriptors.
const VIEWERS_WAVE: usize = 8_000;
/// Viewers behind a proxy.
const VIEWERS: usize = 10_000;
/// The bound on honest clients' 99th percentile that is demanded on any machine.
const P99_MAX: Duration = Duration::from_secs(20);

/// Held by the test that attacks: there are not enough file descriptors for two.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

const TALLY: &str = "GET /api/polls/pets/tally HTTP/1.1\r\nhost: x\r\n\r\n";
const BALLOT: &str = "POST /api/polls/pets/ballots HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
    content-type: application/json\r\ncontent-length: 20\r\n\r\n{\"choices\":[\"cats\"]}";

/// Stops honest clients, prints how they were served, and demands the bound on the 99th percentile.
fn expect_served(honest: Honest, service: &str) {
    let served = honest.stop();
    let (p99, most) = (served.p99(), served.longest());
    let (count, repeated) = (served.waits.len(), served.repeated);
    println!(
        "{service}: {count} honest clients, p99 {p99:?}, longest {most:?}, {repeated} repeated"
    );
    assert!(repeated <= 5.max(count / 10), "{count} served, {repeated} repeated");
    assert!(p99 < P99_MAX, "{p99:?}");
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
    let honest = Honest::start(to, BALLOT.to_owned(), "202 Accepted");
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
    expect_served(honest, "producer");
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
    let honest = Honest::start(to, request.to_owned(), "200 OK");
    for wave in [Wave::HalfHeads, Wave::SlowReaders, Wave::IdleKeptAlive, Wave::Pipelining] {
        attack(wave, VIEWERS_WAVE, to).await;
        println!("{wave:?}");
        expect_alive(&mut dashboard, &cage).await;
        let lost = viewers.iter().filter(|viewer| !is_open(viewer)).count();
        assert_eq!(lost, 0, "viewers behind a trusted proxy lost their streams");
    }
    expect_served(honest, "dashboard");
    drop(dashboard);
}
