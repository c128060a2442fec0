//! The table of results: every measured figure, and whether it clears its bar.

use std::fmt::Write as _;
use std::path::Path;

use crate::args::Args;

/// The table while its rows are collected.
pub struct Report {
    setup: String,
    baselines: Vec<(String, f64)>,
    rows: Vec<Row>,
}

/// One row: a measured ratio or figure and its bar.
struct Row {
    name: String,
    bar: String,
    measured: String,
    figure: f64,
    spread: String,
    clears: bool,
}

impl Report {
    /// Returns an empty table for a run with these arguments.
    pub fn new(args: &Args) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let Args { rounds, seconds, connections, backlog, viewers, .. } = args;
        let setup = format!(
            "{cores} cores, load generator on the same machine; median of {rounds} rounds of {seconds} s; \
             {connections} connections, a backlog of {backlog}, {viewers} viewers"
        );
        Self { setup, baselines: Vec::new(), rows: Vec::new() }
    }

    /// Adds a figure of a baseline.
    pub fn baseline(&mut self, name: &str, figures: &[f64]) {
        self.baselines.push((name.to_owned(), median(figures)));
    }

    /// Adds a ratio that must be at least `bar`, with the figures behind it. The medians are reported.
    pub fn ratio(&mut self, name: &str, bar: f64, ratios: &[f64], figures: &[f64]) {
        let measured = median(ratios);
        self.rows.push(Row {
            name: name.to_owned(),
            bar: format!("≥ {bar}"),
            measured: format!("{measured:.3}"),
            figure: median(figures),
            spread: spread(ratios),
            clears: measured >= bar,
        });
    }

    /// Adds a ratio that must be at most `bar`, with the figures behind it. The medians are reported.
    pub fn ratio_at_most(&mut self, name: &str, bar: f64, ratios: &[f64], figures: &[f64]) {
        self.ratio(name, bar, ratios, figures);
        if let Some(row) = self.rows.last_mut() {
            row.bar = format!("≤ {bar:.2}");
            row.clears = median(ratios) <= bar;
        }
    }

    /// Adds a figure that must be at most `bar`. The median is reported.
    pub fn at_most(&mut self, name: &str, bar: f64, figures: &[f64]) {
        let measured = median(figures);
        self.rows.push(Row {
            name: name.to_owned(),
            bar: format!("≤ {bar:.0}"),
            measured: format!("{measured:.0}"),
            figure: measured,
            spread: spread(figures),
            clears: measured <= bar,
        });
    }

    /// Returns the table as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# Bench\n\n{}.\n\n", self.setup);
        text.push_str(
            "| measurement | bar | measured | rounds | figure | clears |\n|---|---|---|---|---|---|\n",
        );
        for Row { name, bar, measured, figure, spread, clears } in &self.rows {
            let clears = if *clears { "yes" } else { "no" };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {name} | {bar} | {measured} | {spread} | {figure:.0} | {clears} |"
            );
        }
        text.push_str("\n| baseline | figure |\n|---|---|\n");
        for (name, figure) in &self.baselines {
            let _ = writeln!(text, "| {name} | {figure:.0} |");
        }
        text
    }

    /// Writes the table to a file as Markdown.
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

/// Returns the lowest and the highest figure.
fn spread(figures: &[f64]) -> String {
    let low = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let high = figures.iter().copied().fold(0.0, f64::max);
    if high > 100.0 { format!("{low:.0}–{high:.0}") } else { format!("{low:.2}–{high:.2}") }
}
