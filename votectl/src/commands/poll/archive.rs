//! `votectl poll archive`.

use votestream_schema::Slug;
use votestream_votectl::Servers;
use votestream_votectl::operations::polls;

use super::progress::show_progress;
use super::seal::sealed_in_words;
use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl poll archive cats-vs-dogs

Votes and results are kept, and `votectl poll show` and `export` go on showing them. What Redis
knows of the poll's voters is forgotten. A poll with `secret = true` is also sealed; see
`votectl poll seal --help`.";

/// Archive a closed poll, or a draft
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let archived = polls::archive(servers, &args.slug, show_progress).await?;
    let slug = &archived.poll.slug;
    let secrecy = &archived.poll.secrecy;
    if secrecy.secret && !secrecy.is_sealed() {
        let sealed = polls::seal(servers, slug, show_progress).await.map_err(|error| {
            error.explained(format!(
                "the poll is archived and not sealed; later run `votectl poll seal {slug} --yes`"
            ))
        })?;
        return output
            .print(&sealed, || format!("poll `{slug}` is archived\n{}", sealed_in_words(&sealed)));
    }
    output.print(&archived, || match secrecy.is_sealed() {
        true => format!("poll `{slug}` is archived"),
        false => format!(
            "poll `{slug}` is archived; operators can still find out who chose what, until `votectl poll seal {slug} --yes`"
        ),
    })
}
