//! The memory that a service has in Kubernetes: in a control group, where the machine allows to make one.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use testkit::unique_name;

/// The roots of control groups, with the names of a group's limit, its peak, and its count of killed processes.
const GROUPS: [(&str, &str, &str, &str); 2] = [
    (
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.max_usage_in_bytes",
        "memory.oom_control",
    ),
    ("/sys/fs/cgroup", "memory.max", "memory.peak", "memory.events"),
];

/// A bound on the memory of one process.
pub struct Cage {
    /// The bound that `k8s/base` sets.
    pub bytes: usize,
    /// The control group, with the names of its files for the peak and for the kills.
    group: Option<(PathBuf, &'static str, &'static str)>,
}

impl Cage {
    /// Makes a bound like that of this service's container in Kubernetes.
    pub fn of(service: &str) -> Self {
        let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../k8s/base/{service}/deployment.yaml"));
        let text = fs::read_to_string(manifest).unwrap();
        let limits = text.lines().find(|line| line.trim_start().starts_with("limits:")).unwrap();
        let (_, memory) = limits.split_once("memory: ").unwrap();
        let mib: usize = memory.split_once("Mi").unwrap().0.parse().unwrap();
        let bytes = mib * 1024 * 1024;
        let make = |(root, limit, peak, kills): (&str, &str, _, _)| {
            let folder = PathBuf::from(root).join(format!("votestream-{}", unique_name()));
            fs::create_dir(&folder).ok()?;
            // Without a file of that name the folder is no group that can limit memory.
            let is_group = folder.join(limit).exists();
            if is_group && fs::write(folder.join(limit), bytes.to_string()).is_ok() {
                return Some((folder, peak, kills));
            }
            let _ = fs::remove_dir(folder);
            None
        };
        Self { bytes, group: GROUPS.into_iter().find_map(make) }
    }

    /// The shell command by which a process enters the bound.
    pub fn enter(&self) -> String {
        let group = self.group.as_ref();
        group.map_or_else(String::new, |(folder, ..)| {
            format!("echo $$ > {}/cgroup.procs;", folder.display())
        })
    }

    /// The setting that names the bound, if there is no control group in which the service could find it.
    pub fn setting(&self) -> Option<(&'static str, String)> {
        self.group.is_none().then(|| ("MEMORY_BYTES_MAX", self.bytes.to_string()))
    }

    /// The most bytes that the process has used so far, and how many processes were killed for memory.
    pub fn peak_and_kills(&self, process: u32) -> (usize, usize) {
        let Some((folder, peak, kills)) = &self.group else {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
            let kib: usize = line.trim().strip_suffix(" kB").unwrap().trim().parse().unwrap();
            return (kib * 1024, 0);
        };
        let read = |name| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let killed = read(kills);
        let killed = killed.lines().find_map(|line| line.strip_prefix("oom_kill "));
        (read(peak).trim().parse().unwrap_or(0), killed.map_or(0, |n| n.trim().parse().unwrap()))
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        let Some((folder, ..)) = &self.group else { return };
        // The kernel needs a moment after the last process has ended.
        for _ in 0..100 {
            if fs::remove_dir(folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
