//! A service as a process of its own: how it keeps within its limits of open files and memory, and its JSON logs.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

mod attack;
mod cage;

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process};
use serde_json::Value;
use testkit::http::{Client, Contract};
use testkit::{binary, eventually, folder, free_port, unique_name};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

const SOON: Duration = Duration::from_secs(60);
/// Held by tests in which very many clients come at once: they would take each other's time.
static ONE_CROWD_AT_A_TIME: Mutex<()> = Mutex::const_new(());
/// More clients than a service with the open-file limit [`FEW`] could serve.
const CROWD: usize = 300;
const FEW: &str = "-n 256";
/// The connections that a service with this limit accepts: the rest of its files is kept for its own use.
const CONNECTIONS: &str = "128";

/// Redis and Postgres with one open poll, `pets`.
struct PollServers {
    redis: String,
    database: String,
    prefix: String,
}

/// A running service, its clients and its log.
struct ServiceProcess {
    child: Child,
    client: Client,
    admin: Client,
    log: PathBuf,
}

impl PollServers {
    async fn new() -> Self {
        let (redis, database) = (testkit::redis(), testkit::database().await);
        let servers = Self { redis, database, prefix: unique_name() };
        servers.votectl(&["migrate"]);
        let poll = ["poll", "create", "--slug", "pets", "--title", "Pets?", "--open"];
        servers.votectl(&[&poll[..], &["--option", "Cats", "--option", "Dogs"]].concat());
        servers
    }

    fn votectl(&self, arguments: &[&str]) {
        let said = self.command(binary("votectl")).args(arguments).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("REDIS_URL", &self.redis)
            .env("DATABASE_URL", &self.database)
            .env("KEY_PREFIX", &self.prefix);
        command
    }

    /// Starts a service with this `ulimit`, and waits until it is ready.
    async fn start(
        &self,
        program: &str,
        limit: &str,
        variables: &[(&str, &str)],
    ) -> ServiceProcess {
        self.start_after(program, &format!("ulimit {limit}"), variables).await
    }

    /// Starts a service after this shell command, and waits until it is ready.
    async fn start_after(
        &self,
        program: &str,
        before: &str,
        variables: &[(&str, &str)],
    ) -> ServiceProcess {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (address, admin) = (local(free_port()), local(free_port()));
        let log = folder(program).join("log");
        let child = self
            .command("sh")
            .args(["-c", &format!("{before}; exec \"$0\"")])
            .arg(binary(program))
            .env("LISTEN_ADDR", address.to_string())
            .env("ADMIN_ADDR", admin.to_string())
            .env("DEFAULT_POLL", "pets")
            .env("COOKIE_KEYS", "5a".repeat(32))
            .env("NO_COLOR", "1")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        // The client needs a contract, though no reply is checked here.
        static CONTRACT: LazyLock<Contract> =
            LazyLock::new(|| Contract::new(include_str!("../../../producer/openapi.json")));
        let client = |address| Client::new(address, &CONTRACT);
        let service = ServiceProcess { child, client: client(address), admin: client(admin), log };
        eventually(SOON, async || TcpStream::connect(admin).await.map_err(|e| e.to_string())).await;
        eventually(SOON, async || {
            let reply = service.admin.ask("GET", "/readyz").await;
            if reply.status == 200 { Ok(()) } else { Err(service.logged()) }
        })
        .await;
        service
    }
}

