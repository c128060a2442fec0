//! Each Redis user has the rights that its work needs, and no others.

use std::process::Command;

use testkit::RedisServer;

use crate::deployment::{Secrets, redis, said};

struct User<'a> {
    redis: &'a RedisServer,
    name: &'a str,
    password: String,
}

impl User<'_> {
    /// Sends a command as this user and returns the reply.
    fn ask(&self, words: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.redis.port().to_string(), "--user", self.name])
            .args(words)
            .env("REDISCLI_AUTH", &self.password)
            .output()
            .unwrap();
        said(&output)
    }

    #[track_caller]
    fn may(&self, commands: &[&[&str]]) {
        for words in commands {
            let answer = self.ask(words);
            let refused =
                ["NOPERM", "NOAUTH", "WRONGPASS", "ERR "].iter().any(|no| answer.starts_with(no));
            assert!(!refused, "{} may {words:?}: {answer}", self.name);
        }
    }

    #[track_caller]
    fn may_not(&self, commands: &[&[&str]]) {
        for words in commands {
            let answer = self.ask(words);
            // Redis runs a script, and refuses the forbidden command inside it.
            let refused =
                answer.contains("NOPERM") || answer.contains("user executing the script can't");
            assert!(refused, "{} may not {words:?}: {answer}", self.name);
        }
    }
}

#[test]
fn each_redis_user_may_do_its_work_and_nothing_else() {
    let secrets = Secrets::make();
    let redis = redis(&secrets);
    let user = |name| User {
        redis: &redis,
        name,
        password: secrets.read(&format!("passwords/redis-{name}")),
    };

    // The operator may do everything, and sets the keys up.
    user("operator").may(&[
        &["HSET", "votes:meta", "partitions", "4"],
        &["XGROUP", "CREATE", "{votes:0}:stream", "tally", "0", "MKSTREAM"],
        &["CONFIG", "GET", "appendfsync"],
        &["ACL", "LIST"],
    ]);

    // The producer adds entries and registers voters, and cannot remove any.
    let producer = user("producer");
    producer.may(&[
        &["XADD", "{votes:0}:stream", "*", "b", "x"],
        &["HSET", "{votes:0}:register:1:7", "voter", "1"],
        &["HGET", "votes:meta", "partitions"],
        &["HGETALL", "votes:polls"],
        &["XLEN", "{votes:0}:stream"],
        &["TIME"],
        &["INFO", "replication"],
        &["CONFIG", "GET", "appendonly"],
        &["WAIT", "0", "1"],
        &["EVAL", "return redis.call('XADD', KEYS[1], '*', 'b', 'y')", "1", "{votes:0}:stream"],
    ]);
    producer.may_not(&[
        &["DEL", "{votes:0}:stream"],
        &["XDEL", "{votes:0}:stream", "1-1"],
        &["XTRIM", "{votes:0}:stream", "MAXLEN", "0"],
        &["XACK", "{votes:0}:stream", "tally", "1-1"],
        &["XREADGROUP", "GROUP", "tally", "me", "STREAMS", "{votes:0}:stream", ">"],
        &["XADD", "other:stream", "*", "b", "x"],
        &["EVAL", "return redis.call('DEL', KEYS[1])", "1", "{votes:0}:stream"],
        &["CONFIG", "SET", "appendonly", "no"],
        &["FLUSHALL"],
        &["KEYS", "*"],
        &["ACL", "LIST"],
        &["SHUTDOWN", "NOSAVE"],
        &["REPLICAOF", "example.com", "6379"],
    ]);

    // The consumer reads, acknowledges and removes entries.
    let consumer = user("consumer");
    consumer.may(&[
        &["XREADGROUP", "GROUP", "tally", "me", "COUNT", "1", "STREAMS", "{votes:0}:stream", ">"],
        &["XAUTOCLAIM", "{votes:0}:stream", "tally", "me", "0", "0"],
        &["XACK", "{votes:0}:stream", "tally", "1-1"],
        &["XDEL", "{votes:0}:stream", "1-1"],
        &["XINFO", "GROUPS", "{votes:0}:stream"],
        &["XGROUP", "DELCONSUMER", "{votes:0}:stream", "tally", "nobody"],
        &["HSET", "votes:polls", "cats-vs-dogs", "{}"],
        &["XADD", "{votes:0}:dead", "*", "reason", "x"],
    ]);
    consumer.may_not(&[
        &["HSET", "other:polls", "a", "b"],
        &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"],
        &["FLUSHALL"],
        &["KEYS", "*"],
        &["ACL", "SETUSER", "consumer", "+@all"],
        &["SHUTDOWN", "NOSAVE"],
        &["REPLICAOF", "example.com", "6379"],
    ]);

    // KEDA measures the backlog for the autoscaler, and sees no ballots.
    let keda = user("keda");
    keda.may(&[&["PING"], &["XLEN", "{votes:0}:stream"]]);
    keda.may_not(&[
        &["INFO"],
        &["XPENDING", "{votes:0}:stream", "tally"],
        &["XINFO", "GROUPS", "{votes:0}:stream"],
        &["XLEN", "other:stream"],
        &["XRANGE", "{votes:0}:stream", "-", "+"],
        &["HGETALL", "{votes:0}:register:1:7"],
        &["XADD", "{votes:0}:stream", "*", "b", "x"],
        &["HGETALL", "votes:meta"],
        &["CONFIG", "GET", "*"],
    ]);

    let keeper = user("keeper");
    keeper.may(&[&["PING"], &["INFO", "replication"]]);
    keeper.may_not(&[
        &["HGETALL", "votes:meta"],
        &["XLEN", "{votes:0}:stream"],
        &["CLUSTER", "RESET"],
        &["CLUSTER", "DELSLOTS", "1"],
        &["CONFIG", "GET", "*"],
        &["REPLICAOF", "example.com", "6379"],
    ]);

    let health = User { redis: &redis, name: "health", password: "health".to_owned() };
    health.may(&[&["PING"]]);
    health.may_not(&[&["INFO"], &["XLEN", "{votes:0}:stream"], &["HGETALL", "votes:meta"]]);
    user("replica").may_not(&[&["HGETALL", "votes:meta"], &["CONFIG", "GET", "*"]]);

    let stranger = User { redis: &redis, name: "producer", password: "guess".to_owned() };
    assert!(stranger.ask(&["PING"]).contains("NOAUTH"), "{}", stranger.ask(&["PING"]));
    let nobody = User { redis: &redis, name: "default", password: "admin-password".to_owned() };
    assert!(nobody.ask(&["PING"]).contains("NOAUTH"), "{}", nobody.ask(&["PING"]));
}
