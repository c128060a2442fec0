//! `votectl organisers list`.

use votestream_schema::organiser::Role;
use votestream_schema::poll::rfc3339;
use votestream_votectl::Servers;
use votestream_votectl::operations::organisers;

use crate::cli_error::CliError;
use crate::output::{Output, table};

/// List all organisers, also those who were revoked
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  votectl organisers list")]
pub struct Args {}

/// Runs the command.
pub async fn run(servers: &Servers, output: &Output) -> Result<(), CliError> {
    let all = organisers::list(servers).await?;
    output.print(&all, || {
        let rows: Vec<_> = all
            .iter()
            .map(|stored| {
                let organiser = &stored.organiser;
                let polls: Vec<&str> = organiser.polls.iter().map(|slug| slug.as_str()).collect();
                let polls = match organiser.role {
                    Role::Admin => "all".to_owned(),
                    Role::Host => polls.join(", "),
                };
                let revoked = stored.revoked_at_ms.map_or_else(|| "-".to_owned(), rfc3339);
                let (name, role) = (organiser.name.to_string(), organiser.role.to_string());
                [name, role, rfc3339(stored.created_at_ms), revoked, polls]
            })
            .collect();
        match rows.as_slice() {
            [] => "there are no organisers; `votectl organisers add --help` shows how to add one"
                .to_owned(),
            rows => table(["NAME", "ROLE", "ADDED", "REVOKED", "POLLS"], &[], rows),
        }
    })
}
