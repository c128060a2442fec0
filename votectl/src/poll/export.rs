//! `votectl poll export`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::pin::pin;

use clap::ValueEnum;
use futures_util::TryStreamExt;
use serde::Serialize;
use tokio_postgres::{IsolationLevel, Row, Transaction};
use uuid::Uuid;
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_schema::{BallotId, Choices, EntryId, Poll, PollState, Slug, VoterId, db};

use super::find;
use super::show::Results;
use crate::failure::Failure;
use crate::output::Output;
use crate::servers::Servers;

const EXAMPLES: &str = "Examples:
  votectl poll export cats-vs-dogs --format csv > results.csv
  votectl poll export cats-vs-dogs --format json --output results.json
  votectl poll export cats-vs-dogs --format csv --votes --output votes.csv

CSV columns: record (voters, option or second), option, label, time, votes, share_percent.
With --votes: voter, choices (slugs, separated by blanks), entry, ballot.
All rows are read at one moment, so they agree with one another.";

/// Writes a poll's results, or every single vote, as CSV or JSON
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll
    slug: Slug,
    /// The format
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Write to this file, replacing it, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Every vote, for an audit, instead of the results
    #[arg(long)]
    votes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Json,
}

type Target = BufWriter<Box<dyn Write>>;

/// Runs the subcommand.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), Failure> {
    let mut postgres = servers.postgres().await?;
    // Millions of votes take longer than any other statement may.
    postgres.batch_execute("SET statement_timeout = 0").await?;
    let moment = postgres.build_transaction();
    let moment = moment.isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let moment = moment.start().await?;
    let poll = find(&moment, &args.slug).await?;
    let sink: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(
            File::create(path)
                .map_err(|error| Failure::refused(format!("{}: {error}", path.display())))?,
        ),
        None => Box::new(io::stdout()),
    };
    let mut target = BufWriter::new(sink);
    let format = if output.is_json() { Format::Json } else { args.format };
    let written = match (args.votes, format) {
        (false, format) => results(&moment, &poll, format, &mut target).await,
        (true, Format::Csv) => votes_csv(&moment, &poll, &mut target).await,
        (true, Format::Json) => votes_json(&moment, &poll, &mut target).await,
    };
    match written.and_then(|()| Ok(target.flush()?)) {
        Err(Failure::Refused(text)) if text.contains("Broken pipe") => Ok(()),
        other => other,
    }
}

#[derive(Serialize)]
struct Exported<'a> {
    #[serde(flatten)]
    poll: &'a Poll,
    state: PollState,
    exported_at: String,
    results: Results,
    /// `[Unix time in seconds, people counted]`.
    series: Vec<(i64, i64)>,
}

async fn results(
    moment: &Transaction<'_>,
    poll: &Poll,
    format: Format,
    target: &mut Target,
) -> Result<(), Failure> {
    let tally = db::results::tally(moment, poll.id).await?;
    let series = db::results::series(moment, poll.id).await?;
    let results = Results::new(poll, &tally);
    let now_ms = now_ms();
    let exported =
        Exported { poll, state: poll.state(now_ms), exported_at: rfc3339(now_ms), results, series };
    match format {
        Format::Csv => Ok(results_csv(&exported, target)?),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *target, &exported).map_err(io::Error::from)?;
            Ok(writeln!(target)?)
        }
    }
}

fn results_csv(exported: &Exported<'_>, target: &mut Target) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(target);
    csv.write_record(["record", "option", "label", "time", "votes", "share_percent"])?;
    let voters = exported.results.voters.to_string();
    csv.write_record(["voters", "", "", &exported.exported_at, &voters, ""])?;
    for option in &exported.results.options {
        let (votes, share) = (option.votes.to_string(), format!("{:.4}", option.share_percent));
        let (slug, label) = (option.slug.as_str(), option.label.as_str());
        csv.write_record(["option", slug, label, "", &votes, &share])?;
    }
    for (second, votes) in &exported.series {
        let time = rfc3339(second.saturating_mul(1_000));
        csv.write_record(["second", "", "", &time, &votes.to_string(), ""])?;
    }
    Ok(csv.flush()?)
}

#[derive(Serialize)]
struct Vote<'a> {
    voter: String,
    choices: Vec<&'a str>,
    entry: String,
    ballot: String,
}

impl<'a> Vote<'a> {
    fn read(poll: &'a Poll, row: &Row) -> Self {
        let chosen = Choices::from_mask(row.get("choices"));
        let slugs = chosen.into_iter().flat_map(|choices| poll.chosen(choices));
        Self {
            voter: VoterId(row.get::<_, Uuid>("voter")).to_string(),
            choices: slugs.map(|option| option.slug.as_str()).collect(),
            entry: EntryId { ms: row.get("entry_ms"), seq: row.get("entry_seq") }.to_string(),
            ballot: BallotId(row.get::<_, Uuid>("ballot")).to_string(),
        }
    }
}

async fn votes_csv(
    moment: &Transaction<'_>,
    poll: &Poll,
    target: &mut Target,
) -> Result<(), Failure> {
    let mut csv = csv::Writer::from_writer(target);
    csv.write_record(["voter", "choices", "entry", "ballot"])?;
    each_vote(moment, poll, |vote| {
        let choices = vote.choices.join(" ");
        let record = [&vote.voter, &choices, &vote.entry, &vote.ballot];
        Ok(csv.write_record(record)?)
    })
    .await?;
    Ok(csv.flush()?)
}

async fn votes_json(
    moment: &Transaction<'_>,
    poll: &Poll,
    target: &mut Target,
) -> Result<(), Failure> {
    let slug = serde_json::to_string(&poll.slug).map_err(io::Error::from)?;
    write!(target, "{{\"poll\":{slug},\"votes\":[")?;
    let mut between = "\n";
    each_vote(moment, poll, |vote| {
        target.write_all(between.as_bytes())?;
        between = ",\n";
        Ok(serde_json::to_writer(&mut *target, &vote).map_err(io::Error::from)?)
    })
    .await?;
    Ok(writeln!(target, "\n]}}")?)
}

/// One vote at a time, so that millions need no more memory than one.
async fn each_vote<'a>(
    moment: &Transaction<'_>,
    poll: &'a Poll,
    mut write: impl FnMut(Vote<'a>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let sql = include_str!("../../sql/votes.sql");
    let mut rows = pin!(moment.query_raw(sql, [poll.id.0]).await?);
    while let Some(row) = rows.try_next().await? {
        write(Vote::read(poll, &row))?;
    }
    Ok(())
}
