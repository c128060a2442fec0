//! `votectl poll networks`.

use std::net::IpAddr;

use votestream_schema::Slug;
use votestream_votectl::Servers;
use votestream_votectl::operations::polls::{self, BusyNetwork, BusyNetworks};

use crate::cli_error::CliError;
use crate::output::{Output, table};

const EXAMPLES: &str = "Examples:
  votectl poll networks cats-vs-dogs
  votectl poll networks cats-vs-dogs --top 100 --json
  votectl poll networks cats-vs-dogs --of 203.0.113.9

Only networks are listed that brought more than a hundredth of their limit through one producer, and those first voters
are not counted here. A network is named by its size and a keyed hash: 4/32 is an IPv4 address and 4/24 the /24 around
it; 6/64, 6/56 and 6/48 are IPv6 networks; `unreadable` are all clients whose proxy does not name them. A voter counts
under each network that the address lies in. With --of you see which lines belong to an address, until the poll is
sealed. The votes themselves do not say from which network they came, and nothing is removed from a count.
Archiving the poll removes this list.";

/// List the client networks that brought the most new voters
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// How many networks are listed
    #[arg(long, default_value_t = 20, value_name = "N")]
    top: usize,
    /// List only the networks that this address lies in
    #[arg(long, value_name = "ADDRESS")]
    of: Option<IpAddr>,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let busy = polls::networks(servers, &args.slug, args.top, args.of).await?;
    output.print(&busy, || describe(&busy))
}

fn describe(busy: &BusyNetworks) -> String {
    let BusyNetworks { poll, voters, known, networks } = busy;
    if networks.is_empty() {
        return format!(
            "poll `{poll}`: none of the {known} networks that redis has is in this list"
        );
    }
    let row = |network: &BusyNetwork| {
        let BusyNetwork { network, new_voters, first, last } = network;
        [network.clone(), new_voters.to_string(), first.clone(), last.clone()]
    };
    let rows: Vec<_> = networks.iter().map(row).collect();
    let rows = table(["NETWORK", "NEW VOTERS", "FIRST", "LAST"], &[1], &rows);
    format!(
        "{rows}\n\n{voters} voters counted in the whole poll; {known} networks brought more than a few"
    )
}
