//! The Redis users that every deployment has, as `schema/access/redis-users.acl` lists them.

use std::path::Path;
use std::process::Command;

const FILE: &str = include_str!("../../../../schema/access/redis-users.acl");

/// A Redis user with its password and its rights.
#[derive(Debug, Clone)]
pub struct RedisUser {
    /// The name. A client that gives no name is the user `default`.
    pub name: String,
    /// The password. Only its hash is written to disk.
    pub password: String,
    /// The rights as rules of `ACL SETUSER`, such as `~* &* +@all`.
    pub rules: String,
}

impl RedisUser {
    /// Returns this user with the rights that it needs on this server program. A Redis before 7.2 has no WAITAOF, so the
    /// producer reads its settings to know that ballots are on disk.
    pub(super) fn with_rights_on(&self, program: &Path) -> Self {
        let mut user = self.clone();
        if user.name == "producer" && has_no_waitaof(program) {
            user.rules.push_str(" +config|get");
        }
        user
    }
}

/// Returns whether the program is a Redis before 7.2, which has no WAITAOF. A program that does not say its version is taken
/// for a newer one.
#[must_use]
pub fn has_no_waitaof(program: &Path) -> bool {
    let said = Command::new(program).arg("--version").output();
    said.is_ok_and(|output| is_before_7_2(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads the output of `redis-server --version`, such as `Redis server v=7.0.15 sha=…`.
fn is_before_7_2(said: &str) -> bool {
    let version = || {
        let mut numbers = said.strip_prefix("Redis server v=")?.split('.');
        let (major, minor) = (numbers.next()?, numbers.next()?);
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    version().is_some_and(|version| version < (7, 2))
}

/// Returns the shipped users, the operator first. `password_of` gives the password for the name of a user.
///
/// # Errors
/// Returns the first error of `password_of`.
pub fn shipped_users<E>(
    mut password_of: impl FnMut(&str) -> Result<String, E>,
) -> Result<Vec<RedisUser>, E> {
    let users = FILE.lines().filter_map(|line| line.strip_prefix("user ")?.split_once(' '));
    users
        // The default user is off and has no password; its line is copied unchanged (`default_user`).
        .filter(|(name, _)| *name != "default")
        .map(|(name, rules)| {
            let password = password_of(name)?;
            Ok(RedisUser { name: name.to_owned(), password, rules: rules.to_owned() })
        })
        .collect()
}

/// Returns the line of the default user. Redis replays its append-only file with the rights of this user, so they
/// decide whether ballots are kept over a restart.
pub(super) fn default_user() -> &'static str {
    FILE.lines()
        .find(|line| line.starts_with("user default "))
        .expect("the file, which is built in, has a line for the default user")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_every_user_and_no_password() {
        let users = shipped_users(|name| Ok::<_, ()>(name.to_owned())).unwrap();
        let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(
            names,
            ["operator", "producer", "consumer", "host", "keda", "replica", "keeper"]
        );
        assert!(users.iter().all(|user| user.rules.contains('+')));
        let lines = FILE.lines().filter(|line| line.starts_with("user "));
        let mut words = lines.flat_map(str::split_whitespace);
        assert!(words.all(|word| !word.starts_with(['#', '>']) && word != "nopass"));
    }

    #[test]
    fn only_a_redis_before_7_2_has_no_waitaof() {
        assert!(is_before_7_2(
            "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"
        ));
        for newer in
            ["Redis server v=7.2.4 sha=0:0", "Redis server v=8.0.1", "Valkey server v=7.2.11"]
        {
            assert!(!is_before_7_2(newer), "{newer}");
        }
        assert!(!is_before_7_2(""));
    }

    #[test]
    fn nobody_logs_in_as_the_default_user_and_it_may_replay_everything() {
        assert_eq!(default_user(), "user default off ~* &* +@all");
    }
}
