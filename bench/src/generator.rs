//! Measures the load tester itself: processor time per request against wrk's, punctuality, and memory with viewers.

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::args::Args;
use crate::lab::{Lab, POLL};
use crate::report::Report;
use crate::wrk;

/// Connections that send requests one after the other: few, so that the generator is not the bottleneck.
const CONNECTIONS: usize = 64;
/// The number of voters per second while viewers are connected.
const QUIET_RATE: u32 = 200;

/// Measures all three.
///
/// # Errors
/// Returns an error if a server or a generator does not start, or a ballot is refused.
pub async fn measure(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let path = format!("/api/polls/{POLL}/ballots");
    let (mut ratios, mut ours, mut theirs) = (vec![], vec![], vec![]);
    let (mut punctual, mut resident) = (vec![], vec![]);
    for round in 1..=args.rounds {
        eprintln!("generator: round {round} of {}", args.rounds);
        let mut lab = Lab::open().await?;
        let port = lab.start("producer").await?.port;
        // The processor time of wrk and of the load tester, with as many requests as possible.
        let before = children_cpu_us()?;
        let rate = wrk::post(port, &path, CONNECTIONS, args.seconds).await?;
        let wrk_us = (children_cpu_us()? - before) / (rate * args.seconds as f64);

        let target = format!("http://127.0.0.1:{port}");
        let seconds = format!("{}s", args.seconds);
        let connections = CONNECTIONS.to_string();
        let closed = ["--connections", connections.as_str(), "--duration", seconds.as_str()];
        let closed = loadtest(&target, &closed).await?;
        let loadtest_us = number(&closed, "/generator/cpu_us_per_request")?;

        // The punctuality of the load tester at half of that rate.
        let ceiling = number(&closed, "/ballots/acknowledged_per_second")?;
        let half = (ceiling / 2.0).round().to_string();
        let open = loadtest(&target, &["--rate", &half, "--duration", &seconds]).await?;
        let achieved = number(&open, "/schedule/achieved_ratio")?;

        // The memory of the load tester with viewers.
        lab.start("consumer").await?;
        let results = format!("http://127.0.0.1:{}", lab.start("dashboard").await?.port);
        let (viewers, rate) = (args.viewers.to_string(), QUIET_RATE.to_string());
        let watching = ["--results", &results, "--viewers", &viewers, "--rate", &rate];
        let watching =
            loadtest(&target, &[&watching[..], &["--duration", &seconds]].concat()).await?;
        let bytes = number(&watching, "/generator/resident_bytes_max")?;
        eprintln!(
            "  wrk {wrk_us:.1} us a request, loadtest {loadtest_us:.1} us; \
             {achieved:.4} of {half}/s sent in time; {:.1} MiB with viewers",
            bytes / 1_048_576.0
        );
        ratios.push(loadtest_us / wrk_us);
        ours.push(loadtest_us);
        theirs.push(wrk_us);
        punctual.push(achieved);
        resident.push(bytes / 1_048_576.0);
    }
    report.baseline("wrk, microseconds of processor a POST", &theirs);
    let name = "load tester's processor time a request ÷ wrk's for the same POST";
    report.ratio_at_most(name, 2.0, &ratios, &ours);
    report.ratio("sent in time ÷ intended, at half of the ceiling", 0.995, &punctual, &punctual);
    let name = format!("load tester holding {} viewers, MiB resident", args.viewers);
    report.at_most(&name, 64.0, &resident);
    Ok(())
}

/// Runs the load tester without its audit, and returns its JSON report.
async fn loadtest(target: &str, arguments: &[&str]) -> anyhow::Result<Value> {
    let program = std::env::current_exe()?.with_file_name("loadtest");
    let file = std::env::temp_dir().join(format!("votestream-bench-{}.json", std::process::id()));
    let output = Command::new(&program)
        .args(["run", "--poll", POLL, "--no-audit", "--target", target, "--json"])
        .arg(&file)
        .args(arguments)
        .output()
        .await
        .with_context(|| format!("cannot run {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(matches!(output.status.code(), Some(0 | 1)), "loadtest {arguments:?}: {said}");
    let report = serde_json::from_slice(&std::fs::read(&file)?)?;
    std::fs::remove_file(&file)?;
    Ok(report)
}

fn number(report: &Value, path: &str) -> anyhow::Result<f64> {
    report.pointer(path).and_then(Value::as_f64).with_context(|| format!("no {path} in the report"))
}

/// Returns the processor time of all children that have ended in microseconds. It is in the fields 16 and 17 of
/// `/proc/self/stat`, in ticks of 10 ms (proc(5)).
fn children_cpu_us() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().context("/proc/self/stat")?;
    let ticks: Option<f64> =
        after_name.split_whitespace().skip(13).take(2).map(|text| text.parse::<f64>().ok()).sum();
    Ok(ticks.context("/proc/self/stat")? * 10_000.0)
}
