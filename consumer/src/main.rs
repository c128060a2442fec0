//! The consumer's process.

use clap::Parser;
use votestream_consumer::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    votestream_consumer::start(Config::parse()).await
}
