//! Measures viewers at ten ticks a second: frames per second and memory, against a plain warp route. Measures the memory of
//! as many ballot pages that follow the state of their poll.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::args::Args;
use crate::baseline::Baseline;
use crate::lab::{Lab, POLL};
use crate::report::Report;

/// The stream of a poll's results, below the address of the poll.
const RESULTS: &str = "events";
/// The stream of a poll's state.
const STATES: &str = "state/events";

/// Measures frames and memory.
///
/// # Errors
/// Returns an error if a server does not start, or a viewer is refused or disconnected.
pub async fn measure(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let (mut ratios, mut bare_rates, mut rates) = (vec![], vec![], vec![]);
    let (mut bare_memory, mut memory, mut follower_memory) = (vec![], vec![], vec![]);
    for round in 1..=args.rounds {
        eprintln!("viewers: round {round} of {}", args.rounds);
        let (bare, bare_bytes) = {
            let baseline = Baseline::start("sse").await?;
            watch(args, baseline.port, RESULTS, || baseline.resident_bytes()).await?
        };
        let (ours, bytes) = dashboard(args).await?;
        eprintln!(
            "  warp {bare:.0} frames/s, {bare_bytes:.0} B a viewer; dashboard {ours:.0}, {bytes:.0} B"
        );
        let of_follower = producer(args).await?;
        eprintln!("  producer: {of_follower:.0} B a page that follows its poll");
        follower_memory.push(of_follower);
        ratios.push(ours / bare);
        bare_rates.push(bare);
        rates.push(ours);
        bare_memory.push(bare_bytes);
        memory.push(bytes);
    }
    let viewers = args.viewers;
    report.baseline(&format!("naive warp SSE route, {viewers} viewers, frames/s"), &bare_rates);
    report.baseline("naive warp SSE route, resident bytes a viewer", &bare_memory);
    report.ratio(
        &format!("{viewers} viewers at 10 ticks/s: frames/s ÷ naive warp SSE route"),
        0.95,
        &ratios,
        &rates,
    );
    report.at_most("resident bytes a viewer", 8.0 * 1024.0, &memory);
    let followers =
        format!("resident bytes of the producer a page that follows its poll, {viewers} pages");
    report.at_most(&followers, 2.0 * 1024.0, &follower_memory);
    Ok(())
}

/// Measures our dashboard with a tally that changes before every tick.
async fn dashboard(args: &Args) -> anyhow::Result<(f64, f64)> {
    let mut lab = Lab::open().await?;
    lab.start("dashboard").await?;
    let client = lab.client().await?;
    let mover = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(45));
        loop {
            ticks.tick().await;
            let moved = client
                .batch_execute(
                    "UPDATE tally SET votes = votes + 1 WHERE position = 0;
                     UPDATE poll_tally SET version = version + 1, voters = voters + 1",
                )
                .await;
            if moved.is_err() {
                return;
            }
        }
    });
    let service = lab.last()?;
    let outcome = watch(args, service.port, RESULTS, || service.resident_bytes()).await;
    mover.abort();
    outcome
}

/// Measures our producer with as many ballot pages that follow the state of their poll. Returns bytes per page.
async fn producer(args: &Args) -> anyhow::Result<f64> {
    let mut lab = Lab::open().await?;
    lab.start("producer").await?;
    let service = lab.last()?;
    let (_, bytes) = watch(args, service.port, STATES, || service.resident_bytes()).await?;
    Ok(bytes)
}

/// Opens the viewers and counts their frames for a while. Returns frames per second, and memory in bytes per viewer.
async fn watch(
    args: &Args,
    port: u16,
    path: &str,
    resident: impl Fn() -> anyhow::Result<u64>,
) -> anyhow::Result<(f64, f64)> {
    let before = resident()?;
    let frames = Arc::new(AtomicU64::new(0));
    let mut viewers = Vec::with_capacity(args.viewers);
    for _ in 0..args.viewers {
        let stream = subscribe(port, path).await?;
        viewers.push(tokio::spawn(count_frames(stream, frames.clone())));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = resident()?;
    let (at_start, started) = (frames.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    let counted = frames.load(Ordering::Relaxed) - at_start;
    let rate = counted as f64 / started.elapsed().as_secs_f64();
    let gone = viewers.iter().filter(|viewer| viewer.is_finished()).count();
    ensure!(gone == 0, "{gone} viewers were disconnected");
    for viewer in viewers {
        viewer.abort();
    }
    Ok((rate, after.saturating_sub(before) as f64 / args.viewers as f64))
}

async fn subscribe(port: u16, path: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    let request = format!("GET /api/polls/{POLL}/{path} HTTP/1.1\r\nhost: bench\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Counts the `event:` lines of a stream, one in each frame. A read may end anywhere, so the last bytes of each piece are
/// kept.
async fn count_frames(stream: TcpStream, frames: Arc<AtomicU64>) {
    const MARK: &[u8] = b"event:";
    let mut kept: Vec<u8> = Vec::new();
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        let mut piece = [0; 2048];
        match stream.try_read(&mut piece) {
            Ok(0) => return,
            Ok(length) => {
                kept.extend_from_slice(&piece[..length]);
                let found = kept.windows(MARK.len()).filter(|window| *window == MARK).count();
                frames.fetch_add(found as u64, Ordering::Relaxed);
                kept.drain(..kept.len().saturating_sub(MARK.len() - 1));
                if kept.capacity() > 64 {
                    kept.shrink_to_fit();
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
