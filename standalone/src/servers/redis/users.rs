//! The Redis users that every deployment has, as `schema/access/redis-users.acl` lists them.

const FILE: &str = include_str!("../../../../schema/access/redis-users.acl");

/// A Redis user: what it may do, in the words of `ACL SETUSER`.
#[derive(Debug, Clone)]
pub struct RedisUser {
    /// Its name; `default` is the one that a client without a name gets.
    pub name: String,
    /// Its password; only the hash reaches the disk.
    pub password: String,
    /// Its rules, such as `~* &* +@all`.
    pub rules: String,
}

/// The users that are shipped, the operator first, each with the password that `password_of` gives for its name.
///
/// # Errors
/// Returns the first error of `password_of`.
pub fn shipped_users<E>(
    mut password_of: impl FnMut(&str) -> Result<String, E>,
) -> Result<Vec<RedisUser>, E> {
    let users = FILE.lines().filter_map(|line| line.strip_prefix("user ")?.split_once(' '));
    users
        // It is off and has no password: `DEFAULT_USER` is written as it stands.
        .filter(|(name, _)| *name != "default")
        .map(|(name, rules)| {
            let password = password_of(name)?;
            Ok(RedisUser { name: name.to_owned(), password, rules: rules.to_owned() })
        })
        .collect()
}

/// The line of the default user, whose rights decide whether Redis keeps ballots when it restarts.
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
