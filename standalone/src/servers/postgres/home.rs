//! Chooses the folder of Postgres' data.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

use super::account::Account;
use crate::servers::Error;

/// Returns the folder in which Postgres can keep its data for `data_dir`: `<data_dir>/postgres` as a rule. If this
/// process runs as root and the user `postgres` cannot enter that folder, as below `/root`, it is
/// `/var/lib/votestream/<hash of data_dir>/postgres`. Data that exist stay where they are.
///
/// # Errors
/// Returns [`Error::Unsuitable`] if data exist in a folder that Postgres cannot enter, or if this process runs as root
/// and there is no user `postgres`.
pub fn postgres_home(data_dir: &Path) -> Result<PathBuf, Error> {
    let inside = data_dir.join("postgres");
    let Some(account) = Account::for_folder(&inside)? else { return Ok(inside) };
    let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let outside = Path::new("/var/lib/votestream").join(hash).join("postgres");
    let has_data = |home: &Path| home.join("data/PG_VERSION").exists();
    let can_enter = Command::new("test")
        .arg("-x")
        .arg(data_dir)
        .uid(account.user)
        .gid(account.group)
        .stdin(Stdio::null())
        .status()
        .map_err(Error::io("run test(1)"))?
        .success();
    if has_data(&inside) && !can_enter {
        return Err(Error::Unsuitable(format!(
            "the votes are in {}, which Postgres (user id {}) can no longer enter: \
             give the folders above it `chmod o+x`",
            inside.display(),
            account.user
        )));
    }
    if has_data(&inside) || (can_enter && !has_data(&outside)) {
        return Ok(inside);
    }
    fs::create_dir_all(&outside).map_err(Error::io(format!("create {}", outside.display())))?;
    Ok(outside)
}
