//! The temporary folder of this test process, and the watchdog that removes it when the process ends.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::watchdog::Watchdog;
use standalone::servers::{find_leftovers, kill_by_argument, process_start_time, random_secret};

const PREFIX: &str = "votestream-testkit-";

struct Home {
    path: PathBuf,
    /// Clears the folder when this process has ended.
    _watchdog: Watchdog,
}

/// Makes a new folder whose name begins with `name`. It is removed when the test process ends.
///
/// # Panics
/// Panics if the folder cannot be made.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = home().join(format!("{name}-{number}"));
    fs::create_dir(&folder).expect("the test's folder can be made");
    folder
}

/// Returns a name that no other test on this machine uses at the moment, for a key prefix, a database or a poll's
/// slug: 14 lower-case letters and digits, a letter first.
#[must_use]
pub fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("t{}{number:05x}", &random_secret()[..8])
}

fn home() -> &'static Path {
    static HOME: OnceLock<Home> = OnceLock::new();
    &HOME.get_or_init(make_home).path
}

fn make_home() -> Home {
    let parent = env::temp_dir().canonicalize().expect("the temporary folder exists");
    clear_leftovers(&parent);
    let pid = std::process::id();
    let start = process_start_time(pid).expect("/proc has the start time of this process");
    let path = parent.join(format!("{PREFIX}{pid}-{start}"));
    fs::create_dir(&path).expect("the test process's folder can be made");
    // When the tests run as root, Postgres runs as another user, who must be able to enter this folder.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
    let watchdog = Watchdog::over(&path, false).expect("sh can be started");
    Home { path, _watchdog: watchdog }
}

/// Removes the folders of earlier test processes whose watchdog was killed as well.
fn clear_leftovers(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let Some((pid, start)) = owner.split_once('-') else { continue };
        let (Ok(pid), Ok(start)) = (pid.parse(), start.parse::<u64>()) else { continue };
        if process_start_time(pid) != Some(start) {
            clear(&entry.path());
        }
    }
}

fn clear(home: &Path) {
    for folder in fs::read_dir(home).into_iter().flatten().flatten() {
        for leftover in find_leftovers(&folder.path()) {
            let _ = leftover.stop(standalone::servers::Signal::KILL, Duration::from_secs(5));
        }
    }
    kill_by_argument(home);
    let _ = fs::remove_dir_all(home);
}
