//! Services that die, freeze, crash on start, or have a wrong clock.

use std::path::PathBuf;
use std::time::Duration;

use super::{Cure, Struck};
use crate::service::Wish;
use crate::site::Site;

pub(super) fn kill(site: &mut Site, target: &'static str) -> anyhow::Result<Struck> {
    site.named(target).into_iter().for_each(|service| service.kill());
    Struck::by(Cure::Start(target))
}

pub(super) fn freeze(site: &mut Site, target: &'static str) -> anyhow::Result<Struck> {
    site.named(target).into_iter().for_each(|service| service.freeze());
    Struck::by(Cure::Thaw(target))
}

/// Ends with an error because of a setting that cannot be; the supervisor tries again every second.
pub(super) fn crash_on_start(site: &mut Site, target: &'static str) -> anyhow::Result<Struck> {
    for service in site.named(target) {
        service.overlay.insert("CLAIM_IDLE_MS".to_owned(), "1".to_owned());
        service.start(Wish::Crashing)?;
    }
    Struck::by(Cure::Start(target))
}

/// As a supervisor would.
pub(super) fn start(site: &mut Site, target: &'static str) -> anyhow::Result<()> {
    for service in site.named(target) {
        service.overlay.clear();
        service.start(Wish::Up)?;
    }
    Ok(())
}

/// How often a service looks what time it should believe it is, in seconds.
const CLOCK_LOOK_S: u64 = 1;

/// The service is started again with libfaketime, which reads the offset from a file.
pub(super) async fn jump_clock(site: &mut Site, target: &'static str) -> anyhow::Result<Struck> {
    let Some(library) = faketime() else {
        return Ok(Struck::Skipped(
            "libfaketime is not installed (Debian, Ubuntu: apt-get install libfaketime)".to_owned(),
        ));
    };
    let file = site.folder.run().join(format!("{target}.clock"));
    std::fs::write(&file, "+0\n")?;
    for service in site.named(target) {
        let overlay = [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", CLOCK_LOOK_S.to_string()),
            // Waits go by this one, and no wall clock changes it.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        service.stop();
        service.overlay =
            overlay.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        service.start(Wish::Up)?;
    }
    site.wait_ready(Duration::from_secs(20)).await?;
    std::fs::write(&file, "+3600s\n")?;
    site.pause(Duration::from_secs(CLOCK_LOOK_S + 2)).await?;
    std::fs::write(&file, "-3600s\n")?;
    Struck::by(Cure::Start(target))
}

fn faketime() -> Option<PathBuf> {
    let folders =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/lib64"];
    let files = folders.map(|folder| PathBuf::from(folder).join("faketime/libfaketimeMT.so.1"));
    files.into_iter().find(|file| file.is_file())
}
