//! "Accepted" is answered only where Redis keeps the ballot as durably as promised.

use std::time::Duration;

use testkit::{RedisServer, eventually, own_redis, own_redis_with};

use super::{ANSWERED_WITHIN, calls, cast_many, expect_unavailable, stored};
use crate::harness::{Setup, entry_of};

/// The command that creates a user of this name who may call all commands except these.
fn without<'a>(name: &'a str, commands: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["ACL", "SETUSER", name, "on", "nopass", "~*", "&*", "+@all"];
    words.extend(commands);
    words
}

fn as_user(name: &str, redis: &RedisServer) -> String {
    format!("redis://{name}:any@127.0.0.1:{}/", redis.port())
}

#[tokio::test]
async fn a_redis_that_is_not_durable_takes_no_ballots() {
    // WAITAOF would prove each batch; this user may not call it.
    let lazy = own_redis_with(|options| {
        options.settings.push(("appendfsync".to_owned(), "everysec".to_owned()));
    });
    let refused: &[&str] = if has_waitaof(&lazy) { &["-waitaof"] } else { &[] };
    lazy.command(&without("guest", refused)).unwrap();
    let evicting = own_redis_with(|options| {
        options.settings.push(("maxmemory-policy".to_owned(), "allkeys-lru".to_owned()));
    });
    for (url, words) in
        [(as_user("guest", &lazy), "appendfsync"), (evicting.url(), "maxmemory-policy")]
    {
        let service = Setup::on(url).impatient().start().await;
        let closed = eventually(ANSWERED_WITHIN, async || {
            let closed = service.health.ready().unwrap_err();
            (closed.keys().eq([&"durability"]) && closed["durability"].contains("CONFIG SET"))
                .then_some(closed)
        });
        assert!(closed.await["durability"].contains(words));
        let broken = format!("votestream_redis_setting_kept{{setting=\"{words}\"}} 0");
        // Other services of this test process record theirs beside it.
        eventually(Duration::from_secs(30), async || service.metrics.render().contains(&broken))
            .await;
        expect_unavailable(&service.ballot("pets", &["cats"]).send().await);
        assert!(service.entries().await.is_empty());
    }
    let memory = Setup::on(lazy.url()).flag("durability", "memory").start().await;
    entry_of(&memory.ballot("pets", &["cats"]).send().await);
}

/// Returns whether the server has WAITAOF, as a Redis has from 7.2 on.
fn has_waitaof(redis: &RedisServer) -> bool {
    redis.command(&["COMMAND", "INFO", "WAITAOF"]).unwrap().contains("waitaof")
}

/// With WAITAOF each batch waits for the disk, whatever the settings are and whether Redis shows them or not.
#[tokio::test]
async fn a_redis_with_waitaof_proves_for_each_batch_that_it_is_on_disk() {
    let redis = own_redis_with(|options| {
        options.settings.push(("appendfsync".to_owned(), "everysec".to_owned()));
    });
    if !has_waitaof(&redis) {
        // `bin/other-servers` runs this test on servers that have it.
        return;
    }
    redis.command(&without("guest", &["-config"])).unwrap();
    let service = Setup::on(as_user("guest", &redis)).start().await;
    let ballot = service.ballot("pets", &["cats"]);
    let before = calls(&redis, "waitaof");
    let first = entry_of(&ballot.send().await);
    assert!(calls(&redis, "waitaof") > before, "the batch was waited for");
    let on_disk = || {
        let info = redis.command(&["INFO", "persistence"]).unwrap();
        info.contains("aof_pending_bio_fsync:0") && info.contains("aof_buffer_length:0")
    };
    assert!(on_disk());
    // Many ballots share the wait.
    let all = cast_many(&service, 100).await;
    assert_eq!(stored(&service).await.len(), all.len() + 1);
    assert!(stored(&service).await.iter().any(|(_, entry)| *entry == first));

    // A disk that is never written to is noticed by the batch itself: between two checks nothing else would.
    redis.command(&["CONFIG", "SET", "appendfsync", "no"]).unwrap();
    expect_unavailable(&service.ballot("pets", &["cats"]).send().await);
    let closed = eventually(ANSWERED_WITHIN, async || match service.health.ready() {
        Err(closed) if closed.contains_key("durability") => Ok(closed),
        other => Err(other),
    });
    assert!(closed.await["durability"].contains("did not reach the disk"));
    redis.command(&["CONFIG", "SET", "appendfsync", "always"]).unwrap();
    service.become_ready().await;
    entry_of(&service.ballot("pets", &["dogs"]).send().await);
    redis.command(&["CONFIG", "SET", "appendonly", "no"]).unwrap();
    expect_unavailable(&service.ballot("pets", &["cats"]).send().await);
}

