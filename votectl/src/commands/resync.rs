//! `votectl resync`.

use votestream_votectl::Servers;
use votestream_votectl::operations::resync::resync;

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl resync
  votectl resync --json

Run it after Postgres or Redis was restored to an earlier state, then run `votectl audit`.";

/// Settles which state counts after a server was restored: the polls, rules and codes of Postgres, and all ballots that
/// one of the servers still has
///
/// Until it has ended, no ballots are taken or counted.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Runs the command.
pub async fn run(servers: &Servers, output: &Output) -> Result<(), CliError> {
    let resynced = resync(servers).await?;
    output.print(&resynced, || {
        let mut text = format!(
            "redis and postgres are of the same epoch again ({}); {} polls were written to redis",
            resynced.epoch, resynced.polls
        );
        let voters = &resynced.voters;
        for (number, what) in [
            (
                voters.ballots_sent_again,
                "accepted ballots that postgres does not have were sent to the consumers again",
            ),
            (
                voters.ballots_left,
                "further ones are only in the register; `votectl audit` names them",
            ),
            (voters.voters_registered, "voters were registered in redis again"),
            (voters.codes_added, "voting codes were given back to redis"),
            (voters.codes_removed, "voting codes were removed from redis"),
        ] {
            if number > 0 {
                text.push_str(&format!("\n{number} {what}"));
            }
        }
        for slug in &resynced.removed {
            text.push_str(&format!("\nremoved poll `{slug}`, which postgres does not have"));
        }
        text
    })
}
