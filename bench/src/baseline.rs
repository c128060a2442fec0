//! What the pipeline is compared with: warp alone, with nothing behind it.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use warp::Filter;

#[derive(Deserialize)]
struct Ballot {
    choices: Vec<String>,
}

#[derive(Serialize)]
struct Accepted {
    status: &'static str,
    choices: Vec<String>,
}

/// Serves a baseline until killed.
///
/// # Errors
/// When there is no such baseline.
pub async fn serve(what: &str, port: u16) -> anyhow::Result<()> {
    let address = ([127, 0, 0, 1], port);
    match what {
        "post" => warp::serve(post()).run(address).await,
        "sse" => warp::serve(sse()).run(address).await,
        other => anyhow::bail!("there is no baseline `{other}`"),
    }
    Ok(())
}

/// A JSON POST that is parsed, answered with JSON, and forgotten.
fn post() -> impl Filter<Extract = (impl warp::Reply,), Error = warp::Rejection> + Clone {
    warp::path!("api" / "polls" / String / "ballots").and(warp::post()).and(warp::body::json()).map(
        |_, ballot: Ballot| {
            warp::reply::json(&Accepted { status: "accepted", choices: ballot.choices })
        },
    )
}

/// An event stream as warp's example writes it, ten frames a second, each about as long as ours.
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
            Ok::<_, Infallible>(event.data(super::viewers::frame_like_ours(version)))
        });
        warp::sse::reply(warp::sse::keep_alive().stream(events))
    })
}
