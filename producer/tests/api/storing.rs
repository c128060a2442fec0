//! Acknowledged means stored: a ballot that Redis loses, delays or refuses is never answered "accepted".

mod durable;
mod functions;
mod refused_writes;

use std::collections::HashSet;
use std::time::Duration;

use redis::AsyncCommands;
use serde_json::json;
use testkit::{RedisServer, eventually, own_redis, redis_connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use votestream_schema::poll::{VotePolicy, now_ms};
use votestream_schema::{EntryId, Poll, VoterKey};
use votestream_service::listener::IDLE_GRACE;

use crate::harness::{Service, Setup, entry_of, key_in, poll};
use crate::proxy::Proxy;
use testkit::http::Reply;

/// Longer than a ballot may take at most.
const ANSWERED_WITHIN: Duration = Duration::from_secs(6);

fn expect_unavailable(reply: &Reply) {
    assert_eq!((reply.status, reply.problem().as_str()), (503, "unavailable"), "{}", reply.text());
    assert!(reply.header("retry-after").is_some());
}

/// Which ballot a reply acknowledges: its voter, by the cookie, and its entry. Entry IDs alone are
/// distinct within a partition only.
fn acknowledged(reply: &Reply, cookie: &str) -> (VoterKey, EntryId) {
    (key_in(cookie), entry_of(reply))
}

/// The same of all ballots that are stored.
async fn stored(service: &Service) -> HashSet<(VoterKey, EntryId)> {
    let entries = service.entries().await;
    let stored: HashSet<_> = entries.iter().map(|entry| (entry.ballot.voter, entry.id)).collect();
    assert_eq!(stored.len(), entries.len());
    stored
}

/// Casts this many ballots at once, each of a new voter; those acknowledged, which is all.
async fn cast_many(service: &Service, ballots: usize) -> HashSet<(VoterKey, EntryId)> {
    let casts = (0..ballots).map(|_| tokio::spawn(service.ballot("pets", &["cats"]).send()));
    let mut all = HashSet::new();
    for cast in casts.collect::<Vec<_>>() {
        let reply = cast.await.unwrap();
        all.insert(acknowledged(&reply, reply.cookie().unwrap()));
    }
    assert_eq!(all.len(), ballots);
    all
}

/// How often a command was called, by Redis' own count.
fn calls(redis: &RedisServer, command: &str) -> usize {
    let stats = redis.command(&["INFO", "commandstats"]).unwrap();
    let name = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_and_the_ballot_stored_once() {
    let redis = own_redis();
    let proxy = Proxy::to(&redis, Duration::ZERO).await;
    let service = Setup::on(proxy.redis_url.clone()).start().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
    proxy.cut_next_call();
    let reply = service.ballot("pets", &["dogs"]).send().await;
    assert!(proxy.has_cut());
    let entries = service.entries().await;
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[1].id, entry_of(&reply), "the entry of the call whose reply was lost");
    assert_eq!(service.standing("pets", reply.cookie().unwrap()).await, json!(["dogs"]));
}

/// A voter who changes his mind many times at once, while a reply is lost: whatever was acknowledged is there
/// once, and nothing else is.
#[tokio::test]
async fn one_voters_ballots_are_stored_one_after_the_other() {
    let redis = own_redis();
    let proxy = Proxy::to(&redis, Duration::from_millis(25)).await;
    let replace = Poll { vote_policy: VotePolicy::Replace, ..poll("pets") };
    let service = Setup::on(proxy.redis_url.clone()).polls([replace]).partitions(1).start().await;
    let page = service.client.get("/").send().await;
    let cookie = page.cookie().unwrap();
    // The script is there, and the lane is under way.
    entry_of(&service.ballot("pets", &["dogs"]).cookie(cookie).send().await);
    proxy.cut_next_call();
    let casts = (0..60).map(|n| {
        let choice = if n % 2 == 0 { "cats" } else { "dogs" };
        tokio::spawn(service.ballot("pets", &[choice]).cookie(cookie).send())
    });
    let mut accepted = 1;
    for cast in casts.collect::<Vec<_>>() {
        let reply = cast.await.unwrap();
        match reply.status {
            202 => accepted += 1,
            _ => expect_unavailable(&reply),
        }
    }
    assert!(proxy.has_cut());
    let entries = service.entries().await;
    let ballots: HashSet<_> = entries.iter().map(|entry| entry.ballot.id).collect();
    assert_eq!((entries.len(), ballots.len()), (accepted, accepted), "each once");
    assert!((2..61).contains(&accepted), "some, and not all at once: {accepted}");
    let mut redis = redis_connection(&redis.url()).await;
    let counted: usize = redis.hget(service.keys.accepted(0), 1).await.unwrap();
    assert_eq!(counted, accepted, "the audit's count");
}

/// The servers here have the settings and the access list that are shipped.
#[tokio::test]
async fn ballots_that_wait_and_the_register_survive_a_killed_redis() {
    let mut redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    let all = cast_many(&service, 50).await;
    let voted = service.ballot("pets", &["cats"]).send().await;
    let cookie = voted.cookie().unwrap().to_owned();
    redis.kill();
    redis.restart().unwrap();
    service.become_ready().await;
    let mut kept = stored(&service).await;
    assert!(kept.remove(&acknowledged(&voted, &cookie)));
    assert_eq!(kept, all, "each acknowledged ballot, by name");
    let again = service.ballot("pets", &["dogs"]).cookie(cookie.as_str()).send().await;
    assert_eq!(
        (again.status, again.problem().as_str()),
        (409, "already-voted"),
        "{}",
        again.text()
    );
}

/// Commands of the register function, and one that it does not call.
const REFUSED_IN_TURN: [&str; 10] =
    ["hsetnx", "hset", "xadd", "hincrby", "hget", "sismember", "time", "xinfo", "fcall", "strlen"];

/// Redis rolls nothing back when it refuses a command in the middle of a script.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_registered_without_an_entry_whichever_command_redis_refuses() {
    let redis = own_redis();
    let replaced = Poll { vote_policy: VotePolicy::Replace, ..poll("songs") };
    let user = redis.url_at("producer", redis.port()).unwrap();
    let setup = Setup::on(redis.url()).polls([poll("pets"), replaced]);
    let service = setup.start_as(user).await;
    let mut operator = redis_connection(&redis.url()).await;
    for refused in REFUSED_IN_TURN {
        // A new voter of each poll, and one who changes a vote.
        let voted = service.ballot("songs", &["cats"]).send().await;
        let changing = voted.cookie().unwrap().to_owned();
        let page = service.client.get("/").send().await;
        let new = page.cookie().unwrap().to_owned();
        redis.command(&["ACL", "SETUSER", "producer", &format!("-{refused}")]).unwrap();
        let mut statuses = Vec::new();
        for (slug, choice, cookie) in
            [("songs", "dogs", &changing), ("pets", "cats", &new), ("songs", "cats", &new)]
        {
            let reply = service.ballot(slug, &[choice]).cookie(cookie.as_str()).send().await;
            assert!([202, 503].contains(&reply.status), "{refused}: {}", reply.text());
            statuses.push(reply.status);
        }
        redis.command(&["ACL", "SETUSER", "producer", &format!("+{refused}")]).unwrap();
        service.become_ready().await;
        if refused != "xinfo" {
            let is_called = !["sismember", "strlen"].contains(&refused);
            assert_eq!(statuses.contains(&503), is_called, "{refused}: {statuses:?}");
        }

        // Each register entry names an entry of a stream, and the count of accepted ballots is theirs.
        let entries = service.entries().await;
        let ids: HashSet<EntryId> = entries.iter().map(|entry| entry.id).collect();
        let buckets: Vec<String> = operator.keys("*:register:*").await.unwrap();
        let mut registered = 0;
        for bucket in buckets {
            let standing: Vec<String> = operator.hvals(&bucket).await.unwrap();
            registered += standing.len();
            for vote in standing {
                let entry: EntryId = vote.rsplit(' ').next().unwrap().parse().unwrap();
                assert!(ids.contains(&entry), "{refused}: `{vote}` has no entry");
            }
        }
        assert!(registered > 0, "{refused}: nobody is registered");
        // The voter who was asked to try again succeeds, or the first attempt stands.
        let again = service.ballot("pets", &["cats"]).cookie(new.as_str()).send().await;
        assert!([202, 409].contains(&again.status), "{refused}: {}", again.text());
        assert_eq!(service.standing("pets", &new).await, json!(["cats"]), "{refused}");
    }
}

