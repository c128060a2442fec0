//! `votectl organisers link`.

use serde_json::json;
use votestream_schema::Slug;
use votestream_votectl::Servers;
use votestream_votectl::operations::organisers;

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl organisers link anna --url https://host.example

The link signs the organiser in without their token, once and within 15 minutes. Whoever opens it first is signed in, so
give it to nobody else.";

/// Print a link that signs an organiser in once
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The organiser's name
    name: Slug,
    /// The address of the host's service
    #[arg(long, value_name = "URL", default_value = "http://localhost:8082")]
    url: String,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let link = organisers::link(servers, &args.name).await?;
    let address = format!("{}/sign-in/{}", args.url.trim_end_matches('/'), link.reveal());
    output.print(&json!({ "link": address }), || address.clone())
}
