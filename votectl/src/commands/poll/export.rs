//! `votectl poll export`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;
use votestream_schema::Slug;
use votestream_schema::poll::now_ms;
use votestream_votectl::Servers;
use votestream_votectl::operations::polls::{Export, ExportedVote, Snapshot};

use crate::cli_error::CliError;
use crate::output::{Output, note};

const EXAMPLES: &str = "Examples:
  votectl poll export cats-vs-dogs --format csv > results.csv
  votectl poll export cats-vs-dogs --excel --output results.csv
  votectl poll export cats-vs-dogs --format json --output results.json
  votectl poll export cats-vs-dogs --format csv --votes --output votes.csv

CSV columns: record (voters, final, waiting, option or second), option, label, time, votes, share_percent. The record
`final` has 1 if the result is complete and cannot change any more, else 0; `waiting` has the accepted ballots that are not
counted yet, and nothing if that is not known. A result that is not final is also named so on standard error.
A label that begins as a formula does (= + - @) has an apostrophe in front.
With --votes: voter, choices (slugs, separated by blanks), entry, ballot.
All rows are read at one moment, so they agree with one another.";

/// Write a poll's results, or every single vote, as CSV or JSON
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// The format
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Write to this file, replacing it, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write every vote, for an audit, instead of the results
    #[arg(long)]
    votes: bool,
    /// Begin a CSV with a byte order mark, by which Excel recognises UTF-8
    #[arg(long)]
    excel: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Json,
}

type Target = BufWriter<Box<dyn Write>>;

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let mut export = Export::start(servers).await?;
    let snapshot = export.read(&args.slug).await?;
    let sink: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(
            File::create(path)
                .map_err(|error| CliError::File { path: path.display().to_string(), error })?,
        ),
        None => Box::new(io::stdout()),
    };
    let mut target = BufWriter::new(sink);
    let format = if output.is_json() { Format::Json } else { args.format };
    if args.excel && format == Format::Csv {
        target.write_all("\u{FEFF}".as_bytes())?;
    }
    let written = match (args.votes, format) {
        (false, format) => results(&snapshot, format, &mut target).await,
        (true, Format::Csv) => votes_csv(&snapshot, &mut target).await,
        (true, Format::Json) => votes_json(&snapshot, &mut target).await,
    };
    let (results, _) = snapshot.results().await?;
    if !results.is_final {
        note(&results.completeness(snapshot.poll.state(now_ms())));
    }
    match written.and_then(|()| Ok(target.flush()?)) {
        Err(error) if error.is_broken_pipe() => Ok(()),
        other => other,
    }
}

async fn results(
    snapshot: &Snapshot<'_>,
    format: Format,
    target: &mut Target,
) -> Result<(), CliError> {
    let results = snapshot.results_file().await?;
    match format {
        Format::Csv => Ok(results.write_csv(target)?),
        Format::Json => Ok(results.write_json(target)?),
    }
}

/// A vote as a line of JSON.
#[derive(Serialize)]
struct Vote<'a> {
    voter: String,
    choices: Vec<&'a str>,
    entry: String,
    ballot: String,
}

async fn votes_csv(snapshot: &Snapshot<'_>, target: &mut Target) -> Result<(), CliError> {
    let mut csv = csv::Writer::from_writer(target);
    csv.write_record(["voter", "choices", "entry", "ballot"])?;
    let write = |ExportedVote { voter, choices, entry, ballot }: ExportedVote<'_>| {
        let record = [voter.to_string(), choices.join(" "), entry.to_string(), ballot.to_string()];
        Ok::<_, CliError>(csv.write_record(record)?)
    };
    snapshot.each_vote(write).await?;
    Ok(csv.flush()?)
}

async fn votes_json(snapshot: &Snapshot<'_>, target: &mut Target) -> Result<(), CliError> {
    let slug = serde_json::to_string(&snapshot.poll.slug).map_err(io::Error::from)?;
    write!(target, "{{\"poll\":{slug},\"votes\":[")?;
    let mut between = "\n";
    let write = |ExportedVote { voter, choices, entry, ballot }: ExportedVote<'_>| {
        target.write_all(between.as_bytes())?;
        between = ",\n";
        let (voter, entry, ballot) = (voter.to_string(), entry.to_string(), ballot.to_string());
        let vote = Vote { voter, choices, entry, ballot };
        Ok::<_, CliError>(serde_json::to_writer(&mut *target, &vote).map_err(io::Error::from)?)
    };
    snapshot.each_vote(write).await?;
    Ok(writeln!(target, "\n]}}")?)
}
