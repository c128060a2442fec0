//! Each Redis user has the rights that its work needs, and no others.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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
        said(&self.command(words).output().unwrap())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("redis-cli");
        command
            .args(["-p", &self.redis.port().to_string(), "--user", self.name])
            .args(words)
            .env("REDISCLI_AUTH", &self.password);
        command
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

/// A library with a function that appends an entry, and one that removes a stream.
const FUNCTIONS: &str = "#!lua name=ours
redis.register_function('append', function(keys) return redis.call('XADD', keys[1], '*', 'b', 'y') end)
redis.register_function('remove', function(keys) return redis.call('DEL', keys[1]) end)";

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

    // The consumer loads the functions that the producer calls; they have the rights of the caller.
    user("consumer").may(&[&["FUNCTION", "LOAD", FUNCTIONS], &["FUNCTION", "LIST"]]);

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
        &["WAIT", "0", "1"],
        &["FUNCTION", "LIST", "LIBRARYNAME", "ours"],
        &["FCALL", "append", "1", "{votes:0}:stream"],
        // Redis' rules cannot take the following away without those above; docs/THREATS.md says so.
        &["XRANGE", "{votes:0}:stream", "-", "+"],
        &["SMEMBERS", "{votes:0}:code-hashes:1"],
        &["HDEL", "{votes:0}:register:1:7", "voter"],
        &["HINCRBY", "{votes:0}:accepted", "1", "1"],
        &["HSET", "{votes:0}:polls", "1", "1 0 1 keep_first open"],
        &["XADD", "{votes:3}:stream", "MAXLEN", "0", "*", "b", "x"],
        &["XADD", "{votes:3}:stream", "18446744073709551615-18446744073709551615", "b", "x"],
    ]);
    let full = producer.ask(&["XADD", "{votes:3}:stream", "*", "b", "x"]);
    assert!(full.contains("exhausted the last possible ID"), "{full}");
    producer.may_not(&[
        &["DEL", "{votes:0}:stream"],
        &["XDEL", "{votes:0}:stream", "1-1"],
        &["XTRIM", "{votes:0}:stream", "MAXLEN", "0"],
        &["XACK", "{votes:0}:stream", "tally", "1-1"],
        &["XREADGROUP", "GROUP", "tally", "me", "STREAMS", "{votes:0}:stream", ">"],
        &["HGET", "other:hash", "field"],
        &["SREM", "{votes:0}:code-hashes:1", "x"],
        &["SADD", "{votes:0}:code-hashes:1", "x"],
        &["PSYNC", "?", "-1"],
        &["SYNC"],
        &["CLIENT", "KILL", "TYPE", "normal"],
        &["XADD", "other:stream", "*", "b", "x"],
        &["FCALL", "remove", "1", "{votes:0}:stream"],
        &["EVAL", "return 1", "0"],
        &["EVAL_RO", "return 1", "0"],
        &["EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"],
        &["SCRIPT", "LOAD", "return 1"],
        &["SCRIPT", "FLUSH"],
        &["FUNCTION", "LOAD", "REPLACE", FUNCTIONS],
        &["FUNCTION", "DELETE", "ours"],
        &["FUNCTION", "FLUSH"],
        &["CONFIG", "GET", "appendonly"],
        &["CONFIG", "GET", "masterauth"],
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
        &["CONFIG", "GET", "masterauth"],
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

const SOON: Duration = Duration::from_secs(30);

/// A script of the consumer's user that never ends keeps Redis from answering anybody, until an operator ends it.
#[test]
fn a_script_without_end_stops_redis_until_the_operator_kills_it() {
    let secrets = Secrets::make();
    let redis = redis(&secrets);
    let user = |name| User {
        redis: &redis,
        name,
        password: secrets.read(&format!("passwords/redis-{name}")),
    };
    let (consumer, operator) = (user("consumer"), user("operator"));
    // After this time, by default five seconds, Redis answers with an error instead of not at all.
    operator.may(&[&["CONFIG", "SET", "busy-reply-threshold", "200"]]);
    let endless = |script: &str| {
        let mut command = consumer.command(&["EVAL", script, "1", "{votes:0}:stream"]);
        let client = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let since = Instant::now();
        while !operator.ask(&["PING"]).contains("BUSY") {
            assert!(since.elapsed() < SOON, "the script keeps nobody waiting");
        }
        client
    };

    let mut client = endless("while true do end");
    assert!(user("producer").ask(&["XLEN", "{votes:0}:stream"]).contains("BUSY"));
    assert_eq!(operator.ask(&["SCRIPT", "KILL"]).trim(), "OK");
    assert_eq!(operator.ask(&["PING"]).trim(), "PONG");
    client.wait().unwrap();

    // A script that has written is not killed. Only the end of Redis ends it, and what it wrote is not kept.
    let mut client = endless("redis.call('XADD', KEYS[1], '*', 'b', 'x') while true do end");
    assert!(operator.ask(&["SCRIPT", "KILL"]).contains("UNKILLABLE"));
    operator.ask(&["SHUTDOWN", "NOSAVE"]);
    client.wait().unwrap();
}

/// In a Redis Cluster, `masterauth` is the password of the user `replica`, who gets a copy of everything. No service reads it.
#[test]
fn no_service_becomes_a_replica() {
    let secrets = Secrets::make();
    let redis = redis(&secrets);
    let user = |name| User {
        redis: &redis,
        name,
        password: secrets.read(&format!("passwords/redis-{name}")),
    };
    // As k8s/components/redis-cluster sets it.
    let masterauth = secrets.read("passwords/redis-replica");
    user("operator").may(&[&["CONFIG", "SET", "masterauth", &masterauth]]);
    for service in ["producer", "consumer", "keda", "keeper"] {
        let read = user(service).ask(&["CONFIG", "GET", "masterauth"]);
        assert!(read.contains("NOPERM") && !read.contains(&masterauth), "{service}: {read}");
        user(service).may_not(&[&["PSYNC", "?", "-1"], &["SYNC"], &["REPLICAOF", "h", "1"]]);
    }
}
