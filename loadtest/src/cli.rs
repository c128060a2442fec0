//! The commands of the binary (run, merge, compare, report), their files and their exit codes.

mod args;
mod live;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::args::{Cli, Command, CompareArgs, MergeArgs, ReportArgs, RunArgs};
use crate::cli::live::{Live, WAITING_HINT};
use crate::cli::output::{Output, Outputs, WriteError, print};
use crate::report::compare::FailOn;
use crate::report::data::Report;
use crate::report::schema::schema;
use crate::report::verdict::{EXIT_MISSED, EXIT_OK, EXIT_USAGE, EXIT_WRITE};
use crate::run::drive;
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
        Command::Schema => schema_command(),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            let is_write = error.downcast_ref::<WriteError>().is_some();
            ExitCode::from(if is_write { EXIT_WRITE } else { EXIT_USAGE })
        }
    }
}

fn run_command(args: &RunArgs) -> anyhow::Result<u8> {
    let config = args.config()?;
    let outputs = Outputs::open(&args.files)?;
    let title = format!("{} → {}  poll {}", config.plan.name, config.target, config.poll);
    let stop = Stop::default();
    let mut live = Live::new(title, args.quiet, stop.clone());
    let draws = live.draws();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let signals = tokio::spawn(listen_for_signals(stop.clone(), draws));
        let done = Box::pin(drive(&config, &stop, &mut |progress| live.show(progress))).await;
        signals.abort();
        done
    });
    live.finish();
    let done = done?;
    let code = outputs.write(&done.report)?;
    match done.journal_error {
        Some(error) => Err(WriteError::new("the whole journal", error).into()),
        None => Ok(code),
    }
}

/// Handles interrupts. The first ends the load, the second ends the wait for the count, and the
/// third ends the process. A terminal that closes interrupts, too. `draws` says that the live view
/// shows what the next interrupt does.
async fn listen_for_signals(stop: Stop, draws: bool) {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(kinds[0]), signal(kinds[1]), signal(kinds[2]))
    else {
        return; // signals then end the process, as they do by default
    };
    for press in 0.. {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        match press {
            0 => {
                stop.load.cancel();
                if !draws {
                    eprintln!("\nending the load; {WAITING_HINT}");
                }
            }
            1 => stop.wait.cancel(),
            _ => std::process::exit(130),
        }
    }
}

fn merge_command(args: &MergeArgs) -> anyhow::Result<u8> {
    let outputs = Outputs::open(&args.files)?;
    let reports = args
        .reports
        .iter()
        .map(|path| Report::from_file(path))
        .collect::<anyhow::Result<Vec<_>>>()?;
    outputs.write(&crate::report::merge::merge(&reports)?)
}

fn compare_command(args: &CompareArgs) -> anyhow::Result<u8> {
    let limits: Vec<FailOn> =
        args.fail_on.iter().map(|limit| limit.parse()).collect::<anyhow::Result<_>>()?;
    let html = args.html.as_deref().map(Output::open).transpose()?;
    let (before, after) = (Report::from_file(&args.before)?, Report::from_file(&args.after)?);
    let comparison = crate::report::compare::compare(&before, &after);
    let failed: Vec<String> =
        limits.iter().filter_map(|limit| limit.check(&before, &after)).collect();
    let to_stdout = args.html.as_deref().is_some_and(|path| path.as_os_str() == "-");
    if let Some(html) = html {
        html.write(&crate::report::html::render_comparison(&before, &after, &comparison)?)?;
    }
    let mut text = comparison.to_text();
    for why in &failed {
        text.push_str(&format!("FAILED: {why}\n"));
    }
    if to_stdout {
        eprint!("{text}");
    } else {
        print(&text)?;
    }
    Ok(if failed.is_empty() { EXIT_OK } else { EXIT_MISSED })
}

fn report_command(args: &ReportArgs) -> anyhow::Result<u8> {
    let outputs = Outputs::open(&args.files)?;
    outputs.write(&Report::from_file(&args.report)?)
}

fn schema_command() -> anyhow::Result<u8> {
    print(&schema())?;
    Ok(EXIT_OK)
}
