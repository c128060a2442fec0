//! `votectl codes count`.

use votestream_schema::Slug;
use votestream_votectl::Servers;
use votestream_votectl::operations::codes::{self, Counted};

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl codes count members-vote
  votectl codes count members-vote --json";

/// Count the codes that were issued or imported, and those that have voted
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let counted = codes::count(servers, &args.slug).await?;
    output.print(&counted, || {
        let Counted { poll, issued, revoked, voted } = &counted;
        let revoked = match revoked {
            0 => String::new(),
            revoked => format!(", {revoked} revoked"),
        };
        format!("poll `{poll}`: {issued} codes issued{revoked}, {voted} have voted")
    })
}
