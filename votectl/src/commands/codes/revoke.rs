//! `votectl codes revoke`.

use std::path::PathBuf;

use votestream_schema::Slug;
use votestream_votectl::Servers;
use votestream_votectl::operations::codes::{self, Revoked};

use super::file;
use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl codes revoke members-vote lost-codes.txt
  printf '%s\\n' 7K3M-Q9TX-2B4H-VW8D | votectl codes revoke members-vote -

FILE has the same form as for `votectl codes import`. A code that has voted can be revoked as well: its vote stays, and it
cannot be changed any more.";

/// Revoke codes, so that no ballot with them is accepted any more
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// The file with the codes; `-` is standard input
    file: PathBuf,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let codes = file::read(&args.file)?.codes;
    let outcome = codes::revoke(servers, &args.slug, &codes).await?;
    output.print(&outcome, || {
        let Revoked { poll, revoked, voted, already_revoked, unknown } = &outcome;
        let mut text = format!("poll `{poll}`: {revoked} codes revoked");
        if *voted > 0 {
            text += &format!(" ({voted} of them have voted: these votes stay)");
        }
        if *already_revoked > 0 {
            text += &format!(", {already_revoked} were revoked before");
        }
        if *unknown > 0 {
            text += &format!(", {unknown} are not codes of this poll");
        }
        text
    })
}
