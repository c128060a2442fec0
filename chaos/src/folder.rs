//! The run's folder, and what an earlier run left behind that was killed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use standalone::servers::{Signal, find_leftovers, process_start_time};

const PREFIX: &str = "votestream-chaos-";
/// Size of a small disk: room for a Postgres, and soon filled.
const DISK: &str = "256m";

/// A folder of this process below the system's for temporary files; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    kept: bool,
    small_disks: bool,
}

impl Folder {
    /// Makes it; clears away those of harnesses that are gone.
    pub(crate) fn make(kept: bool, small_disks: bool) -> anyhow::Result<Self> {
        let parent = std::env::temp_dir().canonicalize().context("the temporary folder")?;
        clear_leftovers(&parent);
        let pid = std::process::id();
        let start = process_start_time(pid).unwrap_or_default();
        let path = parent.join(format!("{PREFIX}{pid}-{start}"));
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        // Postgres runs as another user when we are root, and has to pass through here.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        fs::create_dir(path.join("run"))?;
        Ok(Self { path, kept, small_disks })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Prepares the folder of a server: a small disk of its own, if it is to have one.
    ///
    /// # Errors
    /// Why this machine does not let us mount one; the folder is then an ordinary one.
    pub(crate) fn prepare(&self, server: &str) -> Result<(), String> {
        if self.small_disks { mount_small(&self.path.join(server)) } else { Ok(()) }
    }

    /// The folder of logs and pid files.
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

/// Mounts a small file system of its own on a new folder.
fn mount_small(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", &format!("size={DISK},mode=755"), "tmpfs"]).arg(folder);
    let output = mount.stdin(Stdio::null()).output().map_err(|error| format!("mount: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounted = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new);
    for mounted in mounted.filter(|mounted| mounted.starts_with(folder)) {
        let _ = Command::new("umount").arg(mounted).stdin(Stdio::null()).output();
    }
}
