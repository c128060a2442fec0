//! The consumer's process: parses the settings and runs [`votestream_consumer::start`].

use clap::Parser;
use votestream_consumer::Config;
use votestream_service::process;

fn main() -> anyhow::Result<()> {
    process::block_on(votestream_consumer::start(Config::parse()))
}
