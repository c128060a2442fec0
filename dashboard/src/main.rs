//! The dashboard's process: parses the settings and runs [`votestream_dashboard::start`].

use clap::Parser;
use mimalloc::MiMalloc;
use votestream_dashboard::Config;
use votestream_service::process;

/// Requests allocate many small blocks that live for a moment only, and mimalloc is faster at these than glibc.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> anyhow::Result<()> {
    process::block_on(votestream_dashboard::start(Config::parse()))
}
