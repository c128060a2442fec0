//! One service as a child process: killed, frozen, started again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use standalone::servers::{Process, Signal, free_port, log_tail};

/// How long a supervisor waits before it starts a process again that has ended by itself.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// What the harness wants of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It runs, and is started again when it ends.
    Up,
    /// It was killed, and is to stay down for now.
    Down,
    /// It is set up so that it ends at once, again and again.
    Crashing,
}

/// A service and how it is started.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    program: PathBuf,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    /// Set for the present fault only; wins over the environment.
    pub(crate) overlay: BTreeMap<String, String>,
    pub(crate) port: u16,
    pub(crate) admin_port: u16,
    pub(crate) wish: Wish,
    process: Option<Process>,
    restart_at: Option<Instant>,
    /// How often it was started.
    pub(crate) starts: u64,
}

impl Service {
    /// A service that has not been started. Its name begins with its program's.
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
            wish: Wish::Down,
            process: None,
            restart_at: None,
            starts: 0,
        }
    }

    /// Starts it (again).
    pub(crate) fn start(&mut self, wish: Wish) -> anyhow::Result<()> {
        self.kill();
        let mut command = Command::new(&self.program);
        // Nothing of the caller's settings for another deployment.
        command.env_clear().envs(&self.environment).envs(&self.overlay);
        let pid_file = self.folder.join(format!("{}.pid", self.name));
        let process = Process::spawn(self.name, command, &self.folder, &self.log(), &pid_file);
        self.process = Some(process.with_context(|| format!("starting {}", self.name))?);
        self.wish = wish;
        self.restart_at = None;
        self.starts += 1;
        Ok(())
    }

    /// Kills it at once, to stay down.
    pub(crate) fn kill(&mut self) {
        self.wish = Wish::Down;
        self.process = None;
    }

    /// SIGSTOP.
    pub(crate) fn freeze(&mut self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn thaw(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Ends it in order (SIGTERM); it stays down.
    pub(crate) fn stop(&mut self) -> bool {
        self.wish = Wish::Down;
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

    /// What a supervisor does every now and then. Tells of a death that nobody wished for.
    pub(crate) fn tend(&mut self) -> anyhow::Result<Option<String>> {
        let Some(process) = &mut self.process else { return Ok(None) };
        let Some(status) = process.exit_status() else { return Ok(None) };
        if let Some(at) = self.restart_at {
            if Instant::now() >= at {
                self.start(self.wish)?;
            }
            return Ok(None);
        }
        self.restart_at = Some(Instant::now() + RESTART_AFTER);
        let unwished = self.wish == Wish::Up;
        Ok(unwished.then(|| {
            format!("{} ended by itself with {status}: {}", self.name, log_tail(&self.log(), 3))
        }))
    }

    /// Its process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Its log file.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }
}
