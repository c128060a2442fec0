//! The run's folder, and what an earlier run left behind that was killed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use standalone::servers::{Signal, find_leftovers, process_start_time};

const PREFIX: &str = "votestream-chaos-";

/// A folder of this process below the system's for temporary files; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    kept: bool,
}

impl Folder {
    /// Makes it; clears away those of harnesses that are gone.
    pub(crate) fn make(kept: bool) -> anyhow::Result<Self> {
        let parent = std::env::temp_dir().canonicalize().context("the temporary folder")?;
        clear_leftovers(&parent);
        let pid = std::process::id();
        let start = process_start_time(pid).unwrap_or_default();
        let path = parent.join(format!("{PREFIX}{pid}-{start}"));
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        // Postgres runs as another user when we are root, and has to pass through here.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        fs::create_dir(path.join("run"))?;
        Ok(Self { path, kept })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
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
    for mounted in ["redis", "postgres"] {
        unmount(&folder.join(mounted));
    }
    let _ = fs::remove_dir_all(folder);
}

fn unmount(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let is_mounted =
        mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|at| Path::new(at) == folder));
    if is_mounted {
        let _ = Command::new("umount").arg(folder).stdin(Stdio::null()).output();
    }
}
