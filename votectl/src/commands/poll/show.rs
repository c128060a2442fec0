//! `votectl poll show`.

use votestream_schema::Slug;
use votestream_schema::db::poll_changes::PollChange;
use votestream_schema::poll::rfc3339;
use votestream_votectl::Servers;
use votestream_votectl::operations::polls::{self, OptionResult, PollWithResults};

use super::state::{listing_in_words, network_limit_in_words, secrecy_in_words, state_in_words};
use crate::cli_error::CliError;
use crate::output::{Output, table};

const EXAMPLES: &str = "Examples:
  votectl poll show cats-vs-dogs
  votectl poll show cats-vs-dogs --json

Results are shown whatever the poll's visibility: it binds pages and APIs, not the operator.";

/// Show a poll and its results
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let shown = polls::show(servers, &args.slug).await?;
    output.print(&shown, || describe(&shown))
}

fn describe(shown: &PollWithResults) -> String {
    let PollWithResults { poll, state, results, changes } = shown;
    let choices = match (poll.choices_min, poll.choices_max) {
        (min, max) if min == max => format!("exactly {min}"),
        (min, max) => format!("{min} to {max}"),
    };
    let order = if poll.shuffle { "shuffled for each voter" } else { "as listed" };
    let facts = [
        ("poll", poll.slug.to_string()),
        ("title", poll.title.clone()),
        ("state", state_in_words(poll, *state)),
        ("choices", choices),
        ("order", order.to_owned()),
        ("votes", poll.vote_policy.to_string()),
        ("voters", poll.voter_policy.to_string()),
        ("visibility", poll.visibility.to_string()),
        ("listing", listing_in_words(poll).to_owned()),
        ("networks", network_limit_in_words(poll)),
        ("secrecy", secrecy_in_words(poll)),
        ("revision", poll.revision.to_string()),
    ];
    let facts = facts.map(|(name, value)| format!("{name:<11}{value}")).join("\n");
    let row = |option: &OptionResult| {
        let share = option.share.replace('%', " %");
        [option.slug.to_string(), option.votes.to_string(), share, option.label.clone()]
    };
    let rows: Vec<_> = results.options.iter().map(row).collect();
    let results_table = table(["OPTION", "VOTES", "SHARE", "LABEL"], &[1, 2], &rows);
    format!(
        "{facts}{}\n\n{results_table}\n\n{} voters counted (version {})\n{}",
        changes.iter().map(change_in_words).collect::<String>(),
        results.voters,
        results.version,
        results.completeness(*state)
    )
}

/// One line for a change, which begins with a line break.
fn change_in_words(change: &PollChange) -> String {
    let value =
        |value: &Option<String>| value.as_ref().map_or("none".to_owned(), |v| format!("“{v}”"));
    let PollChange { field, changed_at_ms, before, after, .. } = change;
    let name = "changed";
    format!(
        "\n{name:<11}{}: {field} from {} to {}",
        rfc3339(*changed_at_ms),
        value(before),
        value(after)
    )
}
