//! Limits of new voters: of one address and of the networks around it, in each poll, whatever the number of replicas.

use std::collections::HashMap;

use redis::AsyncCommands;
use serde_json::json;
use testkit::http::{Reply, Request};
use testkit::{eventually, own_redis};
use votestream_schema::Poll;
use votestream_schema::poll::network::{NetworkHash, NetworkRecord};
use votestream_schema::poll::network_limit::NetworkLimit;
use votestream_schema::poll::{VotePolicy, VoterPolicy, now_ms};

use super::super::harness::{Service, Setup, poll};

/// A service behind a proxy, with this limit for a single address.
fn limited(at_once: u32, per_minute: u32) -> Setup {
    let setup = Setup::new().flag("trusted-proxies", "127.0.0.0/8");
    let setup = setup.flag("new-voters-at-once", &at_once.to_string());
    setup.flag("new-voters-per-minute", &per_minute.to_string())
}

fn from(request: Request, address: &str) -> Request {
    request.header("x-forwarded-for", address)
}

async fn cast(service: &Service, slug: &str, address: &str) -> Reply {
    from(service.ballot(slug, &["cats"]), address).send().await
}

/// Casts ballots of so many new voters, a hundred at a time; the numbers of those accepted and refused.
async fn rush(services: &[&Service], voters: usize, address: &str) -> (usize, usize) {
    let (mut accepted, mut refused) = (0, 0);
    let mut left: Vec<Request> = (0..voters)
        .map(|voter| from(services[voter % services.len()].ballot("pets", &["cats"]), address))
        .collect();
    while !left.is_empty() {
        let some = left.split_off(left.len().saturating_sub(100));
        let casts: Vec<_> = some.into_iter().map(|request| tokio::spawn(request.send())).collect();
        for cast in casts {
            let reply = cast.await.unwrap();
            match reply.status {
                202 => accepted += 1,
                _ => {
                    assert_eq!(reply.problem(), "too-many-new-voters", "{}", reply.text());
                    refused += 1;
                }
            }
        }
    }
    (accepted, refused)
}

