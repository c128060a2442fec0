//! Shows the progress of a run: as a block that redraws itself on a terminal, and as plain lines
//! elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::run::progress::{Progress, Stage};
use crate::run::stop::Stop;
use crate::text::{duration, number, rate, seconds};
use crate::voters::outcome::Outcome;

/// The width of the block's first column, in characters.
const NAMES_WIDTH: usize = 12;

/// The narrowest terminal for which lines are shortened, in characters. The block is no use in a
/// narrower one.
const WIDTH_MIN: usize = 20;

/// The next thing that Ctrl-C does, while the load goes on.
const LOAD_HINT: &str = "Ctrl-C ends the load early and still audits and reports";

/// The next thing that Ctrl-C does, once the load was ended.
pub(crate) const WAITING_HINT: &str =
    "waiting until all acknowledged ballots are counted (Ctrl-C again skips the wait)";

/// The time between two plain lines. A change of the stage prints one at once.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Prints progress to standard error.
pub(crate) struct Live {
    terminal: bool,
    quiet: bool,
    title: String,
    stop: Stop,
    /// Whether weight and brightness may be used, see <https://no-color.org>.
    styles: bool,
    /// The length in characters of every line that is drawn. A terminal that was made narrower shows
    /// a line in several rows.
    drawn: Vec<usize>,
    last_line: Option<(Instant, Stage)>,
}

impl Live {
    pub(crate) fn new(title: String, quiet: bool, stop: Stop) -> Self {
        let terminal = std::io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let styles = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { terminal, quiet, title, stop, styles, drawn: Vec::new(), last_line: None }
    }

    /// Returns whether the progress is a block on a terminal, with a hint about Ctrl-C.
    pub(crate) fn draws(&self) -> bool {
        self.terminal && !self.quiet
    }

    /// Prints the progress, if the last print is long enough ago.
    pub(crate) fn show(&mut self, progress: &Progress) {
        if self.quiet {
            return;
        }
        if self.terminal {
            let has_ended = self.stop.load.is_cancelled();
            let hint = if has_ended { WAITING_HINT } else { LOAD_HINT };
            let lines = block(&self.title, progress, hint, terminal_width());
            self.redraw(&lines);
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
        if self.terminal && !self.drawn.is_empty() {
            self.redraw(&[]);
        }
    }

    fn redraw(&mut self, lines: &[BlockLine]) {
        let mut out = String::new();
        let rows = rows_of(&self.drawn, terminal_width());
        if rows > 0 {
            out.push_str(&format!("\x1b[{rows}A"));
        }
        out.push_str("\r\x1b[J");
        for line in lines {
            out.push_str(&line.text(self.styles));
            out.push('\n');
        }
        self.drawn = lines.iter().map(BlockLine::length).collect();
        let mut stderr = std::io::stderr().lock();
        // A terminal that has closed is no reason to stop the run.
        let _ = stderr.write_all(out.as_bytes()).and_then(|()| stderr.flush());
    }
}

/// Returns the width of the terminal in characters; 80 if it is not known.
fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    let width = size.map_or(80, |size| usize::from(size.ws_col));
    if width == 0 { 80 } else { width.max(WIDTH_MIN) }
}

/// Returns the number of rows in which a terminal of this width shows lines of these lengths.
fn rows_of(lengths: &[usize], width: usize) -> usize {
    lengths.iter().map(|length| length.div_ceil(width).max(1)).sum()
}

/// One line of the block: a name and a text, without styles.
#[derive(Debug, PartialEq)]
struct BlockLine {
    name: String,
    text: String,
}

impl BlockLine {
    /// Returns the line, with styles if they may be used: a title is bold, and names and hints are
    /// dim.
    fn text(&self, styles: bool) -> String {
        let Self { name, text } = self;
        match (styles, name.is_empty()) {
            (false, true) => text.clone(),
            (false, false) => format!("  {name:<9} {text}"),
            (true, true) => format!("\x1b[1m{text}\x1b[0m"),
            (true, false) => format!("  \x1b[2m{name:<9}\x1b[0m {text}"),
        }
    }

    fn length(&self) -> usize {
        self.text(false).chars().count()
    }
}

/// Returns the lines of the block. No line is wider than the terminal, because a wrapped line would
/// make redrawing miscount.
fn block(title: &str, p: &Progress, hint: &str, width: usize) -> Vec<BlockLine> {
    let fit = |text: &str, width: usize| text.chars().take(width).collect::<String>();
    let mut lines = vec![BlockLine { name: String::new(), text: fit(title, width - 1) }];
    let hint = ("Ctrl-C", hint.trim_start_matches("Ctrl-C ").to_owned());
    for (name, text) in rows(p).into_iter().chain([hint]) {
        // What does not fit into a narrow terminal goes on in further lines.
        let room = width - NAMES_WIDTH - 1;
        let letters: Vec<char> = text.chars().collect();
        for (nth, part) in letters.chunks(room).take(LINES_MAX).enumerate() {
            let name = if nth == 0 { name.to_owned() } else { " ".to_owned() };
            lines.push(BlockLine { name, text: part.iter().collect() });
        }
    }
    lines
}

/// The most lines for one row of figures.
const LINES_MAX: usize = 4;

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
    if p.errors > 0 {
        rows.push(("errors", reasons(p)));
    }
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

/// Names the outcomes that are no acknowledgement, the most frequent first.
fn reasons(p: &Progress) -> String {
    let mut found: Vec<(u64, &str)> = Outcome::ALL
        .into_iter()
        .zip(p.outcomes)
        .filter(|(outcome, count)| *outcome != Outcome::Acknowledged && *count > 0)
        .map(|(outcome, count)| (count, outcome.label()))
        .collect();
    found.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let named = found.iter().take(3).map(|(count, label)| format!("{} {label}", number(*count)));
    named.collect::<Vec<_>>().join("   ")
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
        if p.errors > 0 {
            line.push_str(&format!(" ({})", reasons(p)));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        let mut progress = Progress { errors: 12, ..Progress::default() };
        progress.outcomes[Outcome::Unavailable as usize] = 9;
        progress.outcomes[Outcome::TimedOut as usize] = 3;
        progress.outcomes[Outcome::Acknowledged as usize] = 50;
        progress
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [WIDTH_MIN, 30, 80] {
            let lines =
                block("a title that is rather long for this", &progress(), LOAD_HINT, width);
            assert!(lines.iter().all(|line| line.length() < width), "{width}: {lines:?}");
        }
    }

    #[test]
    fn lines_of_a_terminal_that_was_made_narrower_are_counted_in_rows() {
        assert_eq!(rows_of(&[79, 30, 0], 80), 3);
        assert_eq!(rows_of(&[79, 30, 0], 30), 5);
    }

    #[test]
    fn errors_have_their_reasons() {
        assert_eq!(reasons(&progress()), "9 unavailable (503)   3 no reply in time");
        assert!(line(&Progress { stage: Stage::Load, ..progress() }).contains("(9 unavailable"));
    }

    #[test]
    fn styles_can_be_left_out() {
        let lines = block("title", &progress(), WAITING_HINT, 120);
        assert!(lines.iter().all(|line| !line.text(false).contains('\x1b')));
        assert!(lines.iter().any(|line| line.text(true).contains("\x1b[1m")));
        assert!(lines.iter().any(|line| line.text.contains("Ctrl-C again skips")), "{lines:?}");
    }
}
