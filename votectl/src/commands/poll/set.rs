//! `votectl poll set`.

use std::str::FromStr;

use clap::ArgGroup;
use votestream_schema::Slug;
use votestream_schema::poll::network_limit::{InvalidLimit, NetworkLimit};
use votestream_votectl::Servers;
use votestream_votectl::operations::polls;

use super::state::{listing_in_words, network_limit_in_words};
use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl poll set cats-vs-dogs --network-limit 5000/600
  votectl poll set cats-vs-dogs --network-limit off
  votectl poll set cats-vs-dogs --network-limit default
  votectl poll set cats-vs-dogs --unlisted

5000/600 lets one address bring 5,000 new voters at once, and 600 more in each minute after that. An IPv4
address counts alone; its /24 may bring four times as many. An IPv6 /64 counts as one address; its /56 may bring
twice as many, and its /48 four times. Whoever has voted is never refused. A poll with voting codes needs no limit.";

/// Change a setting of a poll
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, group(setting()))]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// How many new voters one address may bring: AT_ONCE/PER_MINUTE, `off`, or `default` for the producers' setting. The
    /// poll must not be over
    #[arg(long, value_name = "LIMIT")]
    network_limit: Option<LimitOrDefault>,
    /// Name the poll in lists of polls
    #[arg(long, conflicts_with = "unlisted")]
    listed: bool,
    /// Leave the poll out of all lists of polls; whoever knows its address sees it
    #[arg(long)]
    unlisted: bool,
}

/// At least one setting is changed.
fn setting() -> ArgGroup {
    let names = ["network_limit", "listed", "unlisted"];
    ArgGroup::new("setting").args(names).required(true).multiple(true)
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
    if let Some(LimitOrDefault(limit)) = args.network_limit {
        let now = polls::set_network_limit(servers, &args.slug, limit).await?;
        let words = || format!("poll `{}`: {}", now.poll.slug, network_limit_in_words(&now.poll));
        output.print(&now, words)?;
    }
    if args.listed || args.unlisted {
        let now = polls::set_listed(servers, &args.slug, args.listed).await?;
        let words = || format!("poll `{}`: {}", now.poll.slug, listing_in_words(&now.poll));
        output.print(&now, words)?;
    }
    Ok(())
}
