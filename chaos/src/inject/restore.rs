//! A database that is restored from a dump while Redis is kept.
//!
//! The dump is a few seconds old. Ballots that were counted since are in the register of Redis only, and `votectl resync`
//! sends them to the consumers again, so nothing may be lost. Absent on purpose: polls that are created or closed after the
//! dump, whose change would be lost with good reason.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::cure::{Cure, Injection};
use crate::closing::{ClosingPolls, DefinitionsLock};
use crate::managed_service::DesiredState;
use crate::testbed::Testbed;

/// The time in which ballots are counted after the dump.
const LATER: Duration = Duration::from_millis(1_500);
/// The services that use Postgres.
const STOPPED: [&str; 3] = ["consumer-1", "consumer-2", "dashboard"];

/// Makes a dump, stops consumers and dashboard a while later, restores the dump, and starts them again. The producers go
/// on: they accept ballots until a consumer notices.
pub(super) async fn restore(
    testbed: &mut Testbed,
    polls: &ClosingPolls,
) -> anyhow::Result<Injection> {
    let lock = polls.keep_definitions().await;
    let dump = testbed.folder.run().join("chaos.dump");
    make_dump(testbed, &dump)?;
    testbed.pause(LATER).await?;
    for name in STOPPED {
        for service in testbed.services_of(name)? {
            service.stop();
        }
    }
    let voters = count_votes(testbed).await?;
    testbed.make_database().await?;
    restore_dump(testbed, &dump)?;
    // As `restore.sh` does: the new epoch says that Redis is of another time.
    let new_epoch = "UPDATE deployment SET epoch = gen_random_uuid()";
    testbed.sql().await?.batch_execute(new_epoch).await?;
    testbed.migrate()?;
    let lost = voters - count_votes(testbed).await?;
    for name in STOPPED {
        for service in testbed.services_of(name)? {
            service.start(DesiredState::Up)?;
        }
    }
    std::fs::remove_file(dump)?;
    Injection::noting(Cure::Resync(lock), format!("{lost} counted votes were not in the dump"))
}

/// Settles Redis and Postgres again. The lock ends with it.
pub(super) async fn resync(testbed: &Testbed, lock: DefinitionsLock) -> anyhow::Result<String> {
    let said = testbed.tool().run_aside(&["resync", "--json"]).await?;
    drop(lock);
    let said: serde_json::Value = serde_json::from_str(&said).context("reading its report")?;
    Ok(format!("votectl resync sent {} ballots again", said["ballots_sent_again"]))
}

async fn count_votes(testbed: &Testbed) -> anyhow::Result<i64> {
    Ok(testbed.sql().await?.query_one("SELECT count(*) FROM votes", &[]).await?.get(0))
}

fn make_dump(testbed: &Testbed, dump: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(testbed.postgres.program("pg_dump"));
    command.args(["--format=custom", "--no-owner", "--no-privileges", "--file"]).arg(dump);
    command.arg("--dbname").arg(testbed.superuser_url());
    output_of(command).map(drop)
}

/// Restores all but the schema `public`, which is there already.
fn restore_dump(testbed: &Testbed, dump: &Path) -> anyhow::Result<()> {
    let program = testbed.postgres.program("pg_restore");
    let mut command = Command::new(&program);
    command.arg("--list").arg(dump);
    let list = output_of(command)?;
    let list: Vec<&str> = list.lines().filter(|line| !line.contains(" SCHEMA - public ")).collect();
    let file = dump.with_extension("list");
    std::fs::write(&file, list.join("\n"))?;
    let mut command = Command::new(program);
    command.args(["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]);
    command.arg("--use-list").arg(&file).arg("--dbname").arg(testbed.database_url()).arg(dump);
    output_of(command)?;
    Ok(std::fs::remove_file(file)?)
}

fn output_of(mut command: Command) -> anyhow::Result<String> {
    let program = command.get_program().display().to_string();
    let output = tokio::task::block_in_place(|| command.stdin(Stdio::null()).output());
    let output = output.with_context(|| format!("{program} cannot be started"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} failed: {}", said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
