//! `votectl organisers revoke`.

use votestream_schema::Slug;
use votestream_votectl::Servers;
use votestream_votectl::operations::organisers;

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl organisers revoke ben

Token, sessions and links of the organiser end at once. The name stays taken, because the log names the organiser's steps.";

/// Revoke an organiser: nothing that they have works any more
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The organiser's name
    name: Slug,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let organiser = organisers::revoke(servers, &args.name).await?;
    output.print(&organiser, || format!("organiser `{}` is revoked", organiser.name))
}
