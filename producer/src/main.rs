//! The producer's process.

use clap::Parser;
use votestream_producer::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    votestream_producer::start(Config::parse()).await
}
