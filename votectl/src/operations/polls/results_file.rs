//! The results of a poll as a file: CSV for spreadsheets, JSON for programs.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_schema::{Poll, PollState, Slug};

use super::export::{Export, Snapshot};
use super::show::Results;
use crate::error::Error;
use crate::servers::Servers;

/// The results at one moment, with everything that the file has.
#[derive(Debug, Serialize)]
pub struct ResultsFile {
    /// The poll.
    #[serde(flatten)]
    pub poll: Poll,
    /// Its state at that moment.
    pub state: PollState,
    /// The moment, in RFC 3339.
    pub exported_at: String,
    /// The results.
    pub results: Results,
    /// `[Unix time in seconds, people counted]`.
    pub series: Vec<(i64, i64)>,
}

/// Reads the results of a poll for a file. Needs Postgres alone.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], or the error of Postgres.
pub async fn results_file(servers: &Servers, slug: &Slug) -> Result<ResultsFile, Error> {
    let mut export = Export::start(servers).await?;
    let snapshot = export.read(slug).await?;
    snapshot.results_file().await
}

impl Snapshot<'_> {
    /// Reads the results for a file.
    ///
    /// # Errors
    /// Returns the error of Postgres.
    pub async fn results_file(&self) -> Result<ResultsFile, Error> {
        let (results, series) = self.results().await?;
        let (poll, now_ms) = (self.poll.clone(), now_ms());
        let (state, exported_at) = (poll.state(now_ms), rfc3339(now_ms));
        Ok(ResultsFile { poll, state, exported_at, results, series })
    }
}

impl ResultsFile {
    /// Writes CSV with the columns `record`, `option`, `label`, `time`, `votes` and `share_percent`.
    ///
    /// # Errors
    /// Returns the error of `target`.
    pub fn write_csv(&self, target: impl Write) -> csv::Result<()> {
        let mut csv = csv::Writer::from_writer(target);
        csv.write_record(["record", "option", "label", "time", "votes", "share_percent"])?;
        let voters = self.results.voters.to_string();
        csv.write_record(["voters", "", "", &self.exported_at, &voters, ""])?;
        let is_final = u8::from(self.results.is_final).to_string();
        csv.write_record(["final", "", "", &self.exported_at, &is_final, ""])?;
        let waiting = self.results.waiting.map_or_else(String::new, |waiting| waiting.to_string());
        csv.write_record(["waiting", "", "", &self.exported_at, &waiting, ""])?;
        for option in &self.results.options {
            let (votes, share) = (option.votes.to_string(), format!("{:.4}", option.share_percent));
            let (slug, label) = (option.slug.as_str(), no_formula(&option.label));
            csv.write_record(["option", slug, &label, "", &votes, &share])?;
        }
        for (second, votes) in &self.series {
            let time = rfc3339(second.saturating_mul(1_000));
            csv.write_record(["second", "", "", &time, &votes.to_string(), ""])?;
        }
        Ok(csv.flush()?)
    }

    /// Writes one JSON object, and a line's end.
    ///
    /// # Errors
    /// Returns the error of `target`.
    pub fn write_json(&self, mut target: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut target, self).map_err(io::Error::from)?;
        writeln!(target)
    }
}

/// A cell that no spreadsheet takes for a formula: one that begins like a formula gets an apostrophe in front, as the
/// Open Worldwide Application Security Project (OWASP) advises.
fn no_formula(text: &str) -> Cow<'_, str> {
    match text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}