/// The access list that lost every ballot: its default user is switched off, and may run nothing.
#[tokio::test]
async fn no_ballot_is_accepted_that_a_restart_of_redis_would_lose() {
    let redis = own_redis();
    redis.command(&["ACL", "SETUSER", "default", "reset"]).unwrap();
    let service = Setup::on(redis.url()).impatient().start().await;
    let closed = eventually(ANSWERED_WITHIN, async || match service.health.ready() {
        Err(gates) if gates.values().any(|why| why.contains("would lose ballots")) => Ok(gates),
        other => Err(format!("{other:?}")),
    });
    let why = format!("{:?}", closed.await);
    assert!(why.contains("user default off ~* &* +@all"), "{why}");
    expect_unavailable(&service.ballot("pets", &["cats"]).send().await);
    assert_eq!(service.entries().await.len(), 0);
    // The cure that the message names.
    redis.command(&["ACL", "SETUSER", "default", "off", "~*", "&*", "+@all"]).unwrap();
    service.become_ready().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
}

#[tokio::test]
async fn many_ballots_share_a_round_trip() {
    let redis = own_redis();
    let proxy = Proxy::to(&redis, Duration::from_millis(25)).await;
    let service = Setup::on(proxy.redis_url.clone()).partitions(1).start().await;
    let all = cast_many(&service, 400).await;
    assert_eq!(stored(&service).await, all);
    let calls = calls(&redis, "fcall");
    assert!(calls <= 40, "{calls} calls for 400 ballots");
    let mut redis = redis_connection(&redis.url()).await;
    let accepted: i64 = redis.hget(service.keys.accepted(0), 1).await.unwrap();
    assert_eq!(accepted, 400, "the audit's count");
}

