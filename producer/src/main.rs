//! Runs the producer as a process of its own.

use clap::Parser;
use mimalloc::MiMalloc;
use votestream_producer::Config;
use votestream_service::process;

/// A request allocates many small blocks that live no longer than itself. glibc's allocator takes a sixth of
/// a ballot's time for them, this one far less.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> anyhow::Result<()> {
    process::block_on(votestream_producer::start(Config::parse()))
}
