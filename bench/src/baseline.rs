//! The baselines that the pipeline is compared with: warp alone, without a server behind it. The
//! peers with servers behind them are in `peer_servers.rs`.

use std::convert::Infallible;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use standalone::servers::free_port;
use tokio::net::TcpStream;
use tokio::sync::watch;
use warp::Filter;

use crate::args::Args;
use crate::lab::{POLL, resident_bytes};
use crate::peer_servers;

#[derive(Deserialize)]
struct Ballot {
    choices: Vec<String>,
}

#[derive(Serialize)]
struct Accepted {
    status: &'static str,
    choices: Vec<String>,
}

/// A running baseline server: another process of this program. Dropping the value ends it.
pub struct Baseline {
    child: Child,
    /// The port on 127.0.0.1 on which it listens.
    pub port: u16,
}

impl Drop for Baseline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Baseline {
    /// Starts the baseline `post` or `sse`, and waits until it listens.
    pub async fn start(name: &str) -> anyhow::Result<Self> {
        Self::start_on(name, "", "").await
    }

    /// Starts a baseline on these servers, and waits until it listens.
    pub async fn start_on(name: &str, redis_url: &str, database_url: &str) -> anyhow::Result<Self> {
        let port = free_port();
        let child = Command::new(std::env::current_exe()?)
            .args(["--serve", name, "--port", &port.to_string()])
            .args(["--redis-url", redis_url, "--database-url", database_url])
            .stdin(Stdio::null())
            .spawn()?;
        let baseline = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            ensure!(Instant::now() < deadline, "the baseline {name} does not listen after 10 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(baseline)
    }

    /// Returns the resident memory of the baseline's process in bytes.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes(self.child.id())
    }
}

/// Serves a baseline until the process is killed.
///
/// # Errors
/// Returns an error if there is no baseline of this name, or its servers cannot be reached.
pub async fn serve(name: &str, args: &Args) -> anyhow::Result<()> {
    let address = ([127, 0, 0, 1], args.port);
    match name {
        "post" => warp::serve(post()).run(address).await,
        "sse" => warp::serve(sse()).run(address).await,
        "list" => peer_servers::serve_list(args.port, &args.redis_url, &args.database_url).await?,
        "commit" => peer_servers::serve_commit(args.port, &args.database_url).await?,
        other => anyhow::bail!("there is no baseline `{other}`"),
    }
    Ok(())
}

/// A route that parses a JSON body, answers with JSON, and stores nothing.
fn post() -> impl Filter<Extract = (impl warp::Reply,), Error = warp::Rejection> + Clone {
    warp::path!("api" / "polls" / String / "ballots").and(warp::post()).and(warp::body::json()).map(
        |_, ballot: Ballot| {
            warp::reply::json(&Accepted { status: "accepted", choices: ballot.choices })
        },
    )
}

/// An event stream as in warp's example: ten frames a second, each about as long as one of the dashboard.
fn sse() -> impl Filter<Extract = (impl warp::Reply,), Error = warp::Rejection> + Clone {
    let (sender, receiver) = watch::channel(0_u64);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            sender.send_modify(|version| *version += 1);
        }
    });
    warp::path!("api" / "polls" / String / "events").and(warp::get()).map(move |_| {
        let frames = futures_util::stream::unfold(receiver.clone(), |mut receiver| async move {
            receiver.changed().await.ok()?;
            let version = *receiver.borrow_and_update();
            Some((version, receiver))
        });
        let events = frames.map(|version| {
            let event = warp::sse::Event::default().event("tally").id(version.to_string());
            Ok::<_, Infallible>(event.data(frame_like_ours(version)))
        });
        warp::sse::reply(warp::sse::keep_alive().stream(events))
    })
}

/// Returns data that are as long as those of a dashboard's frame for the default poll.
pub fn frame_like_ours(version: u64) -> String {
    format!(
        "{{\"poll\":\"{POLL}\",\"state\":\"open\",\"version\":{version},\"voters\":{version},\
         \"options\":[{{\"slug\":\"cats\",\"label\":\"Cats\",\"votes\":{version}}},\
         {{\"slug\":\"dogs\",\"label\":\"Dogs\",\"votes\":0}}],\
         \"as_of\":\"2026-01-01T00:00:00.000Z\",\"stale\":false,\"stale_since\":null,\
         \"recent\":[[1767225600,10]]}}"
    )
}
