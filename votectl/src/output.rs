//! Prints results: tables for people, JSON for programs.

use std::io::Write;

use serde::Serialize;

use crate::cli_error::CliError;

/// The form in which results are printed.
pub struct Output {
    json: bool,
}

impl Output {
    /// Prints JSON if `json`, else text.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints a result, as JSON or as the text that `text` makes.
    pub fn print(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        let text = if self.json {
            serde_json::to_string_pretty(value).expect("results are plain data")
        } else {
            text()
        };
        write_all(&text)
    }

    /// Whether results are printed as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }
}

/// Prints one line on standard error, whatever line breaks a server's words had.
pub fn note(text: &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    eprintln!("votectl: {}", words.join(" "));
}

/// Prints the exit code as the last line of both outputs, if the variable `SHOW_EXIT_CODE` is set. `k8s/votectl` sees
/// these lines in the log at once, and the end of the container only a second later.
pub fn show_exit_code(code: u8) {
    if std::env::var_os("SHOW_EXIT_CODE").is_some() {
        let line = format!("votectl: exit code {code}");
        eprintln!("{line}");
        // A closed output has no reader who waits for this line.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

/// Writes to standard output. A reader that has seen enough (`votectl … | head`) is no error.
fn write_all(text: &str) -> Result<(), CliError> {
    let written = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// A table with columns of equal width, the last one ragged. The columns in `right` are aligned to the
/// right, as numbers are.
pub fn table<const N: usize>(header: [&str; N], right: &[usize], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().enumerate().map(|(column, cell)| match right.contains(&column) {
            true => format!("{cell:>0$}", widths[column]),
            false => format!("{cell:<0$}", widths[column]),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let header = header.map(str::to_owned);
    std::iter::once(&header).chain(rows).map(line).collect::<Vec<_>>().join("\n")
}

/// The text with control characters made visible, so that stored text cannot move the operator's terminal.
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["cats".into(), "7".into()], ["ünïcode".into(), "10".into()]];
        assert_eq!(
            table(["POLL", "VOTES"], &[1], &rows),
            "POLL     VOTES\ncats         7\nünïcode     10"
        );
    }
}
