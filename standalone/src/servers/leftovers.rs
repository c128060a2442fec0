//! Finds and stops processes that outlived the process which started them.
//!
//! A process id alone proves nothing, because ids are used again. A pid file therefore also records the start time and
//! the working folder of its process, and a process that does not match both is left alone.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::Error;

/// A running process that matches its pid file in id, start time and working folder.
#[derive(Debug, Clone)]
pub struct Leftover {
    /// The name under which it was started, which is also the name of the pid file.
    pub name: String,
    /// The id of the process.
    pub pid: u32,
    file: PathBuf,
}

/// Writes the pid file of a process that has just been started in `folder`: its id, its start time and the folder.
pub(super) fn write_pid_file(file: &Path, pid: u32, folder: &Path) -> Result<(), Error> {
    let start = process_start_time(pid).unwrap_or_default();
    fs::write(file, format!("{pid} {start} {}\n", folder.display()))
        .map_err(Error::io(format!("write {}", file.display())))
}

/// Returns the processes that the pid files in `run` name and that still run, and removes pid files of others.
#[must_use]
pub fn find_leftovers(run: &Path) -> Vec<Leftover> {
    let Ok(entries) = fs::read_dir(run) else { return Vec::new() };
    let mut found = Vec::new();
    for file in entries.flatten().map(|entry| entry.path()) {
        if file.extension().is_none_or(|extension| extension != "pid") {
            continue;
        }
        match Leftover::from_pid_file(&file) {
            Some(leftover) => found.push(leftover),
            None => drop(fs::remove_file(&file)),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

impl Leftover {
    fn from_pid_file(file: &Path) -> Option<Self> {
        let text = fs::read_to_string(file).ok()?;
        let mut fields = text.trim_end_matches('\n').splitn(3, ' ');
        let pid = fields.next()?.parse().ok()?;
        let start: u64 = fields.next()?.parse().ok()?;
        let folder = Path::new(fields.next()?);
        let same = process_start_time(pid)? == start
            && fs::read_link(format!("/proc/{pid}/cwd")).ok()? == folder;
        let name = file.file_stem()?.to_string_lossy().into_owned();
        same.then(|| Self { name, pid, file: file.to_owned() })
    }

    /// Sends `signal`, waits up to `grace`, and kills the process if it still runs. Returns whether the signal was enough.
    #[must_use]
    pub fn stop(&self, signal: Signal, grace: Duration) -> bool {
        let obeyed = self.signal_and_wait(signal, grace);
        if !obeyed {
            self.signal_and_wait(Signal::KILL, Duration::from_secs(10));
        }
        let _ = fs::remove_file(&self.file);
        obeyed
    }

    fn signal_and_wait(&self, signal: Signal, grace: Duration) -> bool {
        let deadline = Instant::now() + grace;
        if Self::from_pid_file(&self.file).is_some() {
            send(self.pid, signal);
        }
        while Self::from_pid_file(&self.file).is_some() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

/// Returns the start time of a process in clock ticks since boot; `None` if it is gone or a zombie.
#[must_use]
pub fn process_start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name of the program in parentheses, and may hold spaces (proc(5)).
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18)?.parse().ok())?
}

/// Kills every process whose command line holds `argument`, which must be a path that no other program uses.
pub fn kill_by_argument(argument: &Path) {
    let needle = argument.as_os_str().as_encoded_bytes();
    for pid in process_ids() {
        let Ok(command_line) = fs::read(format!("/proc/{pid}/cmdline")) else { continue };
        if pid != std::process::id() && command_line.windows(needle.len()).any(|w| w == needle) {
            send(pid, Signal::KILL);
        }
    }
}

/// Returns the ids of processes that run a program of this name in this working folder.
pub(super) fn working_in(folder: &Path, program: &str) -> Vec<u32> {
    process_ids()
        .filter(|pid| {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder)
                && fs::read_to_string(format!("/proc/{pid}/comm"))
                    .is_ok_and(|comm| comm.trim_end() == program)
                && process_start_time(*pid).is_some()
        })
        .collect()
}

fn process_ids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Sends a signal to a process, if it still exists.
pub(super) fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // An error means that the process has ended meanwhile, which is no failure.
        let _ = kill_process(pid, signal);
    }
}
