//! Who may use Redis, and for what: as `schema/access/redis-users.acl` says.

use super::{DataDir, Error};
use crate::servers::RedisUser;

const USERS: &str = include_str!("../../../schema/access/redis-users.acl");

/// The users here, and under what name the file has them: `votectl` is Redis' default user, so that a
/// plain `redis-cli` finds its way with the password alone.
const NAMES: [(&str, &str); 4] = [
    ("default", "operator"),
    ("producer", "producer"),
    ("consumer", "consumer"),
    (REPLICA, "replica"),
];
/// Who follows a master of a cluster.
pub(super) const REPLICA: &str = "replica";

/// All users, each with a password of its own, the operator first.
pub(super) fn all(data_dir: &DataDir) -> Result<Vec<RedisUser>, Error> {
    let users = NAMES.into_iter().map(|(name, name_in_file)| {
        let password = data_dir.secret(&format!("redis-{name}"))?;
        Ok(RedisUser { name: name.to_owned(), password, rules: rules_of(name_in_file).to_owned() })
    });
    users.collect()
}

fn rules_of(name: &str) -> &'static str {
    let rules =
        |line: &'static str| line.strip_prefix("user ")?.strip_prefix(name)?.strip_prefix(' ');
    USERS.lines().find_map(rules).expect("the file, which is built in, has every user named above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_every_user_and_no_password() {
        for (_, name) in NAMES {
            assert!(rules_of(name).contains('+'), "{name}");
        }
        let users = USERS.lines().filter(|line| line.starts_with("user "));
        let mut words = users.flat_map(str::split_whitespace);
        assert!(words.all(|word| !word.starts_with(['#', '>']) && word != "nopass"));
    }
}
