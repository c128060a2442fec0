//! Shows a run under way: a block that redraws itself on a terminal, plain lines elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::progress::{Progress, Stage};
use crate::text::{duration, number, rate, seconds};

/// Plain lines come this far apart, and whenever the stage changes.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Where progress goes: standard error.
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

    /// Shows where the run stands.
    pub(crate) fn show(&mut self, progress: &Progress) {
        if self.quiet {
            return;
        }
        if self.terminal {
            self.redraw(&block(&self.title, progress));
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

    /// Clears the block, so that what follows stands in its place.
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
        // A terminal that went away is no reason to stop the run.
        let _ = stderr.write_all(out.as_bytes()).and_then(|()| stderr.flush());
    }
}

fn block(title: &str, p: &Progress) -> Vec<String> {
    let bold = |text: &str| format!("\x1b[1m{text}\x1b[0m");
    let row = |name: &str, text: String| format!("  \x1b[2m{name:<9}\x1b[0m {text}");
    let mut lines = vec![bold(title)];
    let stage = match p.stage {
        Stage::WarmUp | Stage::Load => {
            format!("{} {}", p.stage.label(), bar(p.seconds / p.load_seconds.max(1e-9)))
        }
        stage => stage.label().to_owned(),
    };
    lines.push(row(
        "now",
        format!("{stage}  {} of {}", seconds(p.seconds), seconds(p.load_seconds)),
    ));
    lines.push(row(
        "rate",
        format!(
            "{}/s intended   {}/s sent   {}/s acknowledged",
            rate(p.intended_per_second),
            rate(p.sent_per_second),
            rate(p.acknowledged_per_second)
        ),
    ));
    let [p50, p90, p99, max] = p.quantiles_us.map(|us| duration(us as f64));
    lines.push(row("latency", format!("p50 {p50}   p90 {p90}   p99 {p99}   max {max}")));
    lines.push(row(
        "ballots",
        format!(
            "{} acknowledged   {} refused   {} indeterminate   {} errors   {} under way",
            number(p.acknowledged),
            number(p.refused),
            number(p.indeterminate),
            number(p.errors),
            number(p.under_way)
        ),
    ));
    if let Some((counted, expected)) = p.counted {
        let share = counted as f64 / expected.max(1) as f64;
        lines.push(row(
            "counted",
            format!("{} {} of {}", bar(share), number(counted), number(expected)),
        ));
    }
    if let Some(backlog) = p.backlog {
        lines.push(row("backlog", format!("{} entries", number(backlog))));
    }
    if let Some((open, asked)) = p.viewers {
        lines.push(row(
            "viewers",
            format!(
                "{} of {} watch   {} frames/s",
                number(open),
                number(asked),
                rate(p.frames_per_second)
            ),
        ));
    }
    lines
        .push("  \x1b[2mCtrl-C ends the load early and still audits and reports\x1b[0m".to_owned());
    lines
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
