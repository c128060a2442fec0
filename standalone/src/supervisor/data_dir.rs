//! The data folder: its lock, its secrets, and the processes that a killed supervisor left behind.
//!
//! | path in the folder | content |
//! |---|---|
//! | `postgres/`, `redis/` or `redis-cluster/N/` | the data of the servers |
//! | `log/` | a log file for each process; a start renames a file of more than 8 MiB to `.log.1` |
//! | `run/` | pid files, and the ports of the servers |
//! | `secrets/` | passwords and the cookie key, generated once, readable by their owner only |
//! | `lock` | locked while a supervisor runs, and holds its process id |

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use super::error::Error;
use super::terminal::say;
use crate::servers::{self, Signal, find_leftovers, free_port, is_free, random_secret};

const LOG_BYTES_MAX: u64 = 8 << 20;
const SERVICE_GRACE: Duration = Duration::from_secs(15);
const SERVER_GRACE: Duration = Duration::from_secs(60);

/// A data folder that this supervisor has locked. Dropping the value releases the lock.
#[derive(Debug)]
pub(super) struct DataDir {
    root: PathBuf,
    _lock: File,
}

/// The name under which this deployment signs.
const SIGNED_BY: &str = "votestream.localhost";

impl DataDir {
    /// Makes the folder if it does not exist, and locks it.
    ///
    /// # Errors
    /// Returns [`Error::DataDirInUse`] if another supervisor holds the lock.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path)
            .map_err(servers::Error::io(format!("create {}", path.display())))?;
        let root =
            path.canonicalize().map_err(servers::Error::io(format!("find {}", path.display())))?;
        let lock = lock(&root)?;
        for folder in ["log", "run", "secrets"] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder)
                .map_err(servers::Error::io(format!("create {}", folder.display())))?;
        }
        let secrets = root.join("secrets");
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o700))
            .map_err(servers::Error::io(format!("close {}", secrets.display())))?;
        let data_dir = Self { root, _lock: lock };
        data_dir.set_long_logs_aside();
        Ok(data_dir)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    pub(super) fn secret_path(&self, name: &str) -> PathBuf {
        self.root.join("secrets").join(name)
    }

    /// Returns the secret of this name: 64 hexadecimal digits, generated at the first call and kept.
    pub(super) fn secret(&self, name: &str) -> Result<String, Error> {
        let path = self.secret_path(name);
        let make_or_read = || match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            Ok(_) => write_secret(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => write_secret(&path),
            Err(error) => Err(error),
        };
        let secret = make_or_read();
        Ok(secret.map_err(servers::Error::io(format!("keep the secret {}", path.display())))?)
    }

    /// Writes the key that signs receipts and logs, if there is none yet, and returns the path of its file.
    pub(super) fn signing_key(&self) -> Result<PathBuf, Error> {
        let path = self.secret_path("signing-keys");
        if !path.is_file() {
            let line = format!("{SIGNED_BY} {}\n", random_secret());
            let written = write_private(&path, &line);
            written.map_err(servers::Error::io(format!("keep the secret {}", path.display())))?;
        }
        Ok(path)
    }

    /// Returns the path of a file that exports the addresses of the servers to a shell, for votectl.
    pub(super) fn env_path(&self) -> PathBuf {
        self.root.join("env")
    }

    /// Writes that file. It holds passwords, so only its owner can read it.
    pub(super) fn write_env(&self, variables: &[(&str, &str)]) -> Result<(), Error> {
        let path = self.env_path();
        let lines = variables.iter().map(|(name, value)| format!("export {name}='{value}'\n"));
        let written = write_private(&path, &lines.collect::<String>());
        Ok(written.map_err(servers::Error::io(format!("write {}", path.display())))?)
    }

    /// Returns the port that a server had at the last start, or another one if that is taken, and keeps it.
    pub(super) fn port_of(&self, server: &str) -> Result<u16, Error> {
        let path = self.run().join(format!("{server}.port"));
        let last = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
        let port = last.filter(|port| is_free(*port)).unwrap_or_else(free_port);
        fs::write(&path, format!("{port}\n"))
            .map_err(servers::Error::io(format!("write {}", path.display())))?;
        Ok(port)
    }

    /// Stops the processes that a killed supervisor left running, in the order of an ordinary stop.
    pub(super) fn clear_leftovers(&self) {
        let mut leftovers = find_leftovers(&self.run());
        leftovers.sort_by_key(|leftover| stop_order(&leftover.name));
        if !leftovers.is_empty() {
            say("an earlier supervisor was killed; stopping the processes that it left running");
        }
        for leftover in leftovers {
            let (signal, grace) = match leftover.name.as_str() {
                "postgres" => (Signal::INT, SERVER_GRACE),
                name if name.starts_with("redis") => (Signal::TERM, SERVER_GRACE),
                _ => (Signal::TERM, SERVICE_GRACE),
            };
            let how = if leftover.stop(signal, grace) { "stopped" } else { "killed" };
            say(&format!("  {} (pid {}) {how}", leftover.name, leftover.pid));
        }
    }

    /// Renames long log files, so that each process begins a new one.
    fn set_long_logs_aside(&self) {
        for entry in fs::read_dir(self.log()).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_long = entry.metadata().is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX);
            if is_long && path.extension().is_some_and(|extension| extension == "log") {
                let _ = fs::rename(&path, path.with_extension("log.1"));
            }
        }
    }
}

/// Returns the place of a process in the order of a stop: the producer first, then readers, then the servers.
fn stop_order(name: &str) -> u8 {
    match name {
        "producer" => 0,
        "dashboard" | "host" => 1,
        name if name.starts_with("redis") => 3,
        "postgres" => 4,
        _ => 2,
    }
}

fn lock(root: &Path) -> Result<File, Error> {
    let path = root.join("lock");
    let describe = || servers::Error::io(format!("lock {}", path.display()));
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(describe())?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            let pid = pid.trim().to_owned();
            return Err(Error::DataDirInUse { data_dir: root.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(describe()(error).into()),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(describe())?;
    Ok(file)
}

fn write_secret(path: &Path) -> io::Result<String> {
    let secret = random_secret();
    write_private(path, &format!("{secret}\n"))?;
    Ok(secret)
}

/// Writes a file that only its owner can read, and makes it appear when it is complete: half a cookie key would
/// invalidate every voter's cookie.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        std::env::temp_dir().join(format!("votestream-data-dir-{}", random_secret()))
    }

    #[test]
    fn second_supervisor_learns_who_holds_the_folder() {
        let folder = folder();
        let first = DataDir::open(&folder).unwrap();
        let error = DataDir::open(&folder).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(first);
        DataDir::open(&folder).expect("the lock goes with its holder");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn secrets_are_made_once_and_are_private() {
        let folder = folder();
        let data_dir = DataDir::open(&folder).unwrap();
        let secret = data_dir.secret("cookie-keys").unwrap();
        assert_eq!(secret.len(), 64);
        assert_eq!(data_dir.secret("cookie-keys").unwrap(), secret);
        assert_ne!(data_dir.secret("redis-admin").unwrap(), secret);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data_dir.secret_path("cookie-keys")), 0o600);
        assert_eq!(mode(&folder.join("secrets")), 0o700);
        fs::remove_dir_all(folder).unwrap();
    }
}
