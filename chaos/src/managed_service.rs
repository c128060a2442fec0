//! One service as a child process, which the harness can kill, freeze and start again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use standalone::servers::{Process, Signal, free_port, log_tail};

/// The pause before the harness restarts a service that has ended by itself.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// The state in which the harness wants a service to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DesiredState {
    /// The service runs. If it ends, that is a failure, and it is restarted.
    Up,
    /// The service was killed or stopped, and stays down until it is healed.
    Down,
    /// The service has a setting that it refuses. It ends at once and is restarted again and again.
    Crashing,
}

/// A service with the program, settings and folder that it is started from.
#[derive(Debug)]
pub(crate) struct ManagedService {
    pub(crate) name: &'static str,
    program: PathBuf,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    /// Variables for the present fault only, which override the environment.
    pub(crate) overlay: BTreeMap<String, String>,
    pub(crate) port: u16,
    pub(crate) admin_port: u16,
    pub(crate) desired: DesiredState,
    process: Option<Process>,
    restart_at: Option<Instant>,
    /// The number of starts so far.
    pub(crate) starts: u64,
}

impl ManagedService {
    /// Prepares a service without starting it. Its name begins with that of its program, as `producer-1`.
    pub(crate) fn new(
        name: &'static str,
        programs: &Path,
        folder: &Path,
        settings: &[(&str, String)],
    ) -> Self {
        let (port, admin_port) = (free_port(), free_port());
        let program = name.split('-').next().unwrap_or(name);
        let mut environment: BTreeMap<String, String> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        environment.insert("LISTEN_ADDR".to_owned(), format!("127.0.0.1:{port}"));
        environment.insert("ADMIN_ADDR".to_owned(), format!("127.0.0.1:{admin_port}"));
        Self {
            name,
            program: programs.join(program),
            folder: folder.to_owned(),
            environment,
            overlay: BTreeMap::new(),
            port,
            admin_port,
            desired: DesiredState::Down,
            process: None,
            restart_at: None,
            starts: 0,
        }
    }

    /// Starts the service; if it runs, it is killed first.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started.
    pub(crate) fn start(&mut self, desired: DesiredState) -> anyhow::Result<()> {
        self.kill();
        let mut command = Command::new(&self.program);
        // The caller's environment may hold settings for another deployment.
        command.env_clear().envs(&self.environment).envs(&self.overlay);
        let pid_file = self.folder.join(format!("{}.pid", self.name));
        let process = Process::spawn(self.name, command, &self.folder, &self.log(), &pid_file);
        self.process = Some(process.with_context(|| format!("starting {}", self.name))?);
        self.desired = desired;
        self.restart_at = None;
        self.starts += 1;
        Ok(())
    }

    /// Kills the service at once (SIGKILL); it stays down.
    pub(crate) fn kill(&mut self) {
        self.desired = DesiredState::Down;
        self.process = None;
    }

    /// Freezes the service (SIGSTOP): its connections stay open, and it answers nothing.
    pub(crate) fn freeze(&mut self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen service go on (SIGCONT).
    pub(crate) fn thaw(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Stops the service in order (SIGTERM); it stays down. Returns whether it ended within 15 s.
    pub(crate) fn stop(&mut self) -> bool {
        self.desired = DesiredState::Down;
        let stopped = self
            .process
            .as_mut()
            .is_none_or(|process| process.stop(Signal::TERM, Duration::from_secs(15)));
        self.process = None;
        stopped
    }

    fn signal(&mut self, signal: Signal) {
        if let Some(process) = &mut self.process {
            process.signal(signal);
        }
    }

    /// Restarts the service if it has ended, after a pause. Returns a description if it ended though it should run.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started.
    pub(crate) fn supervise(&mut self) -> anyhow::Result<Option<String>> {
        let Some(process) = &mut self.process else { return Ok(None) };
        let Some(status) = process.exit_status() else { return Ok(None) };
        if let Some(at) = self.restart_at {
            if Instant::now() >= at {
                self.start(self.desired)?;
            }
            return Ok(None);
        }
        self.restart_at = Some(Instant::now() + RESTART_AFTER);
        let is_unexpected = self.desired == DesiredState::Up;
        Ok(is_unexpected.then(|| {
            format!(
                "{} ended by itself with {status}, and its log ends with: {}",
                self.name,
                log_tail(&self.log(), 3)
            )
        }))
    }

    /// Whether a process of the service runs, frozen or not.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// Returns the process id; `None` while the service is down.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Returns the path of its log file.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }
}
