//! The commands of the binary (run, merge, compare, report), their files and their exit codes.

mod args;
mod live;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Parser as _;

use crate::cli::args::{Cli, Command, CompareArgs, FileArgs, MergeArgs, ReportArgs, RunArgs};
use crate::cli::live::Live;
use crate::report::data::Report;
use crate::report::summary::summary;
use crate::report::verdict::EXIT_USAGE;
use crate::run::run;
use crate::run::stop::Stop;

/// Runs the command line of this process, and returns its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            // If the output is closed, nobody reads this, so an error changes nothing.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let done = match cli.command {
        Command::Run(args) => run_command(&args),
        Command::Merge(args) => merge_command(&args),
        Command::Compare(args) => compare_command(&args),
        Command::Report(args) => report_command(&args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn run_command(args: &RunArgs) -> anyhow::Result<u8> {
    let config = args.config()?;
    args.files.check()?;
    let title = format!("{} → {}  poll {}", config.plan.name, config.target, config.poll);
    let mut live = Live::new(title, args.quiet);
    let stop = Stop::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let signals = tokio::spawn(listen_for_signals(stop.clone()));
        let report = Box::pin(run(&config, &stop, &mut |progress| live.show(progress))).await;
        signals.abort();
        report
    });
    live.finish();
    let report = report?;
    args.files.write(&report)
}

/// Handles interrupts. The first ends the load, the second ends the wait for the count, and the
/// third ends the process.
async fn listen_for_signals(stop: Stop) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return; // signals then end the process, as they do by default
    };
    for press in 0.. {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        match press {
            0 => {
                eprintln!(
                    "\nending the load; waiting until all acknowledged ballots are counted (interrupt again to skip the wait)"
                );
                stop.load.cancel();
            }
            1 => stop.wait.cancel(),
            _ => std::process::exit(130),
        }
    }
}

fn merge_command(args: &MergeArgs) -> anyhow::Result<u8> {
    args.files.check()?;
    let reports = args
        .reports
        .iter()
        .map(|path| Report::from_file(path))
        .collect::<anyhow::Result<Vec<_>>>()?;
    args.files.write(&crate::report::merge::merge(&reports)?)
}

fn compare_command(args: &CompareArgs) -> anyhow::Result<u8> {
    let (before, after) = (Report::from_file(&args.before)?, Report::from_file(&args.after)?);
    let comparison = crate::report::compare::compare(&before, &after);
    print!("{}", comparison.to_text());
    if let Some(path) = &args.html {
        write_file(path, &crate::report::html::render_comparison(&before, &after, &comparison)?)?;
    }
    Ok(0)
}

fn report_command(args: &ReportArgs) -> anyhow::Result<u8> {
    let report = Report::from_file(&args.report)?;
    println!("{}", summary(&report).trim());
    if let Some(path) = &args.html {
        write_file(path, &crate::report::html::render(&report)?)?;
    }
    Ok(report.verdict.exit_code)
}

impl FileArgs {
    /// Checks that the folders of the report's files exist, so that a long run does not end without
    /// its report.
    fn check(&self) -> anyhow::Result<()> {
        for path in [&self.json, &self.html].into_iter().flatten() {
            if path.as_os_str() == "-" {
                continue;
            }
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty())
                .unwrap_or(Path::new("."));
            ensure!(
                folder.is_dir(),
                "there is no folder {} for {}: create it first",
                folder.display(),
                path.display()
            );
        }
        Ok(())
    }

    /// Writes the files, prints the summary, and returns the exit code.
    fn write(&self, report: &Report) -> anyhow::Result<u8> {
        let to_stdout = self.json.as_deref().is_some_and(|path| path.as_os_str() == "-");
        if to_stdout {
            print!("{}", report.to_json());
            eprintln!("{}", summary(report));
        } else {
            println!("{}", summary(report));
        }
        if let Some(path) = self.json.as_deref().filter(|_| !to_stdout) {
            write_file(path, &report.to_json())?;
        }
        if let Some(path) = &self.html {
            write_file(path, &crate::report::html::render(report)?)?;
        }
        Ok(report.verdict.exit_code)
    }
}

fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
