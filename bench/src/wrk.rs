//! The load generator wrk: one thread posts JSON ballots without cookies.

use anyhow::{Context, ensure};
use tokio::process::Command;

const SCRIPT: &str = include_str!("post.lua");

/// Runs wrk, and returns the number of requests per second. All of them must be answered with a 2xx status.
///
/// # Errors
/// Returns an error if wrk is not installed or a request is refused.
pub async fn post(port: u16, path: &str, connections: usize, seconds: u64) -> anyhow::Result<f64> {
    let script = std::env::temp_dir().join("votestream-bench-post.lua");
    std::fs::write(&script, SCRIPT)?;
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "-s"])
        .arg(&script)
        .arg(format!("http://127.0.0.1:{port}{path}"))
        .output()
        .await
        .context("cannot run wrk; on Debian: apt-get install wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk: {text}{}", String::from_utf8_lossy(&output.stderr));
    let figure = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok())
    };
    let failed = figure("Non-2xx or 3xx responses:").unwrap_or(0.0);
    ensure!(failed == 0.0, "{failed} requests were refused");
    figure("Requests/sec:").context("wrk printed no rate")
}
