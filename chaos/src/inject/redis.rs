//! A Redis that is dead, frozen, or out of memory.

use super::cure::{Cure, Injection};
use crate::testbed::Testbed;

/// Kills Redis with SIGKILL.
pub(super) fn kill(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    testbed.redis.kill();
    Injection::by(Cure::StartRedis)
}

/// Freezes Redis with SIGSTOP.
pub(super) fn freeze(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    testbed.redis.freeze();
    Injection::by(Cure::ThawRedis)
}

/// Sets a memory limit below the memory in use, so that Redis refuses every command that needs memory.
pub(super) fn fill(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    testbed.redis.command(&["CONFIG", "SET", "maxmemory", "1"])?;
    Injection::by(Cure::RedisRoom)
}
