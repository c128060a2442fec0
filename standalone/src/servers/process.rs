//! One child process with its log file and its pid file.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::{
        fs::{OpenOptionsExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    Error,
    leftovers::{send, write_pid_file},
};

/// A log may name voters' addresses and polls, so only its owner and group read it.
const LOG_MODE: u32 = 0o640;

/// A child process in a process group of its own, so that Ctrl-C in a terminal does not reach it.
///
/// The process writes straight to its log file, so that it can go on writing if its parent is killed. Dropping the
/// value kills the process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
    log: PathBuf,
    /// Removed when the process ends, and only once: a successor may have written the file again by then.
    pid_file: Option<PathBuf>,
}

impl Process {
    /// Starts `command` in `folder`, without input. Its output is appended to `log`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the program cannot be started or one of its files cannot be written.
    pub fn spawn(
        name: &str,
        mut command: Command,
        folder: &Path,
        log: &Path,
        pid_file: &Path,
    ) -> Result<Self, Error> {
        let folder = folder
            .canonicalize()
            .map_err(Error::io(format!("find the folder {}", folder.display())))?;
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(LOG_MODE)
            .open(log)
            .map_err(Error::io(format!("open {}", log.display())))?;
        // A log of a release before has another mode.
        output
            .set_permissions(fs::Permissions::from_mode(LOG_MODE))
            .map_err(Error::io(format!("set the mode of {}", log.display())))?;
        let errors = output.try_clone().map_err(Error::io("share the log file"))?;
        let child = command
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(Error::io(format!("start {}", command.get_program().display())))?;
        let process = Self {
            name: name.to_owned(),
            child,
            status: None,
            log: log.to_owned(),
            pid_file: Some(pid_file.to_owned()),
        };
        write_pid_file(pid_file, process.pid(), &folder)?;
        Ok(process)
    }

    /// Returns the name under which the process was started.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the id of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the path of its log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Returns the exit status, or `None` while the process runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.exit_status().is_none()
    }

    /// Sends a signal, unless the process has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            send(self.pid(), signal);
        }
    }

    /// Waits up to `at_most` for the end of the process. Returns whether it has ended.
    pub fn wait(&mut self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        while self.is_running() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Sends `signal`, waits up to `grace`, and kills the process if it still runs. Returns whether the signal was enough.
    pub fn stop(&mut self, signal: Signal, grace: Duration) -> bool {
        self.signal(signal);
        let obeyed = self.wait(grace);
        self.kill();
        obeyed
    }

    /// Kills the process at once (SIGKILL) and waits for its end.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        if self.status.is_none() {
            self.status = self.child.wait().ok();
        }
        if let Some(pid_file) = self.pid_file.take() {
            let _ = fs::remove_file(pid_file);
        }
    }

    /// Waits until `is_ready` returns true.
    ///
    /// # Errors
    /// Returns [`Error::Exited`] if the process ends first, and [`Error::NotReady`] after `at_most`.
    pub fn wait_ready(
        &mut self,
        at_most: Duration,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + at_most;
        while !is_ready() {
            if let Some(status) = self.exit_status() {
                return Err(self.exited(status));
            }
            if Instant::now() >= deadline {
                let (name, log) = (self.name.clone(), self.log.clone());
                return Err(Error::NotReady { name, seconds: at_most.as_secs(), log });
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn exited(&self, status: ExitStatus) -> Error {
        let tail = log_tail(&self.log, 8);
        Error::Exited { name: self.name.clone(), status, log: self.log.clone(), tail }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the last `lines` lines of a log file, at most 16 KiB.
#[must_use]
pub fn log_tail(log: &Path, lines: usize) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = fs::File::open(log) {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(16 * 1024)));
        let _ = file.read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_for_its_owner_and_group_also_one_from_before() {
        let folder = std::env::temp_dir().join(format!("votestream-log-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["new.log", "old.log"] {
            let log = folder.join(name);
            if name == "old.log" {
                fs::write(&log, "before\n").unwrap();
                fs::set_permissions(&log, fs::Permissions::from_mode(0o666)).unwrap();
            }
            let pid_file = folder.join("true.pid");
            let command = Command::new("true");
            let mut process = Process::spawn("true", command, &folder, &log, &pid_file).unwrap();
            assert!(process.wait(Duration::from_secs(10)));
            assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o640, "{name}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
