//! One service as a child process: its start, its readiness, its restart.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    data_dir::DataDir,
    error::Error,
    log_watch::{LogWatch, SERVICE_MARKS},
    supervised::Child,
};
use crate::servers::{self, Process, log_tail};

/// The program, the name, the port and the environment of a service.
#[derive(Debug)]
pub(super) struct ServiceSpec {
    pub(super) name: String,
    pub(super) program: &'static str,
    pub(super) admin_port: u16,
    pub(super) environment: Vec<(&'static str, String)>,
}

/// A service that runs as a child process, and the watch over its log.
#[derive(Debug)]
pub(super) struct ServiceChild {
    spec: ServiceSpec,
    program: PathBuf,
    run: PathBuf,
    log: PathBuf,
    process: Process,
    _log_watch: LogWatch,
}

impl ServiceChild {
    pub(super) fn start(spec: ServiceSpec, data_dir: &DataDir) -> Result<Self, Error> {
        let program = program(spec.program)?;
        let (run, log) = (data_dir.run(), data_dir.log().join(format!("{}.log", spec.name)));
        let process = spawn(&spec, &program, &run, &log)?;
        let log_watch = LogWatch::start(&spec.name, log.clone(), SERVICE_MARKS);
        Ok(Self { spec, program, run, log, process, _log_watch: log_watch })
    }

    pub(super) fn name(&self) -> &str {
        &self.spec.name
    }

    pub(super) fn program(&self) -> &'static str {
        self.spec.program
    }

    pub(super) fn admin_port(&self) -> u16 {
        self.spec.admin_port
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// Returns an error if the process ends first, or is not ready within `at_most`.
    pub(super) async fn wait_ready(&mut self, at_most: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + at_most;
        loop {
            if is_ready(self.spec.admin_port).await {
                return Ok(());
            }
            let name = self.spec.name.clone();
            if let Some(status) = self.process.exit_status() {
                let (log, tail) = (self.log.clone(), log_tail(&self.log, 8));
                return Err(servers::Error::Exited { name, status, log, tail }.into());
            }
            if Instant::now() >= deadline {
                let (seconds, log) = (at_most.as_secs(), self.log.clone());
                return Err(servers::Error::NotReady { name, seconds, log }.into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Child for ServiceChild {
    fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn restart(&mut self) -> Result<(), Error> {
        self.process.kill();
        self.process = spawn(&self.spec, &self.program, &self.run, &self.log)?;
        Ok(())
    }
}

/// Returns the path of a program in the folder of this program.
pub(super) fn program(name: &str) -> Result<PathBuf, Error> {
    let ours = std::env::current_exe().map_err(servers::Error::io("find this program's folder"))?;
    let program = ours.with_file_name(name);
    if program.is_file() { Ok(program) } else { Err(Error::NotBuilt(program)) }
}

/// Removes variables from a command's environment that the operator may have set for another deployment.
pub(super) fn clean(command: &mut Command) -> &mut Command {
    for name in [
        "REDIS_URL_FILE",
        "REDIS_CLUSTER",
        "REDIS_CA_FILE",
        "KEY_PREFIX",
        "DATABASE_URL_FILE",
        "DATABASE_CA_FILE",
        "COOKIE_KEYS",
        "SIGNING_KEYS",
        "CHECK_CONFIG",
        "CANARY_POLL",
        "CA_FILE",
    ] {
        command.env_remove(name);
    }
    command
}

fn spawn(spec: &ServiceSpec, program: &Path, run: &Path, log: &Path) -> Result<Process, Error> {
    let mut command = Command::new(program);
    clean(&mut command).envs(spec.environment.iter().map(|(name, value)| (name, value)));
    let pid_file = run.join(format!("{}.pid", spec.name));
    Ok(Process::spawn(&spec.name, command, run, log, &pid_file)?)
}

async fn is_ready(admin_port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", admin_port)).await?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        Ok::<_, std::io::Error>(status.ends_with(b" 200"))
    };
    tokio::time::timeout(Duration::from_secs(2), ask)
        .await
        .is_ok_and(|ready| ready.unwrap_or(false))
}