impl ServiceProcess {
    fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The value of a metric, named with its labels.
    async fn metric(&self, name: &str) -> String {
        let text = self.admin.ask("GET", "/metrics").await.text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    /// Opens many connections, sends this on each, and keeps them open.
    async fn crowd(&self, words: &str) -> Vec<TcpStream> {
        let mut crowd = Vec::new();
        for _ in 0..CROWD {
            let mut client = self.client.connect().await;
            client.write_all(words.as_bytes()).await.unwrap();
            crowd.push(client);
        }
        crowd
    }

    /// Checks that the service logged its lowered connection limit once, and never ran out of file descriptors.
    fn expect_handles_kept(&self) {
        let log = self.logged();
        let notice = format!("CONNECTIONS_MAX is {CONNECTIONS} instead of 15000");
        assert_eq!(log.matches(&notice).count(), 1, "{log}");
        assert!(!log.contains("cannot accept"), "{log}");
    }

    /// Stops the service in order and returns its log.
    fn stop(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.logged()
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_crowd_of_idle_clients_keeps_no_voter_away() {
    let servers = PollServers::new().await;
    let producer = servers.start("producer", FEW, &[("HEADER_TIMEOUT_MS", "1000")]).await;
    let max = producer.metric("votestream_http_connections_max{listener=\"voters\"}").await;
    assert_eq!(max, CONNECTIONS);
    let _crowd = producer.crowd("").await;
    assert_eq!(producer.admin.ask("GET", "/readyz").await.status, 200);
    let vote = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 6\r\n\
        content-type: application/x-www-form-urlencoded\r\n\r\nvote=a";
    assert_eq!(producer.client.exchange(vote.as_bytes()).await.unwrap().status, 303);
    producer.expect_handles_kept();
}

#[tokio::test]
async fn a_crowd_of_viewers_keeps_no_page_away() {
    let _alone = ONE_CROWD_AT_A_TIME.lock().await;
    let servers = PollServers::new().await;
    let dashboard = servers.start("dashboard", FEW, &[("HEADER_TIMEOUT_MS", "1000")]).await;
    let max = dashboard.metric("votestream_http_connections_max{listener=\"viewers\"}").await;
    assert_eq!(max, CONNECTIONS);
    let crowd = dashboard.crowd("GET /api/polls/pets/events HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(dashboard.admin.ask("GET", "/readyz").await.status, 200);
    // The last of the crowd may still wait for their turn to be read, and their connections are closed for room, as that of a page
    // might be that comes among them.
    eventually(SOON, async || {
        let viewers = dashboard.metric("votestream_viewers").await;
        if viewers == "103" { Ok(()) } else { Err(format!("{viewers} viewers")) }
    })
    .await;
    // A browser asks once more if its connection was closed before anything came.
    let tally = b"GET /api/polls/pets/tally HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    eventually(SOON, async || match dashboard.client.exchange(tally).await {
        Some(reply) if reply.status == 200 => Ok(()),
        other => Err(other.map(|reply| reply.status)),
    })
    .await;
    drop(crowd);
    dashboard.expect_handles_kept();
}

/// Every open ballot page holds a stream for as long as somebody looks at it.
#[tokio::test]
async fn a_page_that_follows_its_poll_takes_two_kib() {
    let _alone = ONE_CROWD_AT_A_TIME.lock().await;
    let servers = PollServers::new().await;
    let producer = servers.start("producer", "-n 8000", &[]).await;
    let status = format!("/proc/{}/status", producer.child.id());
    let held_bytes = || {
        let text = std::fs::read_to_string(&status).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
    };
    let mut pages = Vec::new();
    let mut open = async |more: usize| {
        for _ in 0..more {
            let mut page = producer.client.connect().await;
            let follow = b"GET /api/polls/pets/state/events HTTP/1.1\r\nhost: x\r\n\r\n";
            page.write_all(follow).await.unwrap();
            let mut reply = [0; 1_024];
            assert!(page.read(&mut reply).await.unwrap() > 0 && reply.starts_with(b"HTTP/1.1 200"));
            pages.push(page);
        }
    };
    // The first ones fill what the process keeps for all of them.
    open(1_000).await;
    let before = held_bytes();
    open(4_000).await;
    let each = (held_bytes() - before) / 4_000;
    println!("{each} bytes a page");
    assert!(each <= 2_048, "{each} bytes");
}

#[tokio::test]
async fn a_low_soft_limit_is_raised_to_the_hard_one() {
    let servers = PollServers::new().await;
    let producer = servers.start("producer", "-Sn 256", &[]).await;
    let hard = getrlimit(Resource::Nofile).maximum.map_or(i64::MAX, |hard| hard as i64);
    assert_eq!(producer.metric("process_max_fds").await, hard.to_string());
    let max = producer.metric("votestream_http_connections_max{listener=\"voters\"}").await;
    assert_eq!(max, (hard - 128).min(15_000).to_string());
}

#[tokio::test]
async fn logs_are_json_when_a_collector_reads_them() {
    let servers = PollServers::new().await;
    for program in ["producer", "consumer", "dashboard"] {
        let variables = [("LOG_FORMAT", "json"), ("CONNECTIONS_MAX", "100")];
        let log = servers.start(program, "-n 256", &variables).await.stop();
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect();
        for line in &lines {
            let has = |name: &str| line[name].is_string();
            assert!(has("timestamp") && has("level") && has("target") && has("message"), "{line}");
        }
        let said = |words: &str| {
            let begins = format!("{program} {words}");
            let message = |line: &&Value| line["message"].as_str().unwrap().starts_with(&begins);
            lines.iter().find(message).unwrap_or_else(|| panic!("no `{begins}` in {log}"))
        };
        assert_eq!(said("starts")["service"], program);
        assert_eq!(said("stopped")["drained"], true);
    }
}