/// What Redis knows of the networks of the poll `pets`.
async fn records(service: &Service) -> HashMap<NetworkHash, NetworkRecord> {
    let mut redis = service.redis().await;
    let mut found = HashMap::new();
    for partition in 0..service.setup.partitions {
        let key = service.keys.networks(partition, service.poll("pets").id);
        let part: HashMap<String, String> = redis.hgetall(key).await.unwrap();
        found.extend(part.iter().map(|(name, value)| {
            (name.parse::<NetworkHash>().unwrap(), NetworkRecord::read(value).unwrap())
        }));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hall_of_2000_behind_one_address_votes_at_once_and_then_it_is_asked_to_wait() {
    // As shipped, apart from the rate afterwards, which would blur the number.
    let setup = Setup::new().flag("trusted-proxies", "127.0.0.0/8");
    let service = setup.flag("new-voters-per-minute", "1").start().await;
    assert_eq!(rush(&[&service], 2_000, "203.0.113.1").await, (2_000, 0));
    let (more, refused) = rush(&[&service], 400, "203.0.113.1").await;
    assert!(more <= 60 && refused >= 340, "{more} more, {refused} refused");
    assert_eq!(rush(&[&service], 50, "203.0.113.2").await, (50, 0), "another address");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_is_the_same_within_a_fifth_whatever_the_number_of_replicas() {
    let first = limited(300, 1).start().await;
    let mut others = Vec::new();
    for _ in 0..9 {
        others.push(first.setup.clone().join().await);
    }
    let all: Vec<&Service> = std::iter::once(&first).chain(&others).collect();
    let (accepted, _) = rush(&all, 700, "203.0.113.1").await;
    assert!((300..=360).contains(&accepted), "{accepted} of ten replicas");
    let (accepted, _) = rush(&[&first], 700, "198.51.100.1").await;
    assert!((300..=360).contains(&accepted), "{accepted} of one replica");
}

#[tokio::test]
async fn a_network_over_its_limit_reads_what_happened_and_when_to_come_back() {
    let service = limited(3, 6).start().await;
    for host in ["203.0.113.1", "203.0.113.1:4100", "203.0.113.1"] {
        assert_eq!(cast(&service, "pets", host).await.status, 202);
    }
    let refused = cast(&service, "pets", "203.0.113.1").await;
    assert_eq!((refused.status, refused.problem().as_str()), (429, "too-many-new-voters"));
    let seconds: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((8..=10).contains(&seconds), "one voter in ten seconds: {seconds}");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("your network") && detail.contains(&format!("{seconds} s")),
        "{detail}"
    );
    let next = cast(&service, "pets", "203.0.113.1").await;
    assert!(
        next.header("retry-after").unwrap().parse::<u32>().unwrap() > seconds + 5,
        "a later place"
    );
    let form = from(service.client.post("/").form("vote=cats"), "203.0.113.1").send().await;
    assert_eq!(form.status, 429);
    assert!(form.text().contains("very many new voters come from your network"), "{}", form.text());
    assert!(form.text().contains("next one in about") && form.text().contains(" s."));
    // Other networks and those who connect from this machine are not affected.
    assert_eq!(cast(&service, "pets", "203.0.114.1").await.status, 202);
    for _ in 0..5 {
        assert_eq!(service.ballot("pets", &["cats"]).send().await.status, 202, "loopback");
    }
    let invented = cast(&service, "pets", "198.51.100.1, 203.0.113.1").await;
    assert_eq!(invented.status, 429, "the left of the list may be invented");
}

#[tokio::test]
async fn looking_at_pages_costs_a_network_nothing() {
    let service = limited(3, 1).start().await;
    for _ in 0..40 {
        for request in [service.client.get("/"), service.client.request("HEAD", "/")] {
            assert!(from(request, "203.0.113.1").send().await.cookie().is_some());
        }
        from(service.client.get("/api/polls/pets"), "203.0.113.1").send().await;
    }
    for _ in 0..3 {
        assert_eq!(cast(&service, "pets", "203.0.113.1").await.status, 202);
    }
    // A cookie that was made before is a new voter, too.
    let page = from(service.client.get("/"), "198.51.100.1").send().await;
    let late = service.ballot("pets", &["cats"]).cookie(page.cookie());
    assert_eq!(from(late, "203.0.113.1").send().await.status, 429);
}

#[tokio::test]
async fn whoever_has_voted_is_never_refused_and_costs_nothing_again() {
    let replace = Poll { vote_policy: VotePolicy::Replace, ..poll("songs") };
    let service = limited(3, 1).polls([poll("pets"), replace]).start().await;
    let first = cast(&service, "pets", "203.0.113.1").await;
    let cookie = first.cookie().unwrap().to_owned();
    let again = |slug: &'static str, choice: &'static str| {
        from(service.ballot(slug, &[choice]).cookie(cookie.as_str()), "203.0.113.1").send()
    };
    for _ in 0..10 {
        assert_eq!(again("pets", "dogs").await.problem(), "already-voted");
    }
    let keyed = || {
        let key = "\"6d0e2f43a8d14bb7b0d4f0c6f2a1e913\"";
        let ballot = service.ballot("pets", &["cats"]).header("idempotency-key", key);
        from(ballot, "203.0.113.1").send()
    };
    for _ in 0..5 {
        assert_eq!(keyed().await.status, 202, "the same ballot");
    }
    // Two of three are used. Refused ballots cost nothing, and the third is still there.
    for _ in 0..5 {
        let refused = from(service.ballot("pets", &["birds"]), "203.0.113.1").send().await;
        assert_eq!(refused.problem(), "invalid-choice");
    }
    assert_eq!(cast(&service, "pets", "203.0.113.1").await.status, 202);
    assert_eq!(cast(&service, "pets", "203.0.113.1").await.status, 429);
    assert_eq!(again("pets", "dogs").await.problem(), "already-voted");
    assert_eq!(keyed().await.status, 202);
    // Another poll has limits of its own, and changing a vote is free.
    for choice in ["cats", "dogs", "cats", "dogs", "cats", "dogs"] {
        assert_eq!(again("songs", choice).await.status, 202);
    }
    for _ in 0..2 {
        assert_eq!(cast(&service, "songs", "203.0.113.1").await.status, 202);
    }
    assert_eq!(cast(&service, "songs", "203.0.113.1").await.status, 429);
    assert_eq!(again("songs", "cats").await.status, 202);
}

#[tokio::test]
async fn a_poll_that_takes_no_ballot_costs_nothing() {
    let later = Poll { opens_at_ms: Some(now_ms() + 600_000), ..poll("pets") };
    let service = limited(2, 1).polls([later]).start().await;
    for _ in 0..5 {
        assert_eq!(cast(&service, "pets", "203.0.113.1").await.problem(), "not-open");
    }
}

#[tokio::test]
async fn the_limits_of_networks_lie_one_in_the_other() {
    let service = limited(2, 1).start().await;
    let service = &service;
    let accepted = async |addresses: &[&str]| {
        let mut accepted = 0;
        for address in addresses {
            for _ in 0..3 {
                accepted += usize::from(cast(service, "pets", address).await.status == 202);
            }
        }
        accepted
    };
    // A /24 has four times the limit of an address.
    let hosts = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5"];
    assert_eq!(accepted(&hosts[..4]).await, 8);
    assert_eq!(accepted(&hosts[4..]).await, 0);
    assert_eq!(accepted(&["203.0.114.5"]).await, 2);
    // An IPv6 /56 has twice that of a /64, and a /48 four times.
    assert_eq!(accepted(&["2001:db8:1:1::1", "2001:db8:1:1::2"]).await, 2, "one /64");
    assert_eq!(accepted(&["2001:db8:1:2::1", "2001:db8:1:3::1"]).await, 2, "one /56");
    assert_eq!(accepted(&["2001:db8:1:101::1", "2001:db8:1:102::1", "2001:db8:1:103::1"]).await, 4);
    assert_eq!(accepted(&["2001:db8:1:201::1"]).await, 0, "the whole /48");
    assert_eq!(accepted(&["[2001:db8:2:201::1]:443"]).await, 2);
}

#[tokio::test]
async fn a_poll_may_have_a_limit_of_its_own_or_none() {
    let limit = |limit| Poll { network_limit: Some(limit), ..poll("pets") };
    let none = Poll { slug: "open".parse().unwrap(), ..limit(NetworkLimit::Off) };
    let codes = Poll { voter_policy: VoterPolicy::Code, ..poll("codes") };
    let own = limit(NetworkLimit::new(1, 1).unwrap());
    let service = limited(3, 1).polls([own, none, codes]).start().await;
    assert_eq!(cast(&service, "pets", "203.0.113.1").await.status, 202);
    assert_eq!(cast(&service, "pets", "203.0.113.1").await.status, 429);
    for _ in 0..8 {
        assert_eq!(cast(&service, "open", "203.0.113.1").await.status, 202);
        assert_eq!(cast(&service, "codes", "203.0.113.1").await.problem(), "bad-code");
    }
    let unlimited = limited(1, 0).start().await;
    for _ in 0..5 {
        assert_eq!(cast(&unlimited, "pets", "203.0.113.1").await.status, 202);
    }
}

/// Redis has names and numbers of networks that bring many, no addresses, and learns them from the shipped user.
#[tokio::test(flavor = "multi_thread")]
async fn redis_counts_busy_networks_under_keyed_names() {
    let redis = own_redis();
    let user = redis.url_at("producer", redis.port()).unwrap();
    let setup = Setup::on(redis.url()).flag("trusted-proxies", "127.0.0.0/8");
    let setup = setup.flag("new-voters-at-once", "20").flag("new-voters-per-minute", "1");
    let begun_ms = now_ms();
    let service = setup.start_as(user).await;
    assert_eq!(rush(&[&service], 25, "203.0.113.9").await, (20, 5));
    eventually(std::time::Duration::from_secs(10), async || {
        let records = records(&service).await;
        records.len() == 2 && records.values().all(|record| record.voters == 20)
    })
    .await;
    for (name, NetworkRecord { first_ms, last_ms, .. }) in records(&service).await {
        assert!(["4/32", "4/24"].contains(&name.level.as_str()), "{name}");
        assert!(!name.to_string().contains("203.0.113"), "{name}");
        assert!(begun_ms <= first_ms + 1_000 && first_ms <= last_ms && last_ms <= now_ms() + 1_000);
    }
    assert!(service.metrics.render().contains("votestream_new_voters_total{network=\"busy\"}"));
}

#[tokio::test]
async fn what_a_replica_took_and_did_not_use_is_given_back_when_it_stops() {
    let first = limited(200, 1).start().await;
    let second = first.setup.clone().join().await;
    // It takes a few more than it needs.
    for _ in 0..3 {
        assert_eq!(cast(&first, "pets", "203.0.113.1").await.status, 202);
    }
    first.stop().await;
    let (accepted, _) = rush(&[&second], 300, "203.0.113.1").await;
    assert!(accepted >= 197, "{accepted}");
}

#[tokio::test]
async fn a_limit_that_cannot_be_read_lets_nobody_new_in_and_refuses_no_voter() {
    let service = limited(3, 1).start().await;
    let first = cast(&service, "pets", "203.0.113.1").await;
    let cookie = first.cookie().unwrap().to_owned();
    let mut redis = service.redis().await;
    for partition in 0..service.setup.partitions {
        let key = service.keys.networks(partition, service.poll("pets").id);
        let _: () = redis.set(key, "no hash").await.unwrap();
    }
    let unknown = cast(&service, "pets", "198.51.100.1").await;
    assert_eq!((unknown.status, unknown.problem().as_str()), (503, "unavailable"));
    assert!(unknown.header("retry-after").is_some());
    let again = from(service.ballot("pets", &["dogs"]).cookie(cookie.as_str()), "198.51.100.1");
    assert_eq!(again.send().await.json()["choices"], json!(["cats"]));
}