#[tokio::test]
async fn a_replica_that_is_ready_needs_no_new_connection_to_store_a_ballot() {
    let redis = own_redis();
    let proxy = Proxy::to(&redis, Duration::ZERO).await;
    let service = Setup::on(proxy.redis_url.clone()).start().await;
    proxy.close();
    // Enough for each lane to have some.
    cast_many(&service, 50).await;
}

/// Whoever holds the producer's credential may append an entry under any number.
#[tokio::test]
async fn an_entry_with_a_huge_number_costs_no_voter_his_vote() {
    for seq in [1_u64 << 53, i64::MAX as u64, u64::MAX] {
        let redis = own_redis();
        let service = Setup::on(redis.url()).partitions(1).start().await;
        let far = format!("{}-{seq}", now_ms() + 600_000);
        redis.command(&["XADD", &service.keys.stream(0), &far, "x", "y"]).unwrap();
        let all = cast_many(&service, 20).await;
        redis.command(&["XDEL", &service.keys.stream(0), &far]).unwrap();
        assert_eq!(stored(&service).await, all, "{seq}");
    }
}

/// A network that recovers delivers the packets sent before it stood still, unless the sender has reset the
/// connection; a late ballot would replace a newer one.
#[tokio::test]
async fn a_ballot_that_was_answered_503_is_not_sent_later() {
    let redis = own_redis();
    let proxy = Proxy::to(&redis, Duration::ZERO).await;
    let service = Setup::on(proxy.redis_url.clone()).start().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
    proxy.swallow();
    expect_unavailable(&service.ballot("pets", &["dogs"]).send().await);
    eventually(ANSWERED_WITHIN, async || proxy.resets() > 0).await;
}

