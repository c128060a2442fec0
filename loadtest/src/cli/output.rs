//! The files of a report. They are opened before the load, so that a long run does not end without
//! its report, and written before anything is printed.
//!
//! Invariant: a file that existed keeps its contents until the new report replaces them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::cli::args::FileArgs;
use crate::report::csv::to_csv;
use crate::report::data::Report;
use crate::report::junit::to_junit;
use crate::report::summary::summary;

/// A report or a journal could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {what}: {source}")]
pub(crate) struct WriteError {
    what: String,
    source: io::Error,
}

impl WriteError {
    pub(crate) fn new(what: impl Into<String>, source: io::Error) -> Self {
        Self { what: what.into(), source }
    }
}

/// The places to which the parts of one report go, all of them open.
pub(crate) struct Outputs {
    json: Option<Output>,
    html: Option<Output>,
    junit: Option<Output>,
    csv: Option<Output>,
}

impl Outputs {
    /// Opens all files.
    ///
    /// # Errors
    /// Returns an error that names the file if one cannot be opened, or if two parts of the report
    /// go to standard output.
    pub(crate) fn open(args: &FileArgs) -> anyhow::Result<Self> {
        let paths = [&args.json, &args.html, &args.junit, &args.csv];
        let to_stdout = paths.iter().filter(|path| path.as_deref().is_some_and(is_stdout)).count();
        ensure!(to_stdout <= 1, "only one of the files can be standard output");
        let open = |path: &Option<PathBuf>| path.as_deref().map(Output::open).transpose();
        Ok(Self {
            json: open(&args.json)?,
            html: open(&args.html)?,
            junit: open(&args.junit)?,
            csv: open(&args.csv)?,
        })
    }

    /// Writes the files and then the summary, and returns the exit code of the report.
    ///
    /// # Errors
    /// Returns a [`WriteError`] for the first file that cannot be written, after trying all of them,
    /// and an error if the report is damaged.
    pub(crate) fn write(self, report: &Report) -> anyhow::Result<u8> {
        let all = [&self.json, &self.html, &self.junit, &self.csv];
        let to_stdout = all.into_iter().flatten().any(|output| output.file.is_none());
        let mut done = Ok(());
        let mut write = |output: Option<Output>, text: &dyn Fn() -> anyhow::Result<String>| {
            let Some(output) = output else { return };
            let written = text().and_then(|text| Ok(output.write(&text)?));
            if done.is_ok() {
                done = written;
            }
        };
        write(self.json, &|| Ok(report.to_json()));
        write(self.html, &|| crate::report::html::render(report));
        write(self.junit, &|| to_junit(report));
        write(self.csv, &|| Ok(to_csv(report)));
        let text = summary(report);
        if to_stdout {
            eprintln!("{text}");
        } else {
            print(&format!("{text}\n"))?;
        }
        done?;
        Ok(report.verdict.exit_code)
    }
}

/// Prints on standard output. The reader may have gone, as in `loadtest … | head`.
///
/// # Errors
/// Returns a [`WriteError`] if the text cannot be written.
pub(crate) fn print(text: &str) -> Result<(), WriteError> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    printed.map_err(|error| WriteError::new("to standard output", error))
}

/// One open file, or standard output.
pub(crate) struct Output {
    path: PathBuf,
    /// The file; `None` is standard output.
    file: Option<File>,
    /// Whether there was no such file before. It is removed if nothing is written to it.
    is_new: bool,
}

impl Output {
    /// Opens a file for writing; `-` is standard output.
    ///
    /// # Errors
    /// Returns an error that names the file if it cannot be opened.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if is_stdout(path) {
            return Ok(Self { path: path.to_owned(), file: None, is_new: false });
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        ensure!(
            folder.is_dir(),
            "there is no folder {} for {}: create it first",
            folder.display(),
            path.display()
        );
        let is_new = !path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot open {} for writing", path.display()))?;
        Ok(Self { path: path.to_owned(), file: Some(file), is_new })
    }

    /// Replaces the contents with this text.
    ///
    /// # Errors
    /// Returns an error that names the file if the text cannot be written.
    pub(crate) fn write(mut self, text: &str) -> Result<(), WriteError> {
        let Some(file) = self.file.as_mut() else { return print(text) };
        // A pipe or a device has no length.
        let emptied = match file.metadata() {
            Ok(data) if data.is_file() => file.set_len(0),
            _ => Ok(()),
        };
        let written =
            emptied.and_then(|()| file.write_all(text.as_bytes())).and_then(|()| file.flush());
        self.is_new = false;
        written.map_err(|error| WriteError::new(self.path.display().to_string(), error))?;
        eprintln!("wrote {}", self.path.display());
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.is_new {
            let _ = std::fs::remove_file(&self.path); // an empty file that nobody asked for
        }
    }
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}
