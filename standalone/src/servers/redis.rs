//! A private Redis with the shipped settings: it writes each change to disk before it answers, and never evicts keys.

mod command;
mod files;
mod options;
mod users;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

use rustix::process::Signal;

use super::{Error, Process, free_port};
use command::command;
use files::{access_list, configuration_of, write_private};

pub use options::RedisOptions;
pub use users::{RedisUser, has_no_waitaof, shipped_users};

const READY_WITHIN: Duration = Duration::from_secs(120);
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// A private Redis, which runs or is stopped. Dropping the value kills the server and keeps its data.
#[derive(Debug)]
pub struct RedisServer {
    options: RedisOptions,
    port: u16,
    tls_port: Option<u16>,
    bus_port: Option<u16>,
    process: Process,
}

impl RedisServer {
    /// Starts a server and waits until it has loaded its data and answers.
    ///
    /// # Errors
    /// Returns an error if Redis is not installed, if its folder cannot be written, or if the server does not answer
    /// within two minutes.
    pub fn start(mut options: RedisOptions) -> Result<Self, Error> {
        let prepare = || {
            fs::create_dir_all(&options.folder)?;
            fs::set_permissions(&options.folder, fs::Permissions::from_mode(0o700))
        };
        prepare().map_err(Error::io(format!("prepare {}", options.folder.display())))?;
        options.folder =
            options.folder.canonicalize().map_err(Error::io("find the data folder"))?;
        let mut attempts_left = if options.port.is_some() { 1 } else { 5 };
        loop {
            attempts_left -= 1;
            let port = options.port.unwrap_or_else(free_port);
            let tls_port = options.tls.is_some().then(free_port);
            let bus_port = options.cluster.then(|| options.bus_port.unwrap_or_else(free_port));
            match launch(&options, port, tls_port, bus_port) {
                Ok(process) => return Ok(Self { options, port, tls_port, bus_port, process }),
                Err(Error::Exited { tail, .. })
                    if attempts_left > 0 && tail.contains("Address already in use") => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts the server again on the same ports, after it was stopped, killed, or died, and waits until it answers.
    ///
    /// # Errors
    /// Returns the errors of [`RedisServer::start`].
    pub fn restart(&mut self) -> Result<(), Error> {
        self.respawn()?;
        wait_ready(&mut self.process, &self.options, self.port)
    }

    /// Starts the server again on the same ports, and does not wait until it answers.
    ///
    /// # Errors
    /// Returns an error if the process cannot be started.
    pub fn respawn(&mut self) -> Result<(), Error> {
        self.process.kill();
        self.process = spawn(&self.options, self.port, self.tls_port, self.bus_port)?;
        Ok(())
    }

    /// Stops the server in order (SIGTERM). Returns whether it ended within 30 s; otherwise it is killed.
    pub fn stop(&mut self) -> bool {
        self.process.stop(Signal::TERM, STOP_WITHIN)
    }

    /// Kills the server at once (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Freezes the server (SIGSTOP): connections stay open, and nobody answers.
    pub fn freeze(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets a frozen server go on (SIGCONT).
    pub fn thaw(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// Returns the port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the port of the cluster bus; `None` if the server is no node of a cluster.
    #[must_use]
    pub fn bus_port(&self) -> Option<u16> {
        self.bus_port
    }

    /// Returns the address for clients, with name and password of the first user.
    #[must_use]
    pub fn url(&self) -> String {
        match self.options.users.first() {
            Some(user) => self.url_for(user),
            None => format!("redis://127.0.0.1:{}/", self.port),
        }
    }

    /// Returns the address for a client that logs in as this user.
    #[must_use]
    pub fn url_for(&self, user: &RedisUser) -> String {
        format!("redis://{}:{}@127.0.0.1:{}/", user.name, user.password, self.port)
    }

    /// Returns the address for a client that logs in as the user `name` at another port of this machine, such as that
    /// of a proxy in front of this server. `None` if the server has no user of that name.
    #[must_use]
    pub fn url_at(&self, name: &str, port: u16) -> Option<String> {
        let user = self.options.users.iter().find(|user| user.name == name)?;
        Some(format!("redis://{}:{}@127.0.0.1:{port}/", user.name, user.password))
    }

    /// Returns the address for clients over TLS (`rediss://localhost:…`); `None` if the server serves no TLS.
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        let login = self.options.users.first();
        let login = login.map_or(String::new(), |user| format!("{}:{}@", user.name, user.password));
        self.tls_port.map(|port| format!("rediss://{login}localhost:{port}/"))
    }

    /// Returns the server's process, with its id and its log.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Returns the exit status, or `None` while the server runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.process.exit_status()
    }

    /// Makes a replica a master, for good: it is one after a restart, too.
    ///
    /// # Errors
    /// Returns the errors of [`RedisServer::command`].
    pub fn promote(&mut self) -> Result<(), Error> {
        self.command(&["REPLICAOF", "NO", "ONE"])?;
        self.options.settings.retain(|(name, _)| name != "replicaof");
        Ok(())
    }

    /// Sends one command over a connection of its own and returns the reply as text, with each item of an array on a
    /// line.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if Redis does not answer within 30 s, and [`Error::Refused`] if it answers with an error.
    pub fn command(&self, words: &[&str]) -> Result<String, Error> {
        command(&self.options, self.port, words)
    }
}

fn launch(
    options: &RedisOptions,
    port: u16,
    tls_port: Option<u16>,
    bus_port: Option<u16>,
) -> Result<Process, Error> {
    let mut process = spawn(options, port, tls_port, bus_port)?;
    wait_ready(&mut process, options, port)?;
    Ok(process)
}

fn wait_ready(process: &mut Process, options: &RedisOptions, port: u16) -> Result<(), Error> {
    process.wait_ready(READY_WITHIN, || command(options, port, &["PING"]).is_ok())
}

fn spawn(
    options: &RedisOptions,
    port: u16,
    tls_port: Option<u16>,
    bus_port: Option<u16>,
) -> Result<Process, Error> {
    let configuration = options.folder.join("redis.conf");
    write_private(&configuration, &configuration_of(options, port, tls_port, bus_port))?;
    let program = match &options.program {
        Some(program) if program.is_file() => program.clone(),
        Some(program) => {
            return Err(Error::NotInstalled {
                program: "the Redis server in the options",
                advice: format!("there is no {}", program.display()),
            });
        }
        None => installed()?,
    };
    if !options.users.is_empty() {
        let users: Vec<_> =
            options.users.iter().map(|user| user.with_rights_on(&program)).collect();
        write_private(&options.folder.join("users.acl"), &access_list(&users))?;
    }
    let mut command = Command::new(program);
    command.arg(&configuration);
    let log = options.log.join(format!("{}.log", options.name));
    let pid_file = options.run.join(format!("{}.pid", options.name));
    Process::spawn(&options.name, command, &options.folder, &log, &pid_file)
}

/// Returns the path of the redis-server or valkey-server that is installed.
fn installed() -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"].map(PathBuf::from);
    ["redis-server", "valkey-server"]
        .iter()
        .flat_map(|name| {
            std::env::split_paths(&path).chain(usual.clone()).map(move |folder| folder.join(name))
        })
        .find(|program| program.is_file())
        .ok_or_else(|| Error::NotInstalled {
            program: "redis-server",
            advice: "install Redis 7 or Valkey (Debian, Ubuntu: apt-get install redis-server)"
                .to_owned(),
        })
}