#[tokio::test]
async fn a_redis_that_became_a_replica_takes_no_ballot_and_is_found_again() {
    let (redis, master) = (own_redis(), own_redis());
    master.command(&["CONFIG", "SET", "requirepass", "unknown"]).unwrap();
    let service = Setup::on(redis.url()).start().await;
    let mut all = cast_many(&service, 10).await;
    redis.command(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).unwrap();
    let refused = service.ballot("pets", &["cats"]).send().await;
    expect_unavailable(&refused);
    redis.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    let retried = eventually(ANSWERED_WITHIN, async || {
        let reply = service.ballot("pets", &["cats"]).cookie(refused.cookie()).send().await;
        (reply.status == 202).then_some(reply)
    });
    all.insert(acknowledged(&retried.await, refused.cookie().unwrap()));
    assert_eq!(stored(&service).await, all);
}

#[tokio::test]
async fn a_redis_without_memory_left_takes_no_ballot_until_it_has_some() {
    let redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    let mut all = cast_many(&service, 10).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let refused = service.ballot("pets", &["cats"]).send().await;
    expect_unavailable(&refused);
    assert!(!refused.text().contains("OOM"), "Redis' own words are not for strangers");
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    let retried = service.ballot("pets", &["cats"]).cookie(refused.cookie()).send().await;
    all.insert(acknowledged(&retried, refused.cookie().unwrap()));
    assert_eq!(stored(&service).await, all);
}

#[tokio::test]
async fn acknowledged_ballots_outlive_a_redis_that_is_killed() {
    let mut redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    let mut all = cast_many(&service, 50).await;
    redis.kill();
    let away = service.ballot("pets", &["cats"]).send().await;
    expect_unavailable(&away);
    assert!(away.cookie().is_some(), "the voter may try again as the same voter");
    assert_eq!(service.client.get("/").send().await.status, 200, "the page is still shown");
    redis.restart().unwrap();
    let retried = eventually(ANSWERED_WITHIN, async || {
        let reply = service.ballot("pets", &["cats"]).cookie(away.cookie()).send().await;
        (reply.status == 202).then_some(reply)
    });
    all.insert(acknowledged(&retried.await, away.cookie().unwrap()));
    assert_eq!(stored(&service).await, all);
}

#[tokio::test]
async fn ballots_cast_while_redis_is_killed_are_stored_when_acknowledged() {
    let mut redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    let casts: Vec<_> =
        (0..100).map(|_| tokio::spawn(service.ballot("pets", &["cats"]).send())).collect();
    eventually(ANSWERED_WITHIN, async || {
        let lengths = redis.command(&["XLEN", &service.keys.stream(0)]).unwrap();
        lengths.trim() != "0"
    })
    .await;
    redis.kill();
    redis.restart().unwrap();
    let mut all = HashSet::new();
    for cast in casts {
        let reply = cast.await.unwrap();
        match reply.status {
            202 => drop(all.insert(acknowledged(&reply, reply.cookie().unwrap()))),
            _ => expect_unavailable(&reply),
        }
    }
    let stored = stored(&service).await;
    assert!(all.is_subset(&stored), "an acknowledged one is lost");
    let voters: HashSet<_> = stored.iter().map(|(voter, _)| voter).collect();
    assert_eq!(voters.len(), stored.len(), "a ballot is stored twice");
}

#[tokio::test]
async fn a_redis_that_does_not_answer_costs_a_ballot_nothing_but_time() {
    let mut redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
    redis.freeze();
    let cast = service.ballot("pets", &["dogs"]).send();
    let unknown = tokio::time::timeout(ANSWERED_WITHIN, cast).await.expect("an answer in time");
    expect_unavailable(&unknown);
    redis.thaw();
    let cookie = unknown.cookie().expect("the cookie to try again with");
    let again = eventually(ANSWERED_WITHIN, async || {
        let reply = service.ballot("pets", &["dogs"]).cookie(cookie).send().await;
        (reply.status != 503).then_some(reply)
    });
    let again = again.await;
    assert!(again.status == 202 || again.problem() == "already-voted", "{}", again.text());
    assert_eq!(service.standing("pets", cookie).await, json!(["dogs"]));
    assert_eq!(service.entries().await.len(), 2);
}

#[tokio::test]
async fn before_redis_was_ever_reached_nothing_is_said_of_any_poll() {
    let mut redis = own_redis();
    let setup = Setup::on(redis.url());
    let ready = setup.clone().start().await;
    assert!(ready.stop().await);
    redis.freeze();
    let service = setup.impatient().join().await;
    redis.thaw();
    service.become_ready().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
}

