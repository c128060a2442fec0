//! `votectl codes import`.

use std::path::PathBuf;

use serde::Serialize;
use votestream_schema::Slug;
use votestream_votectl::Servers;
use votestream_votectl::code_file::CodeFile;
use votestream_votectl::guessable::{self, Warning};
use votestream_votectl::operations::codes::{self, Added};

use super::file;
use crate::cli_error::CliError;
use crate::output::{Output, note};

/// The lines that are named at most.
const LINES_SHOWN_MAX: usize = 10;

const EXAMPLES: &str = "Examples:
  votectl codes import members-vote codes.csv
  votectl codes issue spring-vote --count 500 --output codes.csv && votectl codes import autumn-vote codes.csv
  printf '%s\\n' 7K3M-Q9TX-2B4H-VW8D | votectl codes import members-vote -

FILE has one code a line, or it is CSV with the codes in its first column or in the column `code`. A code has 16
characters: digits, and letters without I, L, O and U (Crockford's base 32). Hyphens and blanks do not count. Codes
have to be that long because they are 80 bits: if they are random, nobody can guess one by trying.
Codes that the poll has already stay as they are. If any line is not a code, nothing is imported.";

/// Import codes of one's own, which are in people's hands already
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// The file with the codes; `-` is standard input
    file: PathBuf,
}

#[derive(Serialize)]
struct Imported<'a> {
    poll: &'a Slug,
    added: u64,
    already_there: u64,
    /// The part of `already_there` that is revoked.
    revoked: u64,
    repeated_in_file: usize,
    warnings: Vec<String>,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let CodeFile { codes, repeated_lines } = file::read(&args.file)?;
    let warnings: Vec<String> =
        guessable::warnings(&codes).iter().map(Warning::to_string).collect();
    let Added { added, already_there, revoked, not_copied, .. } =
        codes::add(servers, &args.slug, &codes).await?;
    for warning in &warnings {
        note(warning);
    }
    if let Some(error) = not_copied {
        note(&codes::not_copied(&error));
    }
    let repeated_in_file = repeated_lines.len();
    let imported =
        Imported { poll: &args.slug, added, already_there, revoked, repeated_in_file, warnings };
    output.print(&imported, || {
        let mut text = format!("poll `{}`: {added} codes imported", args.slug);
        if already_there > 0 {
            text += &format!(", {already_there} were there already");
        }
        if revoked > 0 {
            text += &format!(" ({revoked} of them are revoked, and stay so)");
        }
        if repeated_in_file > 0 {
            text +=
                &format!(", {repeated_in_file} repeated in the file ({})", lines(&repeated_lines));
        }
        text
    })
}

/// The first of these lines: `line 3`, or `lines 3, 4 and 17 more`.
fn lines(numbers: &[u64]) -> String {
    let first: Vec<String> = numbers.iter().take(LINES_SHOWN_MAX).map(u64::to_string).collect();
    let word = if numbers.len() == 1 { "line" } else { "lines" };
    let more = match numbers.len() - first.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{word} {}{more}", first.join(", "))
}
