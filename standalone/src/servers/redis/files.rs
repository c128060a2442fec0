//! The files that a Redis reads when it starts: the shipped settings with its own ports and paths, and its users.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::options::RedisOptions;
use super::users::{RedisUser, default_user};
use crate::servers::Error;

/// The settings that every deployment's Redis runs with.
const SHIPPED: &str = include_str!("../../../../schema/access/redis.conf");

/// Returns the text of `redis.conf`: the shipped settings, then those of this server, then those of the options.
pub(super) fn configuration_of(
    options: &RedisOptions,
    port: u16,
    tls_port: Option<u16>,
    bus_port: Option<u16>,
) -> String {
    let quote = |path: &Path| {
        let text = path.display().to_string();
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    };
    let mut lines: Vec<(&str, String)> = vec![
        ("bind", "127.0.0.1".to_owned()),
        ("port", port.to_string()),
        ("protected-mode", "yes".to_owned()),
        ("daemonize", "no".to_owned()),
        ("dir", quote(&options.folder)),
    ];
    if !options.users.is_empty() {
        lines.push(("aclfile", quote(&options.folder.join("users.acl"))));
    }
    if let (Some(tls), Some(tls_port)) = (&options.tls, tls_port) {
        lines.extend([
            ("tls-port", tls_port.to_string()),
            ("tls-cert-file", quote(&tls.certificate)),
            ("tls-key-file", quote(&tls.key)),
            ("tls-ca-cert-file", quote(&tls.authority)),
            ("tls-auth-clients", "no".to_owned()),
        ]);
    }
    // A node that follows another one logs in as the user that is shipped for this.
    if let Some(replica) = options.users.iter().find(|user| user.name == "replica") {
        lines.extend([
            ("masteruser", replica.name.clone()),
            ("masterauth", replica.password.clone()),
        ]);
    }
    if let Some(bus_port) = bus_port {
        lines.extend([
            ("cluster-enabled", "yes".to_owned()),
            ("cluster-port", bus_port.to_string()),
            ("cluster-node-timeout", "2000".to_owned()),
            // Ballots wait for the copy of the replica, and no second replica is about to ask for one.
            ("repl-diskless-sync-delay", "0".to_owned()),
        ]);
    }
    lines.extend(options.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
    // A later line wins over an earlier one.
    lines.iter().fold(format!("{SHIPPED}\n"), |mut text, (name, value)| {
        let _ = writeln!(text, "{name} {value}");
        text
    })
}

/// Returns the text of `users.acl`, with the hash of each password.
pub(super) fn access_list(users: &[RedisUser]) -> String {
    let mut text = String::new();
    if users.iter().all(|user| user.name != "default") {
        text.push_str(default_user());
        text.push('\n');
    }
    for RedisUser { name, password, rules } in users {
        let hash = Sha256::digest(password.as_bytes());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(text, "user {name} on #{hash} {rules}");
    }
    text
}

/// Writes a file that only its owner can read, whatever the umask is. The file appears when it is complete.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let new = path.with_extension("new");
    let write = || {
        let _ = fs::remove_file(&new);
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(Error::io(format!("write {}", path.display())))
}