#[tokio::test]
async fn without_any_poll_the_service_asks_for_patience() {
    let service = Setup::new().polls([]).start().await;
    expect_unavailable(&service.ballot("pets", &["cats"]).send().await);
    expect_unavailable(&service.client.get("/api/polls/pets").send().await);
    assert_eq!(service.client.get("/").send().await.status, 503);
    assert_eq!(service.client.post("/").form("vote=a").send().await.status, 503);
}

#[tokio::test]
async fn a_full_backlog_refuses_until_there_is_room() {
    let setup = Setup::new().partitions(1).flag("backlog-max", "3");
    let service = setup.start().await;
    for _ in 0..3 {
        entry_of(&service.ballot("pets", &["cats"]).send().await);
    }
    let refused = service.ballot("pets", &["cats"]).send().await;
    expect_unavailable(&refused);
    assert_eq!(refused.header("retry-after"), Some("5"));
    let entries = service.entries().await;
    assert_eq!(entries.len(), 3);
    let mut redis = service.redis().await;
    let stream = service.keys.stream(0);
    let _: i64 = redis.xdel(stream, &[entries[0].id.to_string()]).await.unwrap();
    let reply = service.ballot("pets", &["cats"]).cookie(refused.cookie()).send().await;
    assert_eq!(reply.status, 202, "the same voter, once there is room");
}

#[tokio::test]
async fn a_poll_whose_rules_redis_has_lost_is_being_set_up() {
    let service = Setup::new().without_rules().start().await;
    let refused = service.ballot("pets", &["cats"]).send().await;
    expect_unavailable(&refused);
    let form = service.client.post("/").form("vote=a").send().await;
    assert_eq!(form.status, 503);
    service.setup.clone().with_rules().project(&service.keys).await;
    let reply = service.ballot("pets", &["cats"]).cookie(refused.cookie()).send().await;
    assert_eq!(reply.status, 202, "once the rules are there again");
}

#[tokio::test]
async fn a_stopping_service_answers_what_it_has_begun() {
    let service = Setup::new().start().await;
    let mut connection = service.client.connect().await;
    let request = service.ballot("pets", &["cats"]).bytes();
    let (begun, rest) = request.split_at(request.len() - 5);
    connection.write_all(begun).await.unwrap();
    // Until the head was read, there is nothing begun.
    eventually(ANSWERED_WITHIN, async || {
        entry_of(&service.ballot("pets", &["cats"]).send().await).ms > 0
    })
    .await;
    service.shutdown.cancel();
    connection.write_all(rest).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert_eq!(service.entries().await.len(), 2);
    assert!(service.stop().await, "drained in time");
}

/// Sends a page view over a connection that stays open, and reads the head of its reply.
async fn page_view(connection: &mut TcpStream) -> String {
    connection.write_all(b"GET /healthz-of-nobody HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut reply = vec![0; 16 * 1024];
    let read = connection.read(&mut reply).await.unwrap();
    String::from_utf8_lossy(&reply[..read]).to_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_in_use_is_answered_once_more_when_the_service_stops_and_an_idle_one_is_closed()
 {
    let service = Setup::new().start().await;
    let (mut used, mut idle) = (service.client.connect().await, service.client.connect().await);
    for connection in [&mut used, &mut idle] {
        let reply = page_view(connection).await;
        assert!(
            reply.starts_with("http/1.1 404") && !reply.contains("connection: close"),
            "{reply}"
        );
    }
    service.shutdown.cancel();
    // Its client sends the next request before it can know that the service stops.
    tokio::time::sleep(IDLE_GRACE / 4).await;
    let reply = page_view(&mut used).await;
    assert!(reply.starts_with("http/1.1 404") && reply.contains("connection: close"), "{reply}");
    let mut rest = Vec::new();
    used.read_to_end(&mut rest).await.unwrap();
    let closed = tokio::time::timeout(4 * IDLE_GRACE, idle.read_to_end(&mut rest)).await;
    closed.expect("an idle connection does not hold up the stop").unwrap();
    assert!(service.stop().await, "drained in time");
}
