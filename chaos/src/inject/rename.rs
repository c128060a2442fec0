//! Keys that an operator renames, and renames back.

use std::time::{Duration, Instant};

use anyhow::ensure;
use redis::Script;

use super::cure::{Cure, Injection};
use crate::testbed::Testbed;
use testkit::proxy::Mode;

/// The longest wait for the moment at which the stream in the place of the renamed one is empty.
const EMPTY_WITHIN: Duration = Duration::from_secs(30);
const TRY_EVERY: Duration = Duration::from_millis(10);
/// The partition whose keys are renamed.
const PARTITION: u16 = 0;

/// Renames a key. The target names it in words.
pub(super) fn rename(testbed: &Testbed, target: &'static str) -> anyhow::Result<Injection> {
    let key = match target {
        "a stream" => testbed.keys.stream(PARTITION),
        "the rules of a partition" => testbed.keys.rules(PARTITION),
        _ => testbed.keys.polls(),
    };
    testbed.redis.command(&["RENAME", &key, &away(&key)])?;
    Injection::by(Cure::RenameBack(key))
}

fn away(key: &str) -> String {
    format!("{key}:renamed")
}

/// Renames a key back. The services have made a new one meanwhile: copies of polls may be overwritten, because they are
/// compared and repaired. A stream is replaced only when nothing waits in it, since its ballots would be lost; voters cannot
/// connect until then, or that moment might not come.
pub(super) async fn rename_back(testbed: &mut Testbed, key: &str) -> anyhow::Result<()> {
    testbed.vote_proxy.set(Mode::Cut);
    let outcome = rename_when_empty(testbed, key).await;
    testbed.vote_proxy.set(Mode::Pass);
    outcome
}

async fn rename_when_empty(testbed: &mut Testbed, key: &str) -> anyhow::Result<()> {
    let script = Script::new(
        "if redis.call('TYPE', KEYS[1]).ok == 'stream' and redis.call('XLEN', KEYS[1]) > 0 then return 0 end
         redis.call('RENAME', KEYS[2], KEYS[1])
         return 1",
    );
    let mut redis = testbed.redis().await?;
    let deadline = Instant::now() + EMPTY_WITHIN;
    while script.key(key).key(away(key)).invoke_async::<u64>(&mut redis).await? == 0 {
        ensure!(Instant::now() < deadline, "{key} was not empty for a moment within 30 s");
        testbed.pause(TRY_EVERY).await?;
    }
    Ok(())
}
