//! PgBouncer for tests: a pooler between the programs and Postgres.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use standalone::servers::{Process, free_port};
use url::Url;

use crate::folder;

/// The longest time until it accepts connections.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running PgBouncer in front of one Postgres. Dropping the value ends it.
#[derive(Debug)]
pub struct PgBouncer {
    process: Process,
    url: Url,
    port: u16,
}

/// The package puts the program where only root looks for programs.
fn program() -> Command {
    let installed = Path::new("/usr/sbin/pgbouncer");
    Command::new(if installed.exists() { installed } else { Path::new("pgbouncer") })
}

impl PgBouncer {
    /// Starts a PgBouncer in front of the server of this address. `pool_mode` is `session` or `transaction`, and `settings`
    /// are further lines of its configuration. It admits the user of the address alone.
    ///
    /// # Panics
    /// Panics if PgBouncer is not installed, does not start, or if the address is not one of Postgres.
    #[must_use]
    pub fn start(database_url: &str, pool_mode: &str, settings: &[(&str, &str)]) -> Self {
        Self::start_in(&folder("pgbouncer"), database_url, pool_mode, settings)
    }

    /// Starts a PgBouncer as [`PgBouncer::start`] does, with its files in this folder.
    ///
    /// # Panics
    /// Panics for the same reasons.
    #[must_use]
    pub fn start_in(
        folder: &Path,
        database_url: &str,
        pool_mode: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut url: Url = database_url.parse().expect("the address is one of Postgres");
        let port = free_port();
        let host = url.host_str().expect("the address has a host").to_owned();
        let server_port = url.port().unwrap_or(5432);
        let users = format!("\"{}\" \"{}\"\n", url.username(), url.password().unwrap_or_default());
        let users_file = folder.join("users.txt");
        std::fs::write(&users_file, users).expect("the folder is ours");
        let mut config = format!(
            "[databases]\n* = host={host} port={server_port}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = scram-sha-256\nauth_file = {}\npool_mode = {pool_mode}\n\
             max_client_conn = 500\n",
            users_file.display()
        );
        for (name, value) in settings {
            let _ = writeln!(config, "{name} = {value}");
        }
        let config_file = folder.join("pgbouncer.ini");
        std::fs::write(&config_file, config).expect("the folder is ours");

        let mut command = program();
        if rustix::process::geteuid().is_root() {
            // It refuses to run as root.
            command.args(["-u", "postgres"]);
        }
        command.arg(&config_file);
        let (log, pid_file) = (folder.join("pgbouncer.log"), folder.join("process.pid"));
        let started = Process::spawn("pgbouncer", command, folder, &log, &pid_file);
        let mut process = started.unwrap_or_else(|error| panic!("{error}"));
        let accepts = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        process.wait_ready(READY_WITHIN, accepts).unwrap_or_else(|error| panic!("{error}"));
        url.set_host(Some("127.0.0.1")).expect("the address can have another host");
        url.set_port(Some(port)).expect("the address can have another port");
        Self { process, url, port }
    }

    /// Whether the program is installed.
    #[must_use]
    pub fn is_installed() -> bool {
        program().arg("--version").output().is_ok_and(|output| output.status.success())
    }

    /// Returns the port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address of the same database by way of this PgBouncer.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// Returns the path of its log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}
