//! `votectl codes`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use votestream_schema::Slug;
use votestream_schema::code::Code;
use votestream_votectl::Servers;
use votestream_votectl::operations::codes::{self, CODES_MAX};

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl codes issue members-vote --count 500 --output codes.csv
  votectl codes count members-vote

Only hashes of codes are stored: a code that is lost cannot be shown again, but more can be issued.";

/// Issues and counts one-time voting codes, for polls with the voter policy `code`
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// Issue new codes and print them, one a line
    #[command(after_help = EXAMPLES)]
    Issue {
        /// The poll's slug
        slug: Slug,
        /// The number of new codes
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(CODES_MAX)))]
        count: u32,
        /// A new file for the codes, readable by you alone, instead of standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Count the codes that were issued, and those that have voted
    #[command(after_help = EXAMPLES)]
    Count {
        /// The poll's slug
        slug: Slug,
    },
}

/// Runs the command.
pub async fn run(command: Command, servers: &Servers, output: &Output) -> Result<(), CliError> {
    match command {
        Command::Issue { slug, count, output: file } => {
            issue(&slug, count, file.as_deref(), servers, output).await
        }
        Command::Count { slug } => {
            let counted = codes::count(servers, &slug).await?;
            output.print(&counted, || {
                let codes::Counted { issued, voted, .. } = &counted;
                format!("poll `{slug}`: {issued} codes issued, {voted} have voted")
            })
        }
    }
}

#[derive(Serialize)]
struct Issued<'a> {
    poll: &'a Slug,
    issued: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
}

async fn issue(
    slug: &Slug,
    count: u32,
    path: Option<&Path>,
    servers: &Servers,
    output: &Output,
) -> Result<(), CliError> {
    // The file is made before the codes: a path that cannot be written costs none.
    let file = path.map(create_private).transpose()?;
    let codes = match codes::issue(servers, slug, count).await {
        Ok(codes) => codes,
        Err(error) => {
            if let Some(path) = path {
                // It is empty, and ours; left behind, it would refuse the next attempt.
                let _ = std::fs::remove_file(path);
            }
            return Err(error.into());
        }
    };
    let printed: Vec<String> = codes.iter().map(Code::printed).collect();
    let text = printed.join("\n");
    if let Some(mut file) = file {
        file.write_all((text.clone() + "\n").as_bytes())?;
        file.sync_all()?;
    }
    let codes = path.is_none().then_some(printed);
    let issued = Issued { poll: slug, issued: count, codes, file: path };
    output.print(&issued, || match path {
        Some(path) => format!("{count} codes for poll `{slug}` are in {}", path.display()),
        None => text,
    })
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
