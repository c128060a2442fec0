//! Shows the progress of a run: as a block that redraws itself on a terminal, and as plain lines
//! elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::run::progress::{Progress, Stage};
use crate::text::{duration, number, rate, seconds};

/// The width of the block's first column, in characters.
const NAMES_WIDTH: usize = 12;

/// The time between two plain lines. A change of the stage prints one at once.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Prints progress to standard error.
pub(crate) struct Live {
    terminal: bool,
    quiet: bool,
    title: String,
    lines_drawn: usize,
    last_line: Option<(Instant, Stage)>,
}

impl Live {
    pub(crate) fn new(title: String, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { terminal, quiet, title, lines_drawn: 0, last_line: None }
    }

    /// Prints the progress, if the last print is long enough ago.
    pub(crate) fn show(&mut self, progress: &Progress) {
        if self.quiet {
            return;
        }
        if self.terminal {
            self.redraw(&block(&self.title, progress, terminal_width()));
            return;
        }
        let now = Instant::now();
        let due = self
            .last_line
            .is_none_or(|(at, stage)| stage != progress.stage || now - at >= LINE_EVERY);
        if due {
            self.last_line = Some((now, progress.stage));
            eprintln!("{}", line(progress));
        }
    }

    /// Clears the block, so that the next output stands in its place.
    pub(crate) fn finish(&mut self) {
        if self.terminal && self.lines_drawn > 0 {
            self.redraw(&[]);
        }
    }

    fn redraw(&mut self, lines: &[String]) {
        let mut out = String::new();
        if self.lines_drawn > 0 {
            out.push_str(&format!("\x1b[{}A", self.lines_drawn));
        }
        out.push_str("\x1b[J");
        for line in lines {
            out.push_str(line);
            out.push('\n');
        }
        self.lines_drawn = lines.len();
        let mut stderr = std::io::stderr().lock();
        // A terminal that has closed is no reason to stop the run.
        let _ = stderr.write_all(out.as_bytes()).and_then(|()| stderr.flush());
    }
}

/// Returns the width of the terminal in characters; 80 if it is not known.
fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.map_or(80, |size| usize::from(size.ws_col)).max(40)
}

/// Returns the lines of the block. No line is wider than the terminal, because a wrapped line would
/// make redrawing miscount.
fn block(title: &str, p: &Progress, width: usize) -> Vec<String> {
    let fit = |text: &str, width: usize| text.chars().take(width).collect::<String>();
    let mut lines = vec![format!("\x1b[1m{}\x1b[0m", fit(title, width - 1))];
    for (name, text) in rows(p) {
        let text = fit(&text, width - NAMES_WIDTH - 1);
        lines.push(format!("  \x1b[2m{name:<9}\x1b[0m {text}"));
    }
    let hint = fit("Ctrl-C ends the load early and still audits and reports", width - 3);
    lines.push(format!("  \x1b[2m{hint}\x1b[0m"));
    lines
}

fn rows(p: &Progress) -> Vec<(&'static str, String)> {
    let stage = p.stage.label();
    let now = match p.stage {
        Stage::WarmUp | Stage::Load => {
            let bar = bar(p.seconds / p.load_seconds.max(1e-9));
            format!("{stage} {bar} {} of {}", seconds(p.seconds), seconds(p.load_seconds))
        }
        _ => stage.to_owned(),
    };
    let [p50, p90, p99, max] = p.quantiles_us.map(|us| duration(us as f64));
    let mut rows = vec![
        ("now", now),
        (
            "rate",
            format!(
                "{}/s intended   {}/s sent   {}/s acknowledged",
                rate(p.intended_per_second),
                rate(p.sent_per_second),
                rate(p.acknowledged_per_second)
            ),
        ),
        ("latency", format!("p50 {p50}   p90 {p90}   p99 {p99}   max {max}")),
        (
            "ballots",
            format!(
                "{} acknowledged   {} refused   {} indeterminate   {} errors   {} in flight",
                number(p.acknowledged),
                number(p.refused),
                number(p.indeterminate),
                number(p.errors),
                number(p.in_flight)
            ),
        ),
    ];
    if let Some((counted, expected)) = p.counted {
        let bar = bar(counted as f64 / expected.max(1) as f64);
        rows.push(("counted", format!("{bar} {} of {}", number(counted), number(expected))));
    }
    if let Some(backlog) = p.backlog {
        rows.push(("backlog", format!("{} entries", number(backlog))));
    }
    if let Some((open, asked)) = p.viewers {
        let frames = rate(p.frames_per_second);
        let open = number(open);
        rows.push(("viewers", format!("{open} of {} watch   {frames} frames/s", number(asked))));
    }
    rows
}

fn bar(share: f64) -> String {
    const WIDTH: usize = 24;
    let full = ((share.clamp(0.0, 1.0) * WIDTH as f64).round() as usize).min(WIDTH);
    format!("[{}{}]", "=".repeat(full), " ".repeat(WIDTH - full))
}

fn line(p: &Progress) -> String {
    let mut line = format!("{:>7}  {:<16}", format!("{:.1}s", p.seconds), p.stage.label());
    if matches!(p.stage, Stage::WarmUp | Stage::Load) {
        let [p50, _, p99, max] = p.quantiles_us.map(|us| duration(us as f64));
        line.push_str(&format!(
            " intended {}/s, sent {}/s, acknowledged {}/s | p50 {p50}, p99 {p99}, max {max} | refused {}, indeterminate {}, errors {}",
            rate(p.intended_per_second),
            rate(p.sent_per_second),
            rate(p.acknowledged_per_second),
            number(p.refused),
            number(p.indeterminate),
            number(p.errors)
        ));
    }
    if let Some((counted, expected)) = p.counted {
        line.push_str(&format!(" | counted {} of {}", number(counted), number(expected)));
    }
    if let Some(backlog) = p.backlog {
        line.push_str(&format!(" | backlog {}", number(backlog)));
    }
    if let Some((open, asked)) = p.viewers {
        line.push_str(&format!(" | viewers {} of {}", number(open), number(asked)));
    }
    line
}
