//! The table: every figure that was measured, and whether it clears its bar.

use std::fmt::Write as _;
use std::path::Path;

use crate::Args;

/// Collects rows.
pub struct Report {
    setup: String,
    baselines: Vec<(String, f64)>,
    rows: Vec<Row>,
}

struct Row {
    what: String,
    bar: String,
    measured: String,
    figure: f64,
    spread: String,
    clears: bool,
}

impl Report {
    /// An empty report on a run with these arguments.
    pub fn new(args: &Args) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let Args { rounds, seconds, connections, backlog, viewers, .. } = args;
        let setup = format!(
            "{cores} cores, load generator on the same machine; median of {rounds} rounds of {seconds} s; \
             {connections} connections, a backlog of {backlog}, {viewers} viewers"
        );
        Self { setup, baselines: Vec::new(), rows: Vec::new() }
    }

    /// A figure that others are compared with.
    pub fn baseline(&mut self, what: &str, figures: &[f64]) {
        self.baselines.push((what.to_owned(), median(figures)));
    }

    /// A ratio that is to be at least `bar`, and the figures it was made of.
    pub fn ratio(&mut self, what: &str, bar: f64, ratios: &[f64], figures: &[f64]) {
        let measured = median(ratios);
        self.rows.push(Row {
            what: what.to_owned(),
            bar: format!("≥ {bar}"),
            measured: format!("{measured:.3}"),
            figure: median(figures),
            spread: spread(ratios),
            clears: measured >= bar,
        });
    }

    /// A ratio that is to be at most `bar`, and the figures it was made of.
    pub fn ratio_at_most(&mut self, what: &str, bar: f64, ratios: &[f64], figures: &[f64]) {
        self.ratio(what, bar, ratios, figures);
        if let Some(row) = self.rows.last_mut() {
            row.bar = format!("≤ {bar:.2}");
            row.clears = median(ratios) <= bar;
        }
    }

    /// A figure that is to be at most `bar`.
    pub fn at_most(&mut self, what: &str, bar: f64, figures: &[f64]) {
        let measured = median(figures);
        self.rows.push(Row {
            what: what.to_owned(),
            bar: format!("≤ {bar:.0}"),
            measured: format!("{measured:.0}"),
            figure: measured,
            spread: spread(figures),
            clears: measured <= bar,
        });
    }

    /// The table.
    pub fn markdown(&self) -> String {
        let mut text = format!("# Bench\n\n{}.\n\n", self.setup);
        text.push_str(
            "| what | bar | measured | rounds | figure | clears |\n|---|---|---|---|---|---|\n",
        );
        for Row { what, bar, measured, figure, spread, clears } in &self.rows {
            let clears = if *clears { "yes" } else { "no" };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {what} | {bar} | {measured} | {spread} | {figure:.0} | {clears} |"
            );
        }
        text.push_str("\n| baseline | figure |\n|---|---|\n");
        for (what, figure) in &self.baselines {
            let _ = writeln!(text, "| {what} | {figure:.0} |");
        }
        text
    }

    /// Writes the table to a file.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        std::fs::write(path, self.markdown())?;
        Ok(())
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

fn spread(figures: &[f64]) -> String {
    let low = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let high = figures.iter().copied().fold(0.0, f64::max);
    if high > 100.0 { format!("{low:.0}–{high:.0}") } else { format!("{low:.2}–{high:.2}") }
}
