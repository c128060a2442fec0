//! The canary against a real deployment: what it counts while all is well, and when ballots end halfway.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use testkit::{Pipeline, binary, eventually, free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(30);
const POLL: &str = "votestream-canary";

/// A running canary, which is killed when the value is dropped.
struct Canary {
    child: Child,
    admin: String,
}

impl Canary {
    fn start(pipeline: &Pipeline) -> Self {
        let admin = format!("127.0.0.1:{}", free_port());
        let child = Command::new(binary("canary"))
            .env("ADMIN_ADDR", &admin)
            .env("PRODUCER_URL", &pipeline.vote)
            .env("DASHBOARD_URL", &pipeline.results)
            .env("INTERVAL_MS", "200")
            .env("SCREEN_TIMEOUT_MS", "1500")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, admin }
    }

    /// Returns the value of a metric.
    async fn metric(&self, name: &str) -> Result<f64, String> {
        let metrics = get(&self.admin, "/metrics").await?;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).ok_or(metrics)
    }

    /// Returns the number of ballots with this outcome.
    async fn ballots(&self, outcome: &str) -> Result<f64, String> {
        self.metric(&format!("votestream_canary_ballots_total{{outcome=\"{outcome}\"}}")).await
    }

    /// Waits until three more ballots have this outcome.
    async fn sees(&self, outcome: &str) {
        let before = eventually(SOON, async || self.ballots(outcome).await).await;
        eventually(SOON, async || {
            let now = self.ballots(outcome).await?;
            if now >= before + 3.0 { Ok(()) } else { Err(format!("{outcome}: {before}, {now}")) }
        })
        .await;
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn get(address: &str, path: &str) -> Result<String, String> {
    let address = address.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|e| e.to_string())?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.map_err(|e| e.to_string())?;
    Ok(reply)
}

/// Runs votectl for this pipeline.
fn votectl(pipeline: &Pipeline, arguments: &[&str]) {
    let variables = ["REDIS_URL", "DATABASE_URL"].map(|name| (name, pipeline.variable(name)));
    let done = Command::new(binary("votectl")).args(arguments).envs(variables).status().unwrap();
    assert!(done.success(), "votectl {arguments:?}");
}

/// Sends a signal to all processes of a service.
fn signal(pipeline: &Pipeline, service: &str, signal: Signal) {
    for file in std::fs::read_dir(pipeline.data_dir.join("run")).unwrap().flatten() {
        let name = file.file_name().into_string().unwrap();
        if name.starts_with(service) && name.ends_with(".pid") {
            let text = std::fs::read_to_string(file.path()).unwrap();
            let pid = text.split_whitespace().next().unwrap().parse().unwrap();
            kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_is_followed_to_the_screen_and_each_fault_has_its_outcome() {
    let pipeline = tokio::task::block_in_place(|| Pipeline::start(&[]));
    let options = ["--option", "tick=Tick", "--option", "tock=Tock", "--vote-policy", "replace"];
    let create = ["poll", "create", "--slug", POLL, "--title", "A machine votes here", "--open"];
    votectl(&pipeline, &[&create[..], &options].concat());
    let canary = Canary::start(&pipeline);

    // While all is well, every ballot is shown, and there is one voter, who is no turnout and on no list.
    canary.sees("shown").await;
    let shown = canary.ballots("shown").await.unwrap();
    let last = canary.metric("votestream_canary_last_screen_seconds").await.unwrap();
    assert!(last > 0.0 && last < 1.5, "{last}");
    let timed = canary.metric("votestream_canary_screen_seconds_count").await.unwrap();
    assert!(timed >= shown, "{timed} of {shown}");
    let tally = get(&pipeline.results, &format!("/api/polls/{POLL}/tally")).await.unwrap();
    assert!(tally.contains(r#""voters":1,"#), "{tally}");
    let list = get(&pipeline.results, "/api/polls").await.unwrap();
    assert!(list.contains("cats-vs-dogs") && !list.contains(POLL), "{list}");
    let page = get(&pipeline.results, "/").await.unwrap();
    assert!(!page.contains(POLL), "{page}");
    assert!(get(&canary.admin, "/readyz").await.unwrap().starts_with("HTTP/1.1 200"));

    // Each service stops in turn.
    signal(&pipeline, "consumer", Signal::STOP);
    canary.sees("not-shown").await;
    assert!(canary.metric("votestream_canary_last_screen_seconds").await.unwrap().is_nan());
    signal(&pipeline, "consumer", Signal::CONT);
    canary.sees("shown").await;
    signal(&pipeline, "producer", Signal::STOP);
    canary.sees("unanswered").await;
    signal(&pipeline, "producer", Signal::CONT);
    canary.sees("shown").await;
    // A dashboard that is frozen leaves its streams open.
    signal(&pipeline, "dashboard", Signal::STOP);
    canary.sees("no-results").await;
    signal(&pipeline, "dashboard", Signal::CONT);
    canary.sees("shown").await;

    // The rules of the poll refuse a ballot.
    votectl(&pipeline, &["poll", "close", POLL]);
    canary.sees("refused").await;
    // A canary that finds a fault works.
    assert!(get(&canary.admin, "/readyz").await.unwrap().starts_with("HTTP/1.1 200"));
}
