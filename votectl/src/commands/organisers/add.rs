//! `votectl organisers add`.

use std::path::PathBuf;

use votestream_schema::Slug;
use votestream_schema::organiser::{Role, Token};
use votestream_schema::poll::Invalid;
use votestream_votectl::Servers;
use votestream_votectl::operations::organisers::{self, NewOrganiser};

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl organisers add anna --role admin
  votectl organisers add ben --role host --poll lunch --poll dinner

The token is printed once, and nobody can read it later: only its hash is stored. It signs the organiser in at the host's
service, and programs send it in the header `Authorization: Bearer TOKEN`. A poll that is named need not exist yet; the
organiser may create it.";

/// Add an organiser, and print the token that names them
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The organiser's name in the log: a-z, 0-9 and inner hyphens
    name: Slug,
    /// What they may use: admin (all polls) or host (the polls that --poll names)
    #[arg(long)]
    role: Role,
    /// A poll that a host may see, change and create; may be repeated
    #[arg(long = "poll", value_name = "SLUG")]
    polls: Vec<Slug>,
    /// Take the token from this file, instead of making one: 64 hexadecimal digits, as `openssl rand -hex 32` prints
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Leave an organiser of this name as they are, should there be one
    #[arg(long)]
    if_missing: bool,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let new = NewOrganiser {
        name: args.name.clone(),
        role: args.role,
        polls: args.polls.clone(),
        token: args.token_file.as_ref().map(read).transpose()?,
    };
    let added = organisers::add(servers, &new, args.if_missing).await?;
    output.print(&added, || match (&added.token, added.is_new) {
        (Some(token), _) => format!("organiser `{}` with this token:\n{token}", added.name),
        (None, true) => format!("organiser `{}` with the token of the file", added.name),
        (None, false) => format!("organiser `{}` exists already; left as it is", added.name),
    })
}

fn read(path: &PathBuf) -> Result<Token, CliError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| CliError::File { path: shown.to_string(), error })?;
    Ok(text.parse().map_err(|error| Invalid(format!("{shown}: {error}")))?)
}
