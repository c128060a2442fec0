//! The consumer's process.

use clap::Parser;
use mimalloc::MiMalloc;
use votestream_consumer::Config;

/// Small blocks that live for one request: glibc's allocator spends a sixth of a ballot's time on them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    votestream_consumer::start(Config::parse()).await
}
