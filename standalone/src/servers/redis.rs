//! A private Redis: appended to disk and fsynced before every answer, never evicting.

mod command;
mod files;
mod users;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

use rustix::process::Signal;

use super::{Error, Process, TlsFiles, free_port};
use command::command;
use files::{access_list, configuration_of, write_private};

pub use users::{RedisUser, shipped_users};

const READY_WITHIN: Duration = Duration::from_secs(120);
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// How to run a Redis.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// The name in messages and of the log and pid file.
    pub name: String,
    /// Its program, redis-server or valkey-server; `None` takes what is installed.
    pub program: Option<PathBuf>,
    /// The folder of its data.
    pub folder: PathBuf,
    /// The folder of its log.
    pub log: PathBuf,
    /// The folder of its pid file.
    pub run: PathBuf,
    /// The port on 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// Its users, usually [`shipped_users`]. With none, anybody on this machine may do anything; the first is
    /// used for administration and has to be allowed everything.
    pub users: Vec<RedisUser>,
    /// Serve TLS as well, on a port of its own.
    pub tls: Option<TlsFiles>,
    /// Run as a node of a Redis Cluster.
    pub cluster: bool,
    /// The port of the cluster bus, for a node of a cluster; `None` takes a free one.
    pub bus_port: Option<u16>,
    /// More lines of `redis.conf`, name and value; they win over ours.
    pub settings: Vec<(String, String)>,
}

impl RedisOptions {
    /// Everything below one folder, a free port, no password.
    #[must_use]
    pub fn new(name: &str, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self {
            name: name.to_owned(),
            program: None,
            log: folder.clone(),
            run: folder.clone(),
            folder,
            port: None,
            users: Vec::new(),
            tls: None,
            cluster: false,
            bus_port: None,
            settings: Vec::new(),
        }
    }
}

/// A running (or stopped) private Redis. Dropping it kills it; its data stay.
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
    /// If Redis is not installed, cannot write its folder, or does not come up.
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

    /// Starts it again on the same ports, after it was stopped, killed, or died.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub fn restart(&mut self) -> Result<(), Error> {
        self.respawn()?;
        wait_ready(&mut self.process, &self.options, self.port)
    }

    /// Starts it again on the same ports without waiting until it answers.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn respawn(&mut self) -> Result<(), Error> {
        self.process.kill();
        self.process = spawn(&self.options, self.port, self.tls_port, self.bus_port)?;
        Ok(())
    }

    /// Stops it in order (SIGTERM). Returns whether it obeyed in time.
    pub fn stop(&mut self) -> bool {
        self.process.stop(Signal::TERM, STOP_WITHIN)
    }

    /// Kills it at once (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Freezes it (SIGSTOP): connections stay open and nothing answers.
    pub fn freeze(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets a frozen one go on (SIGCONT).
    pub fn thaw(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of the cluster bus, if it is a node of a cluster.
    #[must_use]
    pub fn bus_port(&self) -> Option<u16> {
        self.bus_port
    }

    /// The address for clients, with the first user's name and password.
    #[must_use]
    pub fn url(&self) -> String {
        match self.options.users.first() {
            Some(user) => self.url_for(user),
            None => format!("redis://127.0.0.1:{}/", self.port),
        }
    }

    /// The address for a client that is this user.
    #[must_use]
    pub fn url_for(&self, user: &RedisUser) -> String {
        format!("redis://{}:{}@127.0.0.1:{}/", user.name, user.password, self.port)
    }

    /// The address for a client that logs in as the user `name` at another port of this machine, such as that of
    /// a proxy before this server. `None` if the server has no user of that name.
    #[must_use]
    pub fn url_at(&self, name: &str, port: u16) -> Option<String> {
        let user = self.options.users.iter().find(|user| user.name == name)?;
        Some(format!("redis://{}:{}@127.0.0.1:{port}/", user.name, user.password))
    }

    /// The address for clients over TLS (`rediss://localhost:…`), if it serves TLS.
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        let login = self.options.users.first();
        let login = login.map_or(String::new(), |user| format!("{}:{}@", user.name, user.password));
        self.tls_port.map(|port| format!("rediss://{login}localhost:{port}/"))
    }

    /// Its process: pid, log, whether it runs.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// How it ended, or `None` while it runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.process.exit_status()
    }

    /// Sends one command over a connection of its own and returns the reply as text, the items of
    /// an array on lines of their own.
    ///
    /// # Errors
    /// If Redis does not answer within 30 s or answers with an error.
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
    if !options.users.is_empty() {
        write_private(&options.folder.join("users.acl"), &access_list(&options.users))?;
    }
    let program = match &options.program {
        Some(program) if program.is_file() => program.clone(),
        Some(program) => {
            return Err(Error::NotInstalled {
                program: "the Redis server that was named",
                advice: format!("there is no {}", program.display()),
            });
        }
        None => installed()?,
    };
    let mut command = Command::new(program);
    command.arg(&configuration);
    let log = options.log.join(format!("{}.log", options.name));
    let pid_file = options.run.join(format!("{}.pid", options.name));
    Process::spawn(&options.name, command, &options.folder, &log, &pid_file)
}

/// What this machine has.
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
