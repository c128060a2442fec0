//! The command line: parses it, runs or lists faults, writes the report, and chooses the exit code.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::fault::Fault;
use crate::report::{EXIT_FAILED, EXIT_OK, Report};
use crate::report::{html, markdown};
use crate::{run, schedule};

/// Runs the program with the arguments of this process, and returns its exit code.
pub fn main() -> ExitCode {
    let config = Config::parse();
    if config.list {
        list();
        return ExitCode::SUCCESS;
    }
    if config.dry_run {
        for step in schedule::draw(config.seed, config.duration, &config.deck(), config.once) {
            let (at, hold) = (step.at.as_secs_f64(), step.hold.as_secs_f64());
            println!("{at:>7.1} s  {} for {hold:.1} s", step.title());
        }
        return ExitCode::SUCCESS;
    }
    match run_and_report(&config) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn run_and_report(config: &Config) -> anyhow::Result<u8> {
    // Waiting for a server blocks a thread, and the proxies need others meanwhile.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    let stop = CancellationToken::new();
    let signal = stop.clone();
    runtime.spawn(async move {
        if let Err(error) = end_on_signals(&signal).await {
            eprintln!("chaos: cannot listen for signals: {error}");
        }
    });
    let running = runtime.spawn({
        let config = config.clone();
        async move { run::run(&config, stop).await }
    });
    let report = runtime.block_on(running).context("the run panicked")??;
    write(config, &report)?;
    println!("\n{}", report.verdict.headline);
    if report.verdict.exit_code != EXIT_OK {
        report.verdict.reasons.iter().for_each(|reason| println!("  - {reason}"));
        println!("run it again with: {}", report.command);
    }
    println!("the report is in {}", config.report.display());
    Ok(report.verdict.exit_code)
}

/// Ends the run early on the first Ctrl-C, and at once on SIGTERM or a second Ctrl-C. The watchdog of the run's folder then
/// ends servers and services.
async fn end_on_signals(stop: &CancellationToken) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {
            eprintln!("ending early; acknowledged ballots are still counted and audited (Ctrl-C again: at once)");
            stop.cancel();
        }
        _ = terminate.recv() => end_at_once(143),
    }
    tokio::select! {
        _ = interrupt.recv() => end_at_once(130),
        _ = terminate.recv() => end_at_once(143),
    }
}

fn end_at_once(exit_code: i32) -> ! {
    eprintln!("ending at once, without an audit");
    std::process::exit(exit_code)
}

fn write(config: &Config, report: &Report) -> anyhow::Result<()> {
    let folder = &config.report;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(folder.join("report.md"), markdown::render(report)).context("writing report.md")?;
    fs::write(folder.join("report.html"), html::render(report)?).context("writing report.html")
}

fn list() {
    for fault in Fault::ALL {
        println!("{fault}\n    {}", fault.description());
        println!("    expected: {}", fault.expected());
        if !fault.not_promised().is_empty() {
            println!("    not promised: {}", fault.not_promised());
        }
    }
}
