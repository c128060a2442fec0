//! Redis dead, frozen, or full.

use super::{Cure, Struck};
use crate::site::Site;

pub(super) fn kill(site: &mut Site) -> anyhow::Result<Struck> {
    site.redis.kill();
    Struck::by(Cure::StartRedis)
}

pub(super) fn freeze(site: &mut Site) -> anyhow::Result<Struck> {
    site.redis.freeze();
    Struck::by(Cure::ThawRedis)
}

/// A limit below what is in use: whatever needs memory is refused.
pub(super) fn fill(site: &mut Site) -> anyhow::Result<Struck> {
    site.redis.command(&["CONFIG", "SET", "maxmemory", "1"])?;
    Struck::by(Cure::RedisRoom)
}
