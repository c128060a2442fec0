//! Finds out how much memory this process may use.
//!
//! The limit is that of the process' control group, as Kubernetes, Docker and systemd set it. Both versions of
//! control groups are read. A group's ancestors have limits too, and the least one counts.

use std::path::{Path, PathBuf};

/// Divisor of the machine's memory where no control group sets a limit. Redis, Postgres and the other services
/// usually share such a machine.
const MACHINE_DIVISOR: usize = 4;

/// Keeps the kernel from backing this process' memory with pages of 2 MiB. A single small block would keep such a page,
/// so that connections took several times the memory that they use (measured: 12 to 20 KiB each instead of 6). A
/// refusal is only logged, since the service works without.
pub fn refuse_huge_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::warn!(
            "connections may take more memory than usual, the system backs it with huge pages: {error}"
        );
    }
}

/// Returns the process' limit in bytes: `configured` if it is set, else the limit of its control group, else a
/// quarter of the machine's memory.
pub fn bytes(configured: Option<usize>) -> usize {
    configured.or_else(of_control_group).unwrap_or_else(of_machine)
}

/// Returns the least limit among the process' control group and its ancestors, if one is below the machine's
/// memory.
fn of_control_group() -> Option<usize> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let least = limit_files(&groups).iter().filter_map(|file| read_limit(file)).min()?;
    (least < machine_bytes().unwrap_or(usize::MAX)).then_some(least)
}

/// Returns the files that may hold a limit, from the text of `/proc/self/cgroup`. In a container the path often
/// is the host's, and only the root of the mounted tree exists.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (roots, file): (&[&str], _) = match controllers {
            "" => (&["/sys/fs/cgroup", "/sys/fs/cgroup/unified"], "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (&["/sys/fs/cgroup/memory"], "memory.limit_in_bytes")
            }
            _ => continue,
        };
        for root in roots {
            let path = Path::new(path.trim_start_matches('/'));
            files.extend(path.ancestors().map(|group| Path::new(root).join(group).join(file)));
        }
    }
    files
}

/// Reads one limit; `max` and a file that does not exist are no limit.
fn read_limit(file: &Path) -> Option<usize> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn of_machine() -> usize {
    machine_bytes().map_or(usize::MAX, |bytes| bytes / MACHINE_DIVISOR)
}

fn machine_bytes() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_read_up_to_their_roots() {
        let files = |text| -> Vec<String> {
            limit_files(text).iter().map(|file| file.display().to_string()).collect()
        };
        assert_eq!(
            files("0::/kubepods/pod1\n")[..3],
            [
                "/sys/fs/cgroup/kubepods/pod1/memory.max",
                "/sys/fs/cgroup/kubepods/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
        assert_eq!(
            files("5:cpu,memory:/docker/x\n4:cpuset:/y\n"),
            [
                "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            ]
        );
        assert!(files("rubbish").is_empty());
    }

    #[test]
    fn a_limit_is_always_found_and_a_setting_wins() {
        assert_eq!(bytes(Some(7)), 7);
        assert!(bytes(None) > 1024 * 1024);
        let file = std::env::temp_dir().join(format!("memory-limit-{}", std::process::id()));
        for (text, limit) in [("max\n", None), ("268435456\n", Some(268_435_456))] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(read_limit(&file), limit);
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read_limit(&file), None);
    }
}
