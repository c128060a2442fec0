//! One process: what every service's `main` does around its work.
//!
//! Invariant: a process that is told to stop says so on `/readyz` first, and goes on working for its
//! drain delay; only then does it take nothing more.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::config::CommonArgs;
use crate::health::Health;
use crate::metric::Metric;
use crate::{admin, handles, listener, shutdown, telemetry, trace};

/// How long to leave a server alone that could not be reached.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How long a process that is done waits for what cannot be interrupted.
const LEAVE_WITHIN: Duration = Duration::from_millis(500);

/// Runs a program to its end on all cores. What blocks a thread then, as the system's look-up of a
/// name does for up to half a minute, is left behind.
///
/// # Errors
/// As `program` says, or when the system gives no threads.
pub fn block_on(program: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(program);
    runtime.shutdown_timeout(LEAVE_WITHIN);
    outcome
}

/// Starts telemetry, signals and the admin port, does `work` until `drain_delay` after it is told to
/// stop, and says whether all that was under way then was finished.
///
/// # Errors
/// When an address is taken, telemetry was started before, or as `work` says.
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
    let metrics = telemetry::start(service, tables, common)?;
    handles::raise();
    let traces = trace::start(service)?;
    let listener = listener::bind(admin_addr)?;
    tracing::info!(service, admin = %admin_addr, "starts");
    let health = Health::new();
    let signalled = shutdown::on_signal(health.draining().clone());
    signalled.context("signals")?;
    let shutdown = CancellationToken::new();
    tokio::spawn(stop_later(health.draining().clone(), drain_delay, shutdown.clone()));
    let stopped = CancellationToken::new();
    let draining = health.draining().clone();
    let admin = admin::serve(listener, metrics, health.clone(), draining, stopped.clone());
    let admin = tokio::spawn(admin);
    let drained = work(health, shutdown).await?;
    traces.flush().await;
    stopped.cancel();
    // The admin port answers until the end; whether it ended well concerns nobody.
    let _ = admin.await;
    tracing::info!(service, drained, "stopped");
    Ok(())
}

/// Lets load balancers notice that there is to be no new work, before there can be none.
async fn stop_later(draining: CancellationToken, delay: Duration, shutdown: CancellationToken) {
    draining.cancelled().await;
    if !delay.is_zero() {
        tracing::info!(delay_ms = delay.as_millis() as u64, "not ready any more; still serving");
        tokio::time::sleep(delay).await;
    }
    shutdown.cancel();
}

/// Asks `server` until it tells, saying once why it does not; `None` when told to stop.
pub async fn wait_for<T, F>(
    server: &'static str,
    shutdown: &CancellationToken,
    mut ask: impl FnMut() -> F,
) -> Option<T>
where
    F: Future<Output = Result<T, String>>,
{
    let mut last_reason = String::new();
    loop {
        match ask().await {
            Ok(told) => return Some(told),
            Err(reason) if reason != last_reason => {
                tracing::warn!(server, reason, "waiting");
                last_reason = reason;
            }
            Err(_) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return None,
            () = tokio::time::sleep(ASK_AGAIN_AFTER) => {}
        }
    }
}
