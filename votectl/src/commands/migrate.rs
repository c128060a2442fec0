//! `votectl migrate`.

use votestream_schema::keys;
use votestream_votectl::Servers;
use votestream_votectl::operations::migrate::{Migrated, Options, migrate};

use crate::cli_error::CliError;
use crate::output::{Output, note};

const EXAMPLES: &str = "Examples:
  votectl migrate
  votectl migrate --partitions 16 --grant-consumer votes_consumer --grant-dashboard votes_dashboard
  votectl migrate --grant-host votes_host";

/// Brings the database to this release's schema, and fixes the number of partitions the first time
///
/// Running it again changes nothing; any number may run at once.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Partitions of the stream; cannot be changed later [default at first: 4]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=i64::from(keys::PARTITIONS_MAX)))]
    partitions: Option<u16>,
    /// Grant this Postgres role the rights that the consumer needs, and no others
    #[arg(long, value_name = "ROLE")]
    grant_consumer: Option<String>,
    /// Grant this Postgres role the rights that the dashboard needs, and no others
    #[arg(long, value_name = "ROLE")]
    grant_dashboard: Option<String>,
    /// Grant this Postgres role the rights that the host's service needs, and no others
    #[arg(long, value_name = "ROLE")]
    grant_host: Option<String>,
}

/// Runs the command.
pub async fn run(args: Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let Args { partitions, grant_consumer, grant_dashboard, grant_host } = args;
    let options = Options { partitions, grant_consumer, grant_dashboard, grant_host };
    let migrated = migrate(servers, &options).await?;
    if let Some(reason) = &migrated.unchecked_replay {
        note(&format!(
            "cannot check whether redis keeps ballots when it restarts ({reason}); the user of votectl \
             needs the rights for INFO and ACL DRYRUN"
        ));
    }
    for left in &migrated.rights_left {
        note(&format!("{left}; run schema/access/database.sql as a superuser in this database"));
    }
    output.print(&migrated, || describe(&migrated))
}

fn describe(migrated: &Migrated) -> String {
    let mut text = match migrated.applied.as_slice() {
        [] => "the database is up to date".to_owned(),
        applied => format!("applied {}", applied.join(", ")),
    };
    text.push_str(&format!("; {} partitions", migrated.partitions));
    for role in &migrated.granted {
        text.push_str(&format!("\ngranted `{role}` the rights that its service needs"));
    }
    text
}
