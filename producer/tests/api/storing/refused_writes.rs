//! A Redis that answers and refuses every write makes the producer unready, with the reason.

use std::time::Duration;

use testkit::{eventually, own_redis};
use votestream_schema::projection::epoch;

use super::expect_unavailable;
use crate::harness::{Setup, entry_of};

const NOTICED_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_producer_is_not_ready_while_redis_refuses_each_write() {
    let redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
    let faults = [
        (["min-replicas-to-write", "1"], ["min-replicas-to-write", "0"], "NOREPLICAS"),
        (["maxmemory", "1"], ["maxmemory", "0"], "OOM"),
    ];
    for ([name, wrong], [_, right], code) in faults {
        redis.command(&["CONFIG", "SET", name, wrong]).unwrap();
        eventually(NOTICED_WITHIN, async || match service.health.ready() {
            Err(closed) if closed.get("writes").is_some_and(|why| why.contains(code)) => Ok(()),
            other => Err(other),
        })
        .await;
        expect_unavailable(&service.ballot("pets", &["cats"]).send().await);
        redis.command(&["CONFIG", "SET", name, right]).unwrap();
        service.become_ready().await;
        entry_of(&service.ballot("pets", &["dogs"]).send().await);
    }
}

/// Redis is not asked any more once it is known not to keep ballots, and that time counts as well.
#[tokio::test]
async fn the_time_without_a_stored_ballot_grows_while_redis_is_not_asked() {
    let redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    eventually(NOTICED_WITHIN, async || match service.health.ready() {
        Err(closed) if closed.contains_key("durability") => Ok(()),
        other => Err(other),
    })
    .await;
    let seconds = || {
        let metrics = service.metrics.render();
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix("votestream_ballots_refused_seconds "));
        value.map_or(0.0, |value| value.parse::<f64>().unwrap())
    };
    let before = seconds();
    eventually(NOTICED_WITHIN, async || {
        expect_unavailable(&service.ballot("pets", &["dogs"]).send().await);
        let now = seconds();
        if now > before + 3.0 { Ok(()) } else { Err(now) }
    })
    .await;
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    service.become_ready().await;
    entry_of(&service.ballot("pets", &["dogs"]).send().await);
    eventually(NOTICED_WITHIN, async || if seconds() == 0.0 { Ok(()) } else { Err(seconds()) })
        .await;
}

/// Redis refuses writes once it could not save its data (MISCONF), which is usual where a disk fills up.
#[tokio::test]
async fn the_producer_is_not_ready_while_redis_cannot_save() {
    let redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
    let reply = redis.command(&["CONFIG", "GET", "dir"]).unwrap();
    let dir = reply.lines().map(str::trim).find(|line| line.starts_with('/')).unwrap();
    let saved = std::path::Path::new(dir).join("dump.rdb");
    // A folder with this name is in the way, also for a Redis that runs as root.
    let _ = std::fs::remove_file(&saved);
    std::fs::create_dir_all(saved.join("in-the-way")).unwrap();
    redis.command(&["CONFIG", "SET", "save", "3600 1"]).unwrap();
    redis.command(&["BGSAVE"]).unwrap();
    eventually(NOTICED_WITHIN, async || match service.health.ready() {
        Err(closed) if closed.get("writes").is_some_and(|why| why.contains("MISCONF")) => Ok(()),
        other => Err(other),
    })
    .await;
    expect_unavailable(&service.ballot("pets", &["cats"]).send().await);
    std::fs::remove_dir_all(&saved).unwrap();
    redis.command(&["BGSAVE"]).unwrap();
    service.become_ready().await;
    entry_of(&service.ballot("pets", &["dogs"]).send().await);
}

#[tokio::test]
async fn the_producer_is_not_ready_while_every_ballot_is_refused() {
    let service = Setup::new().flag("backlog-max", "2").partitions(1).start().await;
    let mut refused = 0;
    let closed = eventually(NOTICED_WITHIN, async || {
        let reply = service.ballot("pets", &["cats"]).send().await;
        refused += usize::from(reply.status == 503);
        service.health.ready().err().ok_or(reply.status)
    })
    .await;
    let reason = &closed["ballots"];
    assert!(
        reason.contains("every ballot is refused") && reason.contains("BACKLOG_MAX=2"),
        "{reason}"
    );
    assert!(refused > 1, "{refused}");
    let metrics = service.metrics.render();
    assert!(metrics.contains("votestream_ballots_refused_seconds"), "{metrics}");
}

#[tokio::test]
async fn no_ballot_is_taken_while_redis_and_postgres_are_of_different_times() {
    let service = Setup::new().start().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
    let mut redis = service.redis().await;
    let note = epoch::note(&service.keys, epoch::Mismatch::OtherEpoch);
    let _: i64 = redis::Cmd::new().arg(&note).query_async(&mut redis).await.unwrap();
    eventually(NOTICED_WITHIN, async || match service.health.ready() {
        Err(closed) if closed.get("deployment").is_some_and(|why| why.contains("resync")) => Ok(()),
        other => Err(other),
    })
    .await;
    expect_unavailable(&service.ballot("pets", &["cats"]).send().await);
    assert_eq!(service.entries().await.len(), 1);
    let forget = epoch::forget(&service.keys);
    let _: i64 = redis::Cmd::new().arg(&forget).query_async(&mut redis).await.unwrap();
    service.become_ready().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
}
