//! Runs one service process from start-up to an orderly stop: the part of `main` that all services share.
//!
//! Invariant: a process that receives SIGTERM first answers 503 on `/readyz` and serves on for its drain
//! delay; only then does it stop taking work.

pub mod admin;
pub mod healthcheck;
mod shutdown;

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::config::CommonArgs;
use crate::health::Health;
use crate::listener::memory_limit;
use crate::metric::Metric;
use crate::{fd_limit, listener, telemetry, trace};

/// Wait between two attempts of [`wait_for`].
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Time given at the end to threads that cannot be interrupted.
const BLOCKED_THREADS_GRACE: Duration = Duration::from_millis(500);

/// Runs a program to its end on all cores. Threads that are then still blocked are left behind; the
/// system's name look-up, for one, may block for half a minute.
///
/// # Errors
/// Returns the error of `program`, or the system's if it starts no threads.
pub fn block_on(program: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(program);
    runtime.shutdown_timeout(BLOCKED_THREADS_GRACE);
    outcome
}

/// Starts telemetry, signal handling and the admin port, and runs `work` until `drain_delay` after the
/// first SIGTERM or SIGINT. `work` returns whether it finished everything in hand; the last log line
/// says so. `tables` are the service's own metrics.
///
/// # Errors
/// Returns an error if the admin address is taken, if telemetry was started before, or if `work` fails.
pub async fn run<F>(
    service: &'static str,
    tables: &[&[Metric]],
    common: &CommonArgs,
    admin_addr: SocketAddr,
    drain_delay: Duration,
    work: impl FnOnce(Health, CancellationToken) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    // Start logs first, so that everything after can say why it failed.
    let metrics = telemetry::start(service, tables, common)?;
    fd_limit::raise();
    memory_limit::refuse_huge_pages();
    let traces = trace::start(service)?;
    let listener = listener::bind(admin_addr)?;
    tracing::info!(admin = %admin_addr, "{service} starts, admin port {admin_addr}");

    // A signal closes `/readyz` at once, and cancels `shutdown` after the drain delay.
    let health = Health::new();
    let signalled = shutdown::on_signal(health.draining().clone());
    signalled.context("cannot listen for SIGTERM and SIGINT")?;
    let shutdown = CancellationToken::new();
    tokio::spawn(stop_later(health.draining().clone(), drain_delay, shutdown.clone()));

    // The admin port answers until the work is done and the traces are sent.
    let stopped = CancellationToken::new();
    let draining = health.draining().clone();
    let admin = admin::serve(listener, metrics, health.clone(), draining, stopped.clone());
    let admin = tokio::spawn(admin);
    let drained = work(health, shutdown).await?;
    traces.flush().await;
    stopped.cancel();
    // A failed admin task changes nothing any more.
    let _ = admin.await;
    let end = if drained { "all work in hand was finished" } else { "the grace period ran out" };
    tracing::info!(drained, "{service} stopped: {end}");
    Ok(())
}

/// Cancels `shutdown` once load balancers had time to notice that `/readyz` answers 503.
async fn stop_later(draining: CancellationToken, delay: Duration, shutdown: CancellationToken) {
    draining.cancelled().await;
    if !delay.is_zero() {
        let delay_ms = delay.as_millis() as u64;
        tracing::info!(delay_ms, "/readyz answers 503 now; serving on for {delay_ms} ms");
        tokio::time::sleep(delay).await;
    }
    shutdown.cancel();
}

/// Repeats `ask` until it succeeds, and logs each new reason why it does not. Returns `None` if
/// `shutdown` is cancelled first. `server` names the server in the log, with its host and port.
pub async fn wait_for<T, E, F>(
    server: &str,
    shutdown: &CancellationToken,
    mut ask: impl FnMut() -> F,
) -> Option<T>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let mut last_reason = String::new();
    loop {
        match ask().await {
            Ok(answer) => return Some(answer),
            Err(error) => {
                let reason = error.to_string();
                if reason != last_reason {
                    let every_ms = RETRY_AFTER.as_millis() as u64;
                    tracing::warn!(
                        server,
                        "waiting for {server}, asking every {every_ms} ms: {reason}"
                    );
                    last_reason = reason;
                }
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return None,
            () = tokio::time::sleep(RETRY_AFTER) => {}
        }
    }
}
