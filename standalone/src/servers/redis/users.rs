//! The Redis users that every deployment has, as `schema/access/redis-users.acl` lists them.

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
        assert_eq!(names, ["operator", "producer", "consumer", "keda", "replica", "keeper"]);
        assert!(users.iter().all(|user| user.rules.contains('+')));
        let lines = FILE.lines().filter(|line| line.starts_with("user "));
        let mut words = lines.flat_map(str::split_whitespace);
        assert!(words.all(|word| !word.starts_with(['#', '>']) && word != "nopass"));
    }

    #[test]
    fn nobody_logs_in_as_the_default_user_and_it_may_replay_everything() {
        assert_eq!(default_user(), "user default off ~* &* +@all");
    }
}
