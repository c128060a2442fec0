//! Finds out whether Redis would replay its whole append-only file after a restart.
//!
//! Redis replays transactions, and so everything that scripts wrote, with the rights of the user `default`; it
//! skips the commands that this user may not run. The caller says which commands matter.

use redis::{RedisError, Value};

use crate::redis::Connection;

/// The outcome of [`replay_rights`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayRights {
    /// The default user may run every command.
    Complete,
    /// The append-only file is switched off, so that nothing is ever replayed.
    NotNeeded,
    /// A restart would lose entries that scripts wrote: the default user may not run these commands.
    Missing(Vec<String>),
    /// Redis did not answer one of the questions, for this reason.
    Unknown(String),
}

/// Asks the server that holds `key` whether its default user may run `commands`, each given with a full set of
/// arguments. Needs Redis 7.0 and the rights for `INFO` and `ACL DRYRUN`.
///
/// # Errors
/// Returns the error of the connection if the server cannot be asked at all.
pub async fn replay_rights(
    connection: &mut Connection,
    key: &str,
    commands: &[Vec<String>],
) -> Result<ReplayRights, RedisError> {
    let info = redis::cmd("INFO").arg("persistence").clone();
    match connection.query_at(key, &info).await {
        Ok(reply) => match aof_enabled(&reply) {
            Some(true) => {}
            Some(false) => return Ok(ReplayRights::NotNeeded),
            None => {
                let reason = "INFO persistence has no aof_enabled";
                return Ok(ReplayRights::Unknown(reason.to_owned()));
            }
        },
        Err(error) => return unknown_or(error),
    }
    let mut missing = Vec::new();
    for command in commands {
        let dry_run = redis::cmd("ACL").arg("DRYRUN").arg("default").arg(command).clone();
        match connection.query_at(key, &dry_run).await {
            Ok(Value::Okay) => {}
            // ACL DRYRUN answers a refusal with a sentence, not with an error.
            Ok(_) => missing.extend(command.first().cloned()),
            Err(error) => return unknown_or(error),
        }
    }
    Ok(if missing.is_empty() { ReplayRights::Complete } else { ReplayRights::Missing(missing) })
}

/// Turns the error of a command that the server does not have, or that this user may not call, into
/// [`ReplayRights::Unknown`].
fn unknown_or(error: RedisError) -> Result<ReplayRights, RedisError> {
    match error.code() {
        Some("ERR" | "NOPERM") => Ok(ReplayRights::Unknown(error.to_string())),
        _ => Err(error),
    }
}

/// Reads in the reply of `INFO persistence` whether the append-only file is on.
fn aof_enabled(reply: &Value) -> Option<bool> {
    let text: String = redis::from_redis_value(reply.clone()).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("aof_enabled:"))?;
    Some(value.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_append_only_file_is_on_off_or_unknown() {
        let reply = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        assert_eq!(aof_enabled(&reply("loading:0\r\naof_enabled:1\r\n")), Some(true));
        assert_eq!(aof_enabled(&reply("aof_enabled:0\r\n")), Some(false));
        assert_eq!(aof_enabled(&reply("loading:0\r\n")), None);
    }
}
