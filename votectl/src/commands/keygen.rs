//! `votectl keygen`.

use serde::Serialize;
use votestream_transparency::keys::SigningKeys;

use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl keygen --name vote.example.org > signing-keys
  { votectl keygen --name vote.example.org; cat signing-keys; } > rotated

Producers and consumers read the file as SIGNING_KEYS_FILE. The first key signs; keep older ones below it, so that receipts
of before can still be checked.";

/// Make a key that signs receipts and the public logs of polls, and print it
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The name of the deployment, such as the host name of its front door. Receipts and logs bear it, so it should not change
    #[arg(long)]
    name: String,
}

/// A new key.
#[derive(Serialize)]
struct NewKey {
    private_key: String,
    public_key: String,
}

/// Runs the command.
pub fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    let keys = SigningKeys::generate(&args.name)?;
    let key =
        NewKey { private_key: keys.reveal(), public_key: keys.public(keys.name()).join("\n") };
    output.print(&key, || key.private_key.clone())
}
