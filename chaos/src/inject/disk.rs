//! Full disks: the data of each server lie on a small file system, which is filled with a file.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::cure::{Cure, Injection};
use crate::testbed::Testbed;

/// The number of bytes that are written at a time.
const PIECE: usize = 64 * 1024;

/// Fills the disk of a server (`redis` or `postgres`). If the server ends because of it, the harness restarts it until it
/// runs.
pub(super) fn fill(testbed: &mut Testbed, server: &'static str) -> anyhow::Result<Injection> {
    if let Some(why) = &testbed.no_small_disks {
        return Ok(Injection::Skipped(format!("no small file system can be mounted: {why}")));
    }
    testbed.restart_servers = true;
    let name = if server == "redis" {
        testbed.redis.process().name()
    } else {
        testbed.postgres.process().name()
    };
    let ballast = testbed.folder.path().join(name).join("ballast");
    fill_up(&ballast)?;
    Injection::by(Cure::Room(ballast))
}

/// Writes a file until the disk is full.
fn fill_up(ballast: &Path) -> std::io::Result<()> {
    let mut file = File::create(ballast)?;
    let mut piece = vec![0_u8; PIECE];
    while !piece.is_empty() {
        match file.write(&piece) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                piece.truncate(piece.len() / 2);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Removes the file, and starts servers that have ended.
pub(super) async fn make_room(testbed: &mut Testbed, ballast: PathBuf) -> anyhow::Result<()> {
    std::fs::remove_file(ballast)?;
    testbed.restart_servers = false;
    if !testbed.redis.process().is_running() {
        tokio::task::block_in_place(|| testbed.redis.restart())?;
    }
    if !testbed.postgres.process().is_running() {
        tokio::task::block_in_place(|| testbed.postgres.restart())?;
    }
    Ok(())
}
