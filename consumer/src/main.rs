//! The consumer's process.

use clap::Parser;
use mimalloc::MiMalloc;
use votestream_consumer::Config;
use votestream_service::process;

/// Small blocks that live for one request: glibc's allocator spends a sixth of a ballot's time on them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> anyhow::Result<()> {
    process::block_on(votestream_consumer::start(Config::parse()))
}
