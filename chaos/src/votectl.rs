//! The operator's program, run against the servers of a run.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// The program with the addresses of both servers. It bypasses all proxies.
#[derive(Debug, Clone)]
pub(crate) struct Votectl {
    /// The path of the program.
    pub(crate) program: PathBuf,
    /// The address of Redis for the operator.
    pub(crate) redis_url: String,
    /// The address of the database for the owner of its tables.
    pub(crate) database_url: String,
}

impl Votectl {
    /// Runs the program, waits until it ends, and returns its output.
    ///
    /// # Errors
    /// Returns an error with the output if the program fails.
    pub(crate) fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("REDIS_URL", &self.redis_url)
            .env("DATABASE_URL", &self.database_url)
            .args(arguments)
            .stdin(Stdio::null());
        let output = command.output().context("votectl cannot be started")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if !output.status.success() {
            let words = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
            bail!("votectl {words}: {} {}", text(&output.stderr), text(&output.stdout));
        }
        Ok(text(&output.stdout))
    }

    /// Runs the program on a thread of its own, so that other tasks go on meanwhile.
    ///
    /// # Errors
    /// Returns the errors of [`Votectl::run`].
    pub(crate) async fn run_aside(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let (votectl, arguments) = (self.clone(), arguments.iter().map(|word| (*word).to_owned()));
        let arguments: Vec<String> = arguments.collect();
        let running = tokio::task::spawn_blocking(move || {
            votectl.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
        });
        running.await.context("waiting for votectl")?
    }
}
