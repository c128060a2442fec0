//! Settings of Redis that an operator changes while it runs: durability, and the most bytes of a reply.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::cure::{Cure, Injection};
use crate::testbed::Testbed;

/// The most bytes of replies that a client may leave unread, below those of one batch that waits.
const OUTPUT_BYTES: &str = "normal 32768 32768 0";
const OUTPUT_UNLIMITED: &str = "normal 0 0 0";
/// The time for which entries gather, so that the next replies are large.
const GATHER_FOR: Duration = Duration::from_secs(2);
const CHANGED_WITHIN: Duration = Duration::from_secs(20);
const TRY_EVERY: Duration = Duration::from_millis(200);

/// Switches the append-only file off.
pub(super) fn switch_file_off(testbed: &Testbed) -> anyhow::Result<Injection> {
    change(testbed, ("appendonly", "no"), ("appendonly", "yes"))
}

/// Lets Redis flush its file later than before each reply. The target is `appendfsync` with the value.
pub(super) fn flush_late(testbed: &Testbed, target: &'static str) -> anyhow::Result<Injection> {
    let (name, value) = target.split_once(' ').context("the target has a name and a value")?;
    change(testbed, (name, value), (name, "always"))
}

/// Lets entries gather, and then ends every connection with a reply above the limit.
pub(super) async fn limit_output(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    testbed.services_of("consumers")?.into_iter().for_each(|consumer| consumer.freeze());
    testbed.pause(GATHER_FOR).await?;
    let name = "client-output-buffer-limit";
    let injection = change(testbed, (name, OUTPUT_BYTES), (name, OUTPUT_UNLIMITED));
    testbed.services_of("consumers")?.into_iter().for_each(|consumer| consumer.thaw());
    injection
}

fn change(
    testbed: &Testbed,
    (name, value): (&'static str, &'static str),
    usual: (&'static str, &'static str),
) -> anyhow::Result<Injection> {
    testbed.redis.command(&["CONFIG", "SET", name, value])?;
    Injection::by(Cure::RedisSetting(usual.0, usual.1))
}

/// Gives a setting its usual value. Redis refuses some while it writes a file, so this is tried for a while.
pub(super) async fn restore(testbed: &mut Testbed, name: &str, value: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + CHANGED_WITHIN;
    loop {
        match testbed.redis.command(&["CONFIG", "SET", name, value]) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(error).with_context(|| format!("setting {name} back"));
            }
            Err(_) => testbed.pause(TRY_EVERY).await?,
        }
    }
}
