//! Services that die, freeze, crash on start, or have a wrong clock.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use votestream_schema::poll::now_ms;

use super::cure::{Cure, Injection};
use crate::closing::ClosingPolls;
use crate::managed_service::DesiredState;
use crate::testbed::Testbed;

/// Kills services with SIGKILL, and keeps them down until they are healed.
pub(super) fn kill(testbed: &mut Testbed, target: &'static str) -> anyhow::Result<Injection> {
    ensure_running(testbed, target)?;
    testbed.services_of(target)?.into_iter().for_each(|service| service.kill());
    Injection::by(Cure::Start(target))
}

/// Freezes services with SIGSTOP.
pub(super) fn freeze(testbed: &mut Testbed, target: &'static str) -> anyhow::Result<Injection> {
    ensure_running(testbed, target)?;
    testbed.services_of(target)?.into_iter().for_each(|service| service.freeze());
    Injection::by(Cure::Thaw(target))
}

/// The longest wait for a poll that closes, and the time before its end at which the services freeze.
const CLOSES_WITHIN: Duration = Duration::from_secs(12);
const BEFORE_CLOSE: Duration = Duration::from_millis(300);

/// Freezes services shortly before a poll closes.
pub(super) async fn freeze_at_close(
    testbed: &mut Testbed,
    polls: &ClosingPolls,
    target: &'static str,
) -> anyhow::Result<Injection> {
    let deadline = Instant::now() + CLOSES_WITHIN;
    let mut closes_at_ms = polls.next_closing_ms();
    // Another fault may keep polls from being created.
    while closes_at_ms.is_none() && Instant::now() < deadline {
        testbed.pause(Duration::from_millis(100)).await?;
        closes_at_ms = polls.next_closing_ms();
    }
    let Some(closes_at_ms) = closes_at_ms else {
        freeze(testbed, target)?;
        return Injection::noting(Cure::Thaw(target), "no poll was about to close");
    };
    let left_ms = (closes_at_ms - now_ms()).max(0).unsigned_abs();
    testbed.pause(Duration::from_millis(left_ms).saturating_sub(BEFORE_CLOSE)).await?;
    freeze(testbed, target)
}

/// Lets frozen services go on.
pub(super) fn thaw(testbed: &mut Testbed, target: &'static str) -> anyhow::Result<()> {
    testbed.services_of(target)?.into_iter().for_each(|service| service.thaw());
    Ok(())
}

/// Starts services with a setting that they refuse, so that they end at once. The harness restarts them every second, as
/// a supervisor would.
pub(super) fn crash_on_start(
    testbed: &mut Testbed,
    target: &'static str,
) -> anyhow::Result<Injection> {
    for service in testbed.services_of(target)? {
        service.overlay.insert("CLAIM_IDLE_MS".to_owned(), "1".to_owned());
        service.start(DesiredState::Crashing)?;
    }
    Injection::by(Cure::Start(target))
}

/// Starts services with their ordinary settings.
pub(super) fn start(testbed: &mut Testbed, target: &'static str) -> anyhow::Result<()> {
    for service in testbed.services_of(target)? {
        service.overlay.clear();
        service.start(DesiredState::Up)?;
    }
    Ok(())
}

/// The interval in seconds in which libfaketime reads the offset of the clock again.
const CLOCK_READ_EVERY_S: u64 = 1;

/// Starts services again with libfaketime, which reads the offset of the wall clock from a file, and changes the file.
pub(super) async fn jump_clock(
    testbed: &mut Testbed,
    target: &'static str,
) -> anyhow::Result<Injection> {
    let Some(library) = faketime() else {
        return Ok(Injection::Skipped(
            "libfaketime is not installed (Debian, Ubuntu: apt-get install libfaketime)".to_owned(),
        ));
    };
    let file = testbed.folder.run().join(format!("{target}.clock"));
    std::fs::write(&file, "+0\n")?;
    for service in testbed.services_of(target)? {
        let overlay = [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", CLOCK_READ_EVERY_S.to_string()),
            // Services wait by the monotonic clock, which a change of the wall clock does not move either.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        service.stop();
        service.overlay =
            overlay.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        service.start(DesiredState::Up)?;
    }
    testbed.wait_ready(Duration::from_secs(20)).await?;
    std::fs::write(&file, "+3600s\n")?;
    testbed.pause(Duration::from_secs(CLOCK_READ_EVERY_S + 2)).await?;
    std::fs::write(&file, "-3600s\n")?;
    Injection::by(Cure::Start(target))
}

/// Checks that a signal to the target would reach at least one process.
fn ensure_running(testbed: &mut Testbed, target: &str) -> anyhow::Result<()> {
    let services = testbed.services_of(target)?;
    let is_running = services.into_iter().any(|service| service.is_running());
    ensure!(is_running, "no process of `{target}` runs");
    Ok(())
}

/// Returns the path of libfaketime, if it is installed.
fn faketime() -> Option<PathBuf> {
    let folders =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/lib64"];
    let files = folders.map(|folder| PathBuf::from(folder).join("faketime/libfaketimeMT.so.1"));
    files.into_iter().find(|file| file.is_file())
}
