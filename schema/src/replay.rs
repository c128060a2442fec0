//! The commands that Redis must be allowed to replay from its append-only file.
//!
//! Redis writes down everything that one script changed as one transaction. When it starts again it replays that
//! transaction with the rights of the user `default`, whoever had run the script, and skips it as a whole if a
//! single right is missing (redis/redis#14541, valkey-io/valkey#3983). A default user that is only switched off
//! (`user default off`) has no rights, so that such a Redis loses at each restart every ballot that waits to be
//! counted, and the register. The cure is `user default off ~* &* +@all`: nobody can log in, and nothing is lost.
//!
//! Everything here is text to be sent; `votestream_service::redis` sends it.

use crate::Keys;
use crate::keys::{FIELD_REMOVED, GROUP};
use crate::projection::Command;

/// The cure, as a line of Redis' access list.
pub const CURE: &str = "user default off ~* &* +@all";

/// One example of each write command that our scripts run, on the keys of one partition. A test compares this
/// list with all Lua files.
pub fn commands(keys: &Keys, partition: u16) -> Vec<Command> {
    let (stream, hash) = (keys.stream(partition), keys.accepted(partition));
    let command = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    vec![
        command(&["MULTI"]),
        command(&["XADD", &stream, "*", "b", "1"]),
        command(&["HSET", &hash, FIELD_REMOVED, "1"]),
        command(&["HSETNX", &hash, FIELD_REMOVED, "1"]),
        command(&["HDEL", &hash, FIELD_REMOVED]),
        command(&["HINCRBY", &hash, FIELD_REMOVED, "1"]),
        command(&["XACK", &stream, GROUP, "1-1"]),
        command(&["XDEL", &stream, "1-1"]),
        command(&["XSETID", &stream, "9-9"]),
        command(&["XCLAIM", &stream, GROUP, "c", "0", "1-1"]),
        command(&["XGROUP", "CREATE", &stream, GROUP, "0"]),
        command(&["XGROUP", "DELCONSUMER", &stream, GROUP, "c"]),
        command(&["XGROUP", "SETID", &stream, GROUP, "1-1"]),
        command(&["UNLINK", &hash]),
        command(&["EXEC"]),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Commands of our scripts that only read.
    const READING: [&str; 14] = [
        "EXISTS",
        "HGET",
        "HGETALL",
        "HLEN",
        "HRANDFIELD",
        "MEMORY USAGE",
        "SISMEMBER",
        "TIME",
        "XINFO CONSUMERS",
        "XINFO GROUPS",
        "XINFO STREAM",
        "XLEN",
        "XPENDING",
        "XRANGE",
    ];

    /// The commands in the Lua files below `folder`, with their second word where it is a literal.
    fn called(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                called(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "lua") {
                let text = std::fs::read_to_string(&path).unwrap();
                for call in text.split("call('").skip(1) {
                    let mut words = call.split(['(', ')']).next().unwrap().split(", ");
                    let command = words.next().unwrap().trim_end_matches('\'');
                    let next = words.next().and_then(|word| word.strip_prefix('\''));
                    let container = ["XGROUP", "XINFO", "MEMORY"].contains(&command);
                    let next = next.filter(|_| container).map(|word| word.trim_end_matches('\''));
                    found.insert(
                        next.map_or(command.to_owned(), |next| format!("{command} {next}")),
                    );
                }
            }
        }
    }

    #[test]
    fn every_write_command_of_every_script_is_asked_about() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut in_scripts = BTreeSet::new();
        for folder in ["schema", "producer", "consumer", "votectl"] {
            let sources = root.join(folder).join("src");
            if sources.is_dir() {
                called(&sources, &mut in_scripts);
            }
        }
        in_scripts.retain(|command| !READING.contains(&command.as_str()));
        let name = |command: Command| match command[0].as_str() {
            "XGROUP" => command[..2].join(" "),
            name => name.to_owned(),
        };
        let mut asked: BTreeSet<String> =
            commands(&Keys::default(), 0).into_iter().map(name).collect();
        // They frame the transaction; no script calls them.
        assert!(asked.remove("MULTI") && asked.remove("EXEC"));
        assert_eq!(asked, in_scripts);
    }
}
