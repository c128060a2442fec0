//! A private Postgres on 127.0.0.1, with data checksums, which admits clients with a password only.
//!
//! Postgres refuses to run as root. If this process runs as root, Postgres runs as the user `postgres`, who owns its
//! files.
//! Absent on purpose: a Unix socket, because its path must not exceed 107 bytes.

mod account;
mod home;
mod options;
mod programs;
mod roles;
mod standby;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

pub use home::postgres_home;
pub use options::PostgresOptions;
pub use roles::{DATABASE_RIGHTS, roles_with_passwords};

use super::{
    Error, Process, free_port,
    leftovers::{send, working_in},
};
use account::{Account, as_account, create_folder, write_private};
use programs::Programs;

const READY_WITHIN: Duration = Duration::from_secs(300);
const STOP_WITHIN: Duration = Duration::from_secs(60);
const ORPHANS_END_WITHIN: Duration = Duration::from_secs(10);
const SUPERUSER: &str = "postgres";

/// A private Postgres, which runs or is stopped. Dropping the value kills the server and keeps its data.
#[derive(Debug)]
pub struct PostgresServer {
    options: PostgresOptions,
    port: u16,
    process: Process,
}

impl PostgresServer {
    /// Starts a server and waits until it accepts connections. Makes the data folder if there is none.
    ///
    /// # Errors
    /// Returns an error if Postgres is not installed, if another version wrote the data, or if the server does not
    /// become ready within five minutes.
    pub fn start(mut options: PostgresOptions) -> Result<Self, Error> {
        let account = Account::for_folder(&options.folder)?;
        create_folder(&options.folder, account)?;
        options.folder =
            options.folder.canonicalize().map_err(Error::io("find the data folder"))?;
        let programs = Programs::find(&options.data())?;
        if !options.data().join("PG_VERSION").exists() {
            initialise(&options, &programs, account)?;
        }
        let mut attempts_left = if options.port.is_some() { 1 } else { 5 };
        loop {
            attempts_left -= 1;
            let port = options.port.unwrap_or_else(free_port);
            match launch(&options, port) {
                Ok(process) => return Ok(Self { options, port, process }),
                Err(Error::Exited { tail, .. })
                    if attempts_left > 0 && tail.contains("Address already in use") => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts the server again on the same port, after it was stopped, killed, or died, and waits until it accepts
    /// connections.
    ///
    /// # Errors
    /// Returns the errors of [`PostgresServer::start`].
    pub fn restart(&mut self) -> Result<(), Error> {
        self.respawn()?;
        wait_ready(&mut self.process, &self.options)
    }

    /// Starts the server again on the same port, and does not wait until it is ready.
    ///
    /// # Errors
    /// Returns an error if the process cannot be started.
    pub fn respawn(&mut self) -> Result<(), Error> {
        self.process.kill();
        self.process = spawn(&self.options, self.port)?;
        Ok(())
    }

    /// Stops the server in order and ends its sessions (SIGINT, a "fast" shutdown). Returns whether it ended within a
    /// minute; otherwise it is killed.
    pub fn stop(&mut self) -> bool {
        self.process.stop(Signal::INT, STOP_WITHIN)
    }

    /// Kills the server at once (SIGKILL), and waits until the processes of its sessions have ended.
    pub fn kill(&mut self) {
        self.process.kill();
        end_orphans(&self.options.data());
    }

    /// Freezes the server and its sessions (SIGSTOP): connections stay open, and nobody answers.
    pub fn freeze(&mut self) {
        self.signal_all(Signal::STOP);
    }

    /// Lets a frozen server go on (SIGCONT).
    pub fn thaw(&mut self) {
        self.signal_all(Signal::CONT);
    }

    fn signal_all(&mut self, signal: Signal) {
        self.process.signal(signal);
        for pid in working_in(&self.options.data(), "postgres") {
            send(pid, signal);
        }
    }

    /// Returns the port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address of a database for the superuser, with the password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_for(SUPERUSER, &self.options.password, database)
    }

    /// Returns the address of a database for a role. The password must need no escaping in a URL.
    #[must_use]
    pub fn url_for(&self, role: &str, password: &str, database: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Returns the address of a database for the superuser over TLS with a verified certificate; `None` if the server
    /// offers no TLS.
    #[must_use]
    pub fn tls_url(&self, database: &str) -> Option<String> {
        let (password, port) = (&self.options.password, self.port);
        self.options.tls.as_ref().map(|_| {
            format!(
                "postgres://{SUPERUSER}:{password}@localhost:{port}/{database}?sslmode=verify-full"
            )
        })
    }

    /// Returns the server's process, with its id and its log.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Returns the exit status, or `None` while the server runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.process.exit_status()
    }
}

/// Makes the data folder under another name and renames it when it is complete, so that it is never half made.
fn initialise(
    options: &PostgresOptions,
    programs: &Programs,
    account: Option<Account>,
) -> Result<(), Error> {
    let unfinished = options.folder.join("data.new");
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::io(format!("remove {}", unfinished.display()))(error));
        }
        _ => {}
    }
    let password_file = options.folder.join("password");
    write_private(&password_file, &options.password, account)?;
    let mut command = as_account(&programs.folder.join("initdb"), account);
    command
        .current_dir(&options.folder)
        .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums"])
        .args(["--username", SUPERUSER, "--no-instructions", "--pwfile"])
        .arg(&password_file)
        .arg("--pgdata")
        .arg(&unfinished);
    if !options.fsync {
        command.arg("--no-sync");
    }
    let output = command.output().map_err(Error::io("run initdb"))?;
    let _ = fs::remove_file(&password_file);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Unsuitable(format!("initdb failed: {}", said.trim())));
    }
    fs::rename(&unfinished, options.data()).map_err(Error::io("move the new data into place"))
}

