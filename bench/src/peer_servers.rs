//! The servers of the peers in `peers.rs`: `list` and `commit`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use redis::AsyncCommands;
use serde::Deserialize;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;
use warp::Filter;
use warp::http::StatusCode;

/// The list into which votes are pushed.
const LIST: &str = "votes";
/// Sessions of Postgres that commit votes at the same time: about as many as a pool of a web service has.
const SESSIONS: usize = 32;
/// The table of both peers.
pub const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS peer_votes (id uuid PRIMARY KEY, vote text NOT NULL)";
const UPSERT: &str = "INSERT INTO peer_votes (id, vote) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET vote = excluded.vote";

/// A ballot as wrk sends it.
#[derive(Deserialize)]
struct Ballot {
    choices: Vec<String>,
}

/// Serves the peer `list`: pushes votes into a list of Redis, from which a worker takes them.
///
/// # Errors
/// Returns an error if a server cannot be reached.
pub async fn serve_list(port: u16, redis_url: &str, database_url: &str) -> anyhow::Result<()> {
    let redis = redis::Client::open(redis_url)?.get_multiplexed_async_connection().await?;
    let worker = Worker { redis_url: redis_url.to_owned(), database_url: database_url.to_owned() };
    std::thread::spawn(move || {
        if let Err(error) = worker.run() {
            eprintln!("the worker of the list has ended: {error:#}");
        }
    });
    let route = ballots().and_then(move |ballot: Ballot| {
        let mut redis = redis.clone();
        async move {
            let vote = serde_json::json!({ "id": Uuid::new_v4().to_string(), "vote": ballot.choices.concat() });
            let pushed = redis.lpush::<_, _, ()>(LIST, vote.to_string()).await;
            answer(pushed.is_ok())
        }
    });
    warp::serve(route).run(([127, 0, 0, 1], port)).await;
    Ok(())
}

/// The worker of the list, on a thread of its own.
struct Worker {
    redis_url: String,
    database_url: String,
}

#[derive(Deserialize)]
struct Vote {
    id: String,
    vote: String,
}

impl Worker {
    fn run(self) -> anyhow::Result<()> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.work())
    }

    /// Pops one vote, upserts it, and pops the next.
    async fn work(self) -> anyhow::Result<()> {
        let client = session(&self.database_url).await?;
        let upsert = client.prepare(UPSERT).await?;
        let mut redis = redis::Client::open(self.redis_url.as_str())?
            .get_multiplexed_async_connection()
            .await?;
        loop {
            let Some(text) = redis.rpop::<_, Option<String>>(LIST, None).await? else {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            };
            let vote: Vote = serde_json::from_str(&text).context("a vote of the list")?;
            let id: Uuid = vote.id.parse().context("the id of a vote")?;
            client.execute(&upsert, &[&id, &vote.vote]).await?;
        }
    }
}

/// Serves the peer `commit`: commits each vote in Postgres before it is answered.
///
/// # Errors
/// Returns an error if Postgres cannot be reached.
pub async fn serve_commit(port: u16, database_url: &str) -> anyhow::Result<()> {
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let client = session(database_url).await?;
        let upsert = client.prepare(UPSERT).await?;
        sessions.push((client, upsert));
    }
    let sessions = Arc::new(sessions);
    let next = Arc::new(AtomicUsize::new(0));
    let route = ballots().and_then(move |ballot: Ballot| {
        let (sessions, next) = (Arc::clone(&sessions), Arc::clone(&next));
        async move {
            let (client, upsert) = &sessions[next.fetch_add(1, Ordering::Relaxed) % SESSIONS];
            let stored = client.execute(upsert, &[&Uuid::new_v4(), &ballot.choices.concat()]).await;
            answer(stored.is_ok())
        }
    });
    warp::serve(route).run(([127, 0, 0, 1], port)).await;
    Ok(())
}

fn ballots() -> impl Filter<Extract = (Ballot,), Error = warp::Rejection> + Clone {
    warp::path!("api" / "polls" / String / "ballots")
        .and(warp::post())
        .and(warp::body::json())
        .map(|_, ballot: Ballot| ballot)
}

async fn session(database_url: &str) -> anyhow::Result<Client> {
    let (client, driver) = tokio_postgres::connect(database_url, NoTls).await?;
    tokio::spawn(driver);
    Ok(client)
}

fn answer(is_stored: bool) -> Result<StatusCode, warp::Rejection> {
    Ok(if is_stored { StatusCode::ACCEPTED } else { StatusCode::SERVICE_UNAVAILABLE })
}
