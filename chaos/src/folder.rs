//! The temporary folder of a run, and the removal of folders that killed runs left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use standalone::servers::{Signal, find_leftovers, process_start_time};
use testkit::watchdog::Watchdog;

const PREFIX: &str = "votestream-chaos-";
/// The size of a small disk: large enough for Postgres, and filled within seconds.
const DISK: &str = "256m";

/// The reason why a server has no small disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SmallDiskError {
    /// The folder cannot be made, or the program `mount` cannot be run.
    #[error("cannot mount a small disk on {}: {source}", folder.display())]
    Io {
        /// The folder on which the disk was to be mounted.
        folder: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The program `mount` ended with this message; most machines allow mounts to root only.
    #[error("{0}")]
    Refused(String),
}

/// A temporary folder of this process. Dropping the value removes it, unless it is to be kept.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    kept: bool,
    small_disks: bool,
    /// Ends everything that works in the folder when this process has ended, also by SIGKILL.
    _watchdog: Watchdog,
}

impl Folder {
    /// Makes the folder, and removes those of harnesses that do not run any more.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be made.
    pub(crate) fn make(kept: bool, small_disks: bool) -> anyhow::Result<Self> {
        let parent = std::env::temp_dir().canonicalize().context("the temporary folder")?;
        clear_leftovers(&parent);
        let pid = std::process::id();
        let start = process_start_time(pid).unwrap_or_default();
        let path = parent.join(format!("{PREFIX}{pid}-{start}"));
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        // If this process runs as root, Postgres runs as another user, who must be able to enter the folder.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        fs::create_dir(path.join("run"))?;
        let watchdog = Watchdog::over(&path, kept).context("starting sh as a watchdog")?;
        Ok(Self { path, kept, small_disks, _watchdog: watchdog })
    }

    /// Returns the path of the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Mounts a small disk on the folder of a server, if this run needs small disks.
    ///
    /// # Errors
    /// Returns an error if this machine does not allow the mount. The server's folder is then an ordinary one.
    pub(crate) fn prepare(&self, server: &str) -> Result<(), SmallDiskError> {
        if self.small_disks { mount_small(&self.path.join(server)) } else { Ok(()) }
    }

    /// Returns the file with the outcome of each ballot, and with its receipt.
    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("ballots.jsonl")
    }

    /// Returns the folder of logs and pid files.
    pub(crate) fn run(&self) -> PathBuf {
        self.path.join("run")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept {
            clear(&self.path);
        }
    }
}

fn clear_leftovers(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let owner = owner.split_once('-').map(|(pid, start)| (pid.parse(), start.parse::<u64>()));
        let Some((Ok(pid), Ok(start))) = owner else { continue };
        if process_start_time(pid) != Some(start) {
            clear(&entry.path());
        }
    }
}

fn clear(folder: &Path) {
    for leftover in find_leftovers(&folder.join("run")) {
        let _ = leftover.stop(Signal::KILL, Duration::from_secs(5));
    }
    unmount_below(folder);
    let _ = fs::remove_dir_all(folder);
}

/// Makes a folder and mounts a small file system in memory on it.
fn mount_small(folder: &Path) -> Result<(), SmallDiskError> {
    let io = |source| SmallDiskError::Io { folder: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(io)?;
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", &format!("size={DISK},mode=755"), "tmpfs"]).arg(folder);
    let output = mount.stdin(Stdio::null()).output().map_err(io)?;
    match output.status.success() {
        true => Ok(()),
        false => {
            Err(SmallDiskError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
    }
}

fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounted = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new);
    for mounted in mounted.filter(|mounted| mounted.starts_with(folder)) {
        let _ = Command::new("umount").arg(mounted).stdin(Stdio::null()).output();
    }
}
