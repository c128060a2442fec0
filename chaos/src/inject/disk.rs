//! Disks that are full: each server's data lie on a small file system of its own.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Cure, Struck};
use crate::site::Site;

/// Written at once.
const PIECE: usize = 64 * 1024;

/// Fills the disk of a server (`redis`, `postgres`). A server that ends because of it is started
/// again and again.
pub(super) fn fill(site: &mut Site, server: &'static str) -> anyhow::Result<Struck> {
    if let Some(why) = &site.no_small_disks {
        return Ok(Struck::Skipped(format!("no small file system can be mounted: {why}")));
    }
    site.restart_servers = true;
    let name = if server == "redis" {
        site.redis.process().name()
    } else {
        site.postgres.process().name()
    };
    let ballast = site.folder.path().join(name).join("ballast");
    fill_up(&ballast)?;
    Struck::by(Cure::Room(ballast))
}

/// Writes until there is no room left.
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

/// Makes room; servers that ended are started once more.
pub(super) async fn make_room(site: &mut Site, ballast: PathBuf) -> anyhow::Result<()> {
    std::fs::remove_file(ballast)?;
    site.restart_servers = false;
    if !site.redis.process().is_running() {
        tokio::task::block_in_place(|| site.redis.restart())?;
    }
    if !site.postgres.process().is_running() {
        tokio::task::block_in_place(|| site.postgres.restart())?;
    }
    Ok(())
}