fn launch(options: &PostgresOptions, port: u16) -> Result<Process, Error> {
    let mut process = spawn(options, port)?;
    wait_ready(&mut process, options)?;
    Ok(process)
}

fn spawn(options: &PostgresOptions, port: u16) -> Result<Process, Error> {
    let account = Account::for_folder(&options.folder)?;
    let data = options.data();
    let programs = Programs::find(&data)?;
    end_orphans(&data);
    remove_stale_lock(&data)?;
    let mut command = as_account(&programs.folder.join("postgres"), account);
    command.arg("-D").arg(&data);
    for (name, value) in settings(options, port, account)? {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let log = options.log.join(format!("{}.log", options.name));
    let pid_file = options.run.join(format!("{}.pid", options.name));
    Process::spawn(&options.name, command, &data, &log, &pid_file)
}

fn wait_ready(process: &mut Process, options: &PostgresOptions) -> Result<(), Error> {
    let (data, pid) = (options.data(), process.pid());
    process.wait_ready(READY_WITHIN, || reports_ready(&data, pid))
}

fn settings(
    options: &PostgresOptions,
    port: u16,
    account: Option<Account>,
) -> Result<Vec<(String, String)>, Error> {
    // Settings for a private server; those of the options come last and override these.
    let on = |yes: bool| if yes { "on" } else { "off" };
    let mut settings: Vec<(&str, String)> = vec![
        ("port", port.to_string()),
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("unix_socket_directories", String::new()),
        ("logging_collector", "off".to_owned()),
        ("log_destination", "stderr".to_owned()),
        // Without details, which quote rows: logs must not say who voted or for what.
        ("log_error_verbosity", "terse".to_owned()),
        ("log_parameter_max_length", "0".to_owned()),
        ("fsync", on(options.fsync).to_owned()),
        ("full_page_writes", on(options.fsync).to_owned()),
        ("synchronous_commit", "on".to_owned()),
        ("max_connections", "100".to_owned()),
        ("shared_buffers", "128MB".to_owned()),
        ("max_wal_size", "2GB".to_owned()),
        ("checkpoint_timeout", "15min".to_owned()),
        ("wal_compression", "on".to_owned()),
        ("jit", "off".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("log_timezone", "UTC".to_owned()),
    ];
    if let Some(tls) = &options.tls {
        let certificate = copy_for_server(&tls.certificate, options, account, "server.crt")?;
        let key = copy_for_server(&tls.key, options, account, "server.key")?;
        settings.extend([
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", certificate.display().to_string()),
            ("ssl_key_file", key.display().to_string()),
        ]);
    }
    let ours = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(ours.chain(options.settings.iter().cloned()).collect())
}

/// Copies a file for Postgres. It refuses a key that other users can read, so the copy belongs to its own user.
fn copy_for_server(
    file: &Path,
    options: &PostgresOptions,
    account: Option<Account>,
    name: &str,
) -> Result<PathBuf, Error> {
    let copy = options.folder.join(name);
    let text = fs::read_to_string(file).map_err(Error::io(format!("read {}", file.display())))?;
    write_private(&copy, &text, account)?;
    Ok(copy)
}

/// Whether Postgres reports that it is ready, in the last line of `postmaster.pid` as for `pg_ctl --wait`.
fn reports_ready(data: &Path, pid: u32) -> bool {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else { return false };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.first() == Some(&pid.to_string().as_str())
        && matches!(lines.get(7), Some(&("ready" | "standby")))
}

/// Waits until the sessions of a killed server have ended by themselves, and kills those that have not within 10 s.
fn end_orphans(data: &Path) {
    let deadline = Instant::now() + ORPHANS_END_WITHIN;
    loop {
        let orphans = working_in(data, "postgres");
        if orphans.is_empty() {
            return;
        }
        if Instant::now() >= deadline {
            orphans.iter().for_each(|pid| send(*pid, Signal::KILL));
            thread::sleep(Duration::from_millis(100));
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Removes the lock file of a dead server. Postgres does that itself, unless another program has the process id in it
/// by now. The caller must be sure that no process of this data folder is left.
fn remove_stale_lock(data: &Path) -> Result<(), Error> {
    match fs::remove_file(data.join("postmaster.pid")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove a stale postmaster.pid")(error))
        }
        _ => Ok(()),
    }
}
