//! Starts a standby: a second Postgres that follows a first one until it is promoted.

use std::path::PathBuf;
use std::process::Stdio;

use super::account::{Account, as_account, create_folder};
use super::options::PostgresOptions;
use super::programs::Programs;
use super::{PostgresServer, SUPERUSER};
use crate::servers::Error;

impl PostgresServer {
    /// Copies this running server into a new folder and starts the copy as its standby, which streams under the name
    /// in `options`. The standby has this server's password. `SELECT pg_promote()` promotes it.
    ///
    /// # Errors
    /// Returns an error if `pg_basebackup` fails, and those of [`PostgresServer::start`].
    pub fn standby(&self, mut options: PostgresOptions) -> Result<Self, Error> {
        options.password.clone_from(&self.options.password);
        let account = Account::for_folder(&options.folder)?;
        create_folder(&options.folder, account)?;
        let programs = Programs::find(&self.options.data())?;
        let primary = format!(
            "host=127.0.0.1 port={} user={SUPERUSER} application_name={}",
            self.port, options.name
        );
        let output = as_account(&beside(&programs, "pg_basebackup"), account)
            .current_dir(&options.folder)
            .env("PGPASSWORD", &options.password)
            .args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"])
            .args(["--no-sync", "--dbname", &primary, "--pgdata"])
            .arg(options.data())
            .stdin(Stdio::null())
            .output()
            .map_err(Error::io("run pg_basebackup"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Error::Unsuitable(format!("pg_basebackup failed: {}", said.trim())));
        }
        Self::start(options)
    }

    /// Returns the path of a program of this server's version, such as `pg_dump`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        Programs::find(&self.options.data())
            .map_or_else(|_| name.into(), |programs| beside(&programs, name))
    }
}

/// Returns the path of a program beside the server, or beside the file that a link to the server leads to; otherwise its
/// name, for a search in `PATH`.
fn beside(programs: &Programs, name: &str) -> PathBuf {
    let server = programs.folder.join("postgres");
    let places = [server.canonicalize().unwrap_or_default(), server];
    let mut beside = places.iter().map(|server| server.with_file_name(name));
    beside.find(|program| program.is_file()).unwrap_or_else(|| name.into())
}
