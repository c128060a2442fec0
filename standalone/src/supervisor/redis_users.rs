//! Who may use Redis, and for what.

use super::{DataDir, Error};
use crate::servers::RedisUser;

/// `votectl`, which is the operator.
const OPERATOR: (&str, &str) = ("default", "~* &* +@all");
/// Reads everything of ours, appends ballots, keeps the register; may not take ballots away. What
/// it calls in its scripts is held to the same.
const PRODUCER: (&str, &str) = (
    "producer",
    "~votes:* ~{votes:* +@connection +@scripting +@transaction +@read +@hash +@blocking -xreadgroup \
     +xadd +time -@admin -@dangerous +info +config|get",
);
/// Works off the streams of ours and repairs what the producer reads; may not administer.
const CONSUMER: (&str, &str) = (
    "consumer",
    "~votes:* ~{votes:* +@connection +@scripting +@transaction +@read +@write +@blocking \
     +time -@admin -@dangerous +info +config|get",
);

/// All users, each with a password of its own, the operator first.
pub(super) fn all(data_dir: &DataDir) -> Result<Vec<RedisUser>, Error> {
    let users = [OPERATOR, PRODUCER, CONSUMER].into_iter().map(|(name, rules)| {
        let password = data_dir.secret(&format!("redis-{name}"))?;
        Ok(RedisUser { name: name.to_owned(), password, rules: rules.to_owned() })
    });
    users.collect()
}
