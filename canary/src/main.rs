//! The canary's process: parses the settings and runs [`votestream_canary::start`].

use clap::Parser;
use votestream_canary::Config;
use votestream_service::process;

fn main() -> anyhow::Result<()> {
    process::block_on(votestream_canary::start(Config::parse()))
}
