//! The host's process: parses the settings and runs [`votestream_host::start`].

use clap::Parser;
use votestream_host::Config;
use votestream_service::process;

fn main() -> anyhow::Result<()> {
    process::block_on(votestream_host::start(Config::parse()))
}
