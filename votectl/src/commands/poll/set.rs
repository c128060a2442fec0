//! `votectl poll set`.

use std::str::FromStr;

use votestream_schema::Slug;
use votestream_schema::poll::network_limit::{InvalidLimit, NetworkLimit};
use votestream_votectl::Servers;
use votestream_votectl::operations::polls;

use super::state::network_limit_in_words;
use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl poll set cats-vs-dogs --network-limit 5000/600
  votectl poll set cats-vs-dogs --network-limit off
  votectl poll set cats-vs-dogs --network-limit default

5000/600 lets one address bring 5,000 new voters at once, and 600 more in each minute after that. An IPv4
address counts alone; its /24 may bring four times as many. An IPv6 /64 counts as one address; its /56 may bring
twice as many, and its /48 four times. Whoever has voted is never refused. A poll with voting codes needs no limit.";

/// Change a setting of a poll that is not over
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// How many new voters one address may bring: AT_ONCE/PER_MINUTE, `off`, or `default` for the producers' setting
    #[arg(long, value_name = "LIMIT")]
    network_limit: LimitOrDefault,
}

/// A limit, or none of the poll's own.
#[derive(Clone, Copy, Debug)]
struct LimitOrDefault(Option<NetworkLimit>);

impl FromStr for LimitOrDefault {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        if text == "default" { Ok(Self(None)) } else { text.parse().map(|limit| Self(Some(limit))) }
    }
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let now = polls::set_network_limit(servers, &args.slug, args.network_limit.0).await?;
    output
        .print(&now, || format!("poll `{}`: {}", now.poll.slug, network_limit_in_words(&now.poll)))
}
