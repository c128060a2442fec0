//! The temporary folder of this test process, and the watchdog that removes it when the process ends.

use std::{
    env, fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use standalone::servers::{find_leftovers, kill_by_argument, process_start_time, random_secret};

const PREFIX: &str = "votestream-testkit-";

/// A shell script that waits until the test process is gone (its end of the pipe closes), then kills the processes
/// and removes the files that the test left behind.
///
/// A process id alone does not prove that a process belongs to the test, because ids are used again. The script kills
/// only processes that work below the folder or carry it in their command line.
const WATCHDOG: &str = r#"
cat >/dev/null
tries=0
while [ -e "$VOTESTREAM_TESTKIT_HOME" ] && [ $tries -lt 50 ]; do
    for file in "$VOTESTREAM_TESTKIT_HOME"/*/*.pid; do
        [ -e "$file" ] || continue
        read -r pid rest <"$file"
        case $(readlink "/proc/$pid/cwd") in
            "$VOTESTREAM_TESTKIT_HOME"/*) kill -9 "$pid" ;;
        esac
    done
    for process in /proc/[0-9]*; do
        if grep -qsF -e "$VOTESTREAM_TESTKIT_HOME" "$process/cmdline"; then
            kill -9 "${process#/proc/}"
        fi
    done
    rm -rf "$VOTESTREAM_TESTKIT_HOME"
    tries=$((tries + 1))
    sleep 0.1
done
"#;

struct Home {
    path: PathBuf,
    /// Holds the watchdog's input open for as long as this process lives.
    _watchdog: Child,
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
    let watchdog = Command::new("sh")
        .args(["-c", WATCHDOG])
        .env("VOTESTREAM_TESTKIT_HOME", &path)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh can be started");
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
