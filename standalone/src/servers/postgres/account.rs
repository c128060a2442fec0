//! The user that Postgres runs as, and files that belong to this user.

use std::{
    fs, io,
    os::unix::{
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use rustix::process::geteuid;

use crate::servers::Error;

/// The user that packages of Postgres create.
const SYSTEM_USER: &str = "postgres";

/// The ids of the user that Postgres runs as if this process runs as root.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Account {
    /// Returns the owner of the folder, or the user `postgres` if root owns it or it does not exist yet. `None` if this
    /// process does not run as root: then Postgres runs as the same user.
    pub(super) fn for_folder(folder: &Path) -> Result<Option<Self>, Error> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        match fs::metadata(folder) {
            Ok(owner) if owner.uid() != 0 => {
                return Ok(Some(Self { user: owner.uid(), group: owner.gid() }));
            }
            _ => {}
        }
        let id = |flag| {
            let output = Command::new("id").args([flag, SYSTEM_USER]).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        match (id("-u"), id("-g")) {
            (Some(user), Some(group)) => Ok(Some(Self { user, group })),
            _ => Err(Error::Unsuitable(
                "Postgres refuses to run as root, and there is no user `postgres` to run it as: \
                 run this as a plain user, or make one (useradd --system postgres)"
                    .to_owned(),
            )),
        }
    }
}

/// The variables that Postgres needs of those of this process: where programs, time zones and libraries are.
const KEPT_VARIABLES: [&str; 4] = ["PATH", "TZ", "TMPDIR", "LD_LIBRARY_PATH"];

/// Returns a command that runs a program as this account. It gets none of the caller's variables but a few: the others may
/// hold passwords, which the account must not read, or settings that Postgres would obey.
pub(super) fn as_account(program: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C");
    for name in KEPT_VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if let Some(account) = account {
        // For root, `uid` also drops the supplementary groups.
        command.uid(account.user).gid(account.group);
    }
    command
}

/// Makes a folder that only this account can enter.
pub(super) fn create_folder(folder: &Path, account: Option<Account>) -> Result<(), Error> {
    let create = || {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        own(folder, account)
    };
    create().map_err(Error::io(format!("prepare {}", folder.display())))
}

/// Writes a file that only this account can read.
pub(super) fn write_private(
    path: &Path,
    text: &str,
    account: Option<Account>,
) -> Result<(), Error> {
    let write = || {
        let _ = fs::remove_file(path);
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        own(path, account)
    };
    write().map_err(Error::io(format!("write {}", path.display())))
}

fn own(path: &Path, account: Option<Account>) -> io::Result<()> {
    account.map_or(Ok(()), |account| chown(path, Some(account.user), Some(account.group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_gets_none_of_the_callers_variables_but_a_few() {
        let output = as_account(Path::new("/usr/bin/env"), None).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let names: Vec<&str> =
            text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        assert!(names.contains(&"PATH") && names.contains(&"LC_ALL"), "{names:?}");
        // Cargo sets many for every test.
        assert!(std::env::vars().count() > 5);
        assert!(
            names.iter().all(|name| *name == "LC_ALL" || KEPT_VARIABLES.contains(name)),
            "{names:?}"
        );
    }
}
