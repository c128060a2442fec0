//! The dashboard's process.

use clap::Parser;
use votestream_dashboard::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    votestream_dashboard::start(Config::parse()).await
}