#[tokio::test]
async fn a_redis_that_hides_its_settings_is_not_promised_a_disk() {
    let redis = own_redis();
    // Like a managed Redis, this one has no CONFIG for any user, and may have neither WAIT nor WAITAOF.
    let refused: &[&str] = if has_waitaof(&redis) { &["-waitaof"] } else { &[] };
    redis.command(&without("guest", &[&["-config", "-wait"], refused].concat())).unwrap();
    let setup = Setup::on(as_user("guest", &redis));
    for (durability, cure) in [("fsync", "DURABILITY=replicated"), ("replicated", "WAIT")] {
        let setup = setup.clone().flag("durability", durability);
        let service = setup.impatient().start().await;
        eventually(ANSWERED_WITHIN, async || {
            let closed = service.health.ready().unwrap_err();
            closed.keys().eq([&"durability"]) && closed["durability"].contains(cure)
        })
        .await;
        expect_unavailable(&service.ballot("pets", &["cats"]).send().await);
        assert!(service.entries().await.is_empty());
        assert!(service.stop().await);
    }
    let memory = setup.flag("durability", "memory").start().await;
    entry_of(&memory.ballot("pets", &["cats"]).send().await);
}

#[tokio::test]
async fn replicated_means_that_replicas_have_the_ballot() {
    let master = own_redis();
    let mut replica = own_redis_with(|options| {
        let of = format!("127.0.0.1 {}", master.port());
        options.settings.push(("replicaof".to_owned(), of));
    });
    let setup = Setup::on(master.url()).flag("durability", "replicated");
    let alone = setup.clone().flag("replicas-min", "2").impatient().start().await;
    eventually(ANSWERED_WITHIN, async || {
        alone.health.ready().is_err_and(|closed| closed.keys().eq([&"durability"]))
    })
    .await;
    expect_unavailable(&alone.ballot("pets", &["cats"]).send().await);

    eventually(Duration::from_secs(20), async || {
        master.command(&["WAIT", "1", "100"]).unwrap().trim() == "1"
    })
    .await;
    let service = setup.start().await;
    let entry = entry_of(&service.ballot("pets", &["cats"]).send().await);
    let found = (0..4).any(|partition| {
        let stream = service.keys.stream(partition);
        replica.command(&["XRANGE", &stream, &entry.to_string(), "+"]).unwrap().contains("ballot")
    });
    assert!(found, "the replica has it before it is acknowledged");
    // A Redis that shows none of its settings is not asked for anything else.
    master.command(&without("guest", &["-config"])).unwrap();
    let hidden = Setup::on(as_user("guest", &master)).flag("durability", "replicated");
    entry_of(&hidden.start().await.ballot("pets", &["cats"]).send().await);
    replica.kill();
    expect_unavailable(&service.ballot("pets", &["cats"]).send().await);
}

/// `CONFIG SET appendonly yes` shows as enabled at once, and what Redis appends is read after a restart only once the
/// first rewrite has ended.
#[tokio::test]
async fn nothing_is_accepted_before_the_append_only_file_is_in_effect() {
    let redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    let set = |name: &str, value: &str| redis.command(&["CONFIG", "SET", name, value]).unwrap();
    let cast = async || service.ballot("pets", &["cats"]).send().await.status;
    assert_eq!(cast().await, 202);
    set("appendonly", "no");
    eventually(ANSWERED_WITHIN, async || match cast().await {
        503 => Ok(()),
        other => Err(other),
    })
    .await;
    // The first rewrite takes some seconds.
    let fill = "for i = 1, 400 do redis.call('SET', KEYS[1] .. i, 'x') end";
    redis.command(&["EVAL", fill, "1", "{votes:filler}"]).unwrap();
    set("rdb-key-save-delay", "20000");
    set("appendonly", "yes");
    let rewrites = || {
        let info = redis.command(&["INFO", "persistence"]).unwrap();
        info.contains("aof_rewrite_in_progress:1") || info.contains("aof_rewrite_scheduled:1")
    };
    assert!(rewrites(), "the rewrite is slow enough to be seen");
    let mut refused = 0;
    loop {
        let status = cast().await;
        // The answer counts if the rewrite goes on after it.
        match (status, rewrites()) {
            (503, _) => refused += 1,
            (202, true) => panic!("a ballot was accepted during the first rewrite"),
            (202, false) => break,
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(refused > 10, "{refused}");
}
