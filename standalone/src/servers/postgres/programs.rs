//! Finds the server programs of Postgres on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::servers::Error;

/// A folder that holds `postgres` and `initdb` of one version.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) folder: PathBuf,
}

impl Programs {
    /// Returns the programs of the major version that wrote the data, or the newest if there are no data yet.
    pub(super) fn find(data: &Path) -> Result<Self, Error> {
        let installed = Self::installed();
        let newest = installed.first().ok_or_else(|| Error::NotInstalled {
            program: "postgres",
            advice: "install PostgreSQL 14 or newer (Debian, Ubuntu: apt-get install postgresql)"
                .to_owned(),
        })?;
        let Ok(version) = fs::read_to_string(data.join("PG_VERSION")) else {
            return Ok(Self { folder: newest.1.clone() });
        };
        let version = version.trim();
        let same = installed.iter().find(|(major, _)| major.to_string() == version);
        same.map(|(_, folder)| Self { folder: folder.clone() }).ok_or_else(|| {
            Error::Unsuitable(format!(
                "the data in {} were written by PostgreSQL {version}, but only {} is installed: \
                 install postgresql-{version}, or move the folder away to start without its votes",
                data.display(),
                newest.0
            ))
        })
    }

    /// Returns the major version and the folder of all installed versions, the newest first.
    fn installed() -> Vec<(u32, PathBuf)> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
            folders.push(String::from_utf8_lossy(&output.stdout).trim().into());
        }
        for (parent, below) in
            [("/usr/lib/postgresql", "bin"), ("/usr/local/lib/postgresql", "bin")]
        {
            let versions = fs::read_dir(parent).into_iter().flatten().flatten();
            folders.extend(versions.map(|version| version.path().join(below)));
        }
        folders
            .retain(|folder| folder.join("postgres").is_file() && folder.join("initdb").is_file());
        let mut found: Vec<(u32, PathBuf)> = folders
            .into_iter()
            .filter_map(|folder| Some((major_version(&folder.join("postgres"))?, folder)))
            .collect();
        found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
        found
    }
}

/// Returns the major version of a program, such as 15 for `postgres (PostgreSQL) 15.12 (Debian …)`.
fn major_version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_once("(PostgreSQL) ")?.1;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
