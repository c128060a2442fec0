//! `votectl codes issue`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use votestream_schema::Slug;
use votestream_schema::code::Code;
use votestream_votectl::operations::codes::{self, CODES_MAX};
use votestream_votectl::{BallotAddress, Servers};

use super::handout::{Format, Handout};
use crate::cli_error::CliError;
use crate::output::{Output, note};

const EXAMPLES: &str = "Examples:
  votectl codes issue members-vote --count 500
  votectl codes issue members-vote --count 500 --output codes.csv --link https://vote.example/polls/members-vote
  votectl codes issue members-vote --count 80 --output codes.html --link https://vote.example/polls/members-vote
  votectl codes issue members-vote --count 80 --json --link https://vote.example/polls/members-vote

A personal link opens the ballot with the code in its field. The code is behind the `#`, which browsers send to no
server, so that no log has it. codes.html is a sheet to print and cut: open it in a browser.
Only hashes of codes are stored: a code that is lost cannot be shown again, but more can be issued.";

/// Issue new codes and write them as a list, as CSV, or as a sheet to print
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// The number of new codes
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(CODES_MAX)))]
    count: u32,
    /// The format; without it, csv for a FILE that ends in .csv, sheet for .html, else list
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The address of the ballot page as voters reach it, for personal links
    #[arg(long, value_name = "URL")]
    link: Option<BallotAddress>,
    /// A new file for the codes, readable by you alone, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
struct Printed<'a> {
    poll: &'a Slug,
    issued: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let Args { slug, count, link, .. } = args;
    let path = args.output.as_deref();
    // The codes are made last: a format or a path that cannot be written costs none.
    let is_json = output.is_json() && path.is_none();
    let handout = match (is_json, args.format) {
        (true, None) => None,
        (_, format) => {
            let format = format.or(path.map(Format::of_file)).unwrap_or(Format::List);
            Some(Handout::new(format, link.clone(), *count)?)
        }
    };
    let file = path.map(create_private).transpose()?;
    let issued = match codes::issue(servers, slug, *count).await {
        Ok(issued) => issued,
        Err(error) => {
            if let Some(path) = path {
                // It is empty, and ours; left behind, it would refuse the next attempt.
                let _ = std::fs::remove_file(path);
            }
            return Err(error.into());
        }
    };
    if let Some(error) = &issued.not_copied {
        note(&codes::not_copied(error));
    }
    let printed = |text: &dyn Fn(&Code) -> String| issued.codes.iter().map(text).collect();
    let mut result = Printed { poll: slug, issued: *count, codes: None, links: None, file: path };
    match (file, handout) {
        (Some(file), Some(handout)) => {
            let mut target = BufWriter::new(file);
            handout.write(&issued, &mut target)?;
            target.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        }
        (None, Some(handout)) if !is_json => return print(&handout, &issued),
        _ => {
            result.codes = Some(printed(&Code::printed));
            result.links = link.as_ref().map(|link| printed(&|code| link.link(code)));
        }
    }
    output.print(&result, || {
        let file = path.map(|path| path.display().to_string()).unwrap_or_default();
        format!("{count} codes for poll `{slug}` are in {file}")
    })
}

/// Writes to standard output. A reader that has seen enough (`votectl … | head`) is no error.
fn print(handout: &Handout, issued: &codes::Issued) -> Result<(), CliError> {
    let mut target = BufWriter::new(io::stdout());
    let written = handout.write(issued, &mut target);
    match written.and_then(|()| Ok(target.flush()?)) {
        Err(error) if error.is_broken_pipe() => Ok(()),
        other => other,
    }
}

/// Creates a file that its owner alone can read; fails if it exists.
fn create_private(path: &Path) -> Result<File, CliError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = |error: io::Error| CliError::File { path: path.display().to_string(), error };
    options.open(path).map_err(file)
}
