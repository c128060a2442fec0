//! Challenges that new voters have to solve: proof of work here, another service and the page below.

mod page;
mod siteverify;

use redis::AsyncCommands;
use serde_json::{Value, json};
use testkit::http::{Reply, Request};
use votestream_schema::Poll;
use votestream_schema::poll::{VotePolicy, VoterPolicy, now_ms};
use votestream_schema::submission::work::Challenge;

use super::super::harness::{Service, Setup, poll};

/// A service that asks for a cheap proof of work.
fn challenging(mode: &str) -> Setup {
    let setup = Setup::new().flag("challenge", mode).flag("challenge-work-hashes", "100");
    setup.flag("trusted-proxies", "127.0.0.0/8")
}

/// The challenge of a refused ballot.
fn challenge_in(reply: &Reply) -> Value {
    assert_eq!((reply.status, reply.problem().as_str()), (403, "challenge-required"));
    reply.json()["challenge"].clone()
}

/// The solution of the proof of work that a refused ballot got.
fn solution_of(reply: &Reply) -> String {
    let work = challenge_in(reply);
    assert_eq!(work["kind"], "work", "{work}");
    let text = work["text"].as_str().unwrap().to_owned();
    let hashes = u32::try_from(work["hashes"].as_u64().unwrap()).unwrap();
    let challenge = Challenge { text, hashes };
    assert_eq!(work["below"], json!(challenge.below()));
    let seed: String = challenge.seed().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(work["seed"], json!(seed));
    challenge.solve()
}

/// A ballot with a solution.
fn solved(service: &Service, slug: &str, choice: &str, solution: &str) -> Request {
    let body = json!({ "choices": [choice], "solution": solution });
    service.client.post(&format!("/api/polls/{slug}/ballots")).json(&body)
}

#[tokio::test]
async fn with_always_a_new_voter_solves_a_challenge_first_and_one_who_has_voted_is_not_asked() {
    let replace = Poll { vote_policy: VotePolicy::Replace, ..poll("songs") };
    let codes = Poll { voter_policy: VoterPolicy::Code, ..poll("codes") };
    let setup = challenging("always").polls([poll("pets"), replace, codes]);
    let service = setup.start().await;
    for slug in ["pets", "songs"] {
        let asked = service.ballot(slug, &["cats"]).send().await;
        let cookie = asked.cookie().expect("it names the voter").to_owned();
        let solution = solution_of(&asked);
        let send = || solved(&service, slug, "cats", &solution).cookie(cookie.as_str()).send();
        assert_eq!(send().await.status, 202);
        // Whoever has voted is never asked, and reads what becomes of any further ballot.
        let again = service.ballot(slug, &["dogs"]).cookie(cookie.as_str()).send().await;
        assert_eq!(again.status, if slug == "pets" { 409 } else { 202 });
        assert_eq!(send().await.status, if slug == "pets" { 409 } else { 202 });
    }
    assert_eq!(service.ballot("codes", &["cats"]).send().await.problem(), "bad-code");
    assert_eq!(service.entries().await.len(), 4);
    let metrics = service.metrics.render();
    for outcome in ["asked", "solved"] {
        let line = format!("votestream_challenges_total{{outcome=\"{outcome}\"}}");
        let value = metrics.lines().find_map(|it| it.strip_prefix(line.as_str())).unwrap();
        assert!(value.trim().parse::<f64>().unwrap() >= 2.0, "{line} {value}");
    }
}

#[tokio::test]
async fn every_way_to_name_a_voter_answers_a_challenge() {
    let service = challenging("always").start().await;
    // The key of a program.
    let key = "\"6d0e2f43a8d14bb7b0d4f0c6f2a1e913\"";
    let keyed = |request: Request| request.header("idempotency-key", key).send();
    let solution = solution_of(&keyed(service.ballot("pets", &["cats"])).await);
    assert_eq!(keyed(solved(&service, "pets", "cats", &solution)).await.status, 202);
    assert_eq!(keyed(service.ballot("pets", &["cats"])).await.status, 202, "the same ballot");
    // The token of a page.
    let page = service.client.get("/api/polls/pets").send().await;
    let token = page.json()["token"].as_str().unwrap().to_owned();
    let post = |body: &Value| service.client.post("/api/polls/pets/ballots").json(body).send();
    let solution = solution_of(&post(&json!({ "choices": ["cats"], "token": token })).await);
    let body = json!({ "choices": ["cats"], "token": token, "solution": solution });
    assert_eq!(post(&body).await.status, 202);
    // A form.
    let asked = service.ballot("pets", &["dogs"]).send().await;
    let form = format!("vote=dogs&solution={}", solution_of(&asked));
    let form = service.client.post("/").form(form).cookie(asked.cookie()).send().await;
    assert_eq!(form.status, 303);
    assert_eq!(service.entries().await.len(), 3);
}

#[tokio::test]
async fn a_solution_serves_one_voter_in_one_poll() {
    let setup = challenging("always").polls([poll("pets"), poll("songs")]);
    let service = setup.start().await;
    let asked = service.ballot("pets", &["cats"]).send().await;
    let cookie = asked.cookie().unwrap().to_owned();
    let solution = solution_of(&asked);
    let another = service.ballot("pets", &["cats"]).send().await;
    let (text, _) = solution.rsplit_once('.').unwrap();
    let rubbish = format!("{text}.0-0-0-0-0-0-0-0-0-0-0-0-0-0-0-0");
    for (slug, cookie, solution, why) in [
        ("pets", another.cookie().unwrap(), solution.as_str(), "belongs to another voter"),
        ("songs", cookie.as_str(), solution.as_str(), "another poll"),
        ("pets", cookie.as_str(), rubbish.as_str(), "it is wrong"),
        ("pets", cookie.as_str(), "w1.", "malformed"),
        ("pets", cookie.as_str(), "0x4AAAAAAA", "malformed"),
    ] {
        let reply = solved(&service, slug, "cats", solution).cookie(cookie).send().await;
        challenge_in(&reply);
        assert!(reply.json()["detail"].as_str().unwrap().contains(why), "{}", reply.text());
    }
    // Many clients send the same solution: one vote.
    for _ in 0..3 {
        let reply = solved(&service, "pets", "cats", &solution).send().await;
        challenge_in(&reply);
    }
    let own = solved(&service, "pets", "cats", &solution).cookie(cookie.as_str());
    assert_eq!(own.send().await.status, 202);
    assert_eq!(service.entries().await.len(), 1);
}

#[tokio::test]
async fn a_challenge_of_one_replica_is_accepted_by_another_with_another_cost() {
    let first = challenging("always").start().await;
    let second = first.setup.clone().replaced("challenge-work-hashes", "5000");
    let second = second.join().await;
    let asked = first.ballot("pets", &["cats"]).send().await;
    let send = solved(&second, "pets", "cats", &solution_of(&asked)).cookie(asked.cookie());
    assert_eq!(send.send().await.status, 202);
}

#[tokio::test]
async fn off_asks_nobody_and_ignores_a_solution() {
    let service = Setup::new().start().await;
    assert_eq!(solved(&service, "pets", "cats", "w1.rubbish").send().await.status, 202);
    assert_eq!(service.ballot("pets", &["cats"]).send().await.status, 202);
}

/// Casts one ballot from an address; whether it was accepted without a challenge.
async fn is_let_in(service: &Service, address: &str) -> bool {
    let ballot = service.ballot("pets", &["cats"]).header("x-forwarded-for", address);
    let reply = ballot.send().await;
    if reply.status != 202 {
        challenge_in(&reply);
    }
    reply.status == 202
}

/// Casts so many ballots, fifty at a time, over all services in turn; the number that needed no challenge.
async fn let_in(services: &[&Service], voters: usize, address: impl Fn(usize) -> String) -> usize {
    let mut unchallenged = 0;
    for some in (0..voters).collect::<Vec<_>>().chunks(50) {
        let casts = some.iter().map(|voter| {
            let address = address(*voter);
            let service = services[voter % services.len()];
            async move { is_let_in(service, &address).await }
        });
        let outcomes = futures_util::future::join_all(casts).await;
        unchallenged += outcomes.into_iter().filter(|is_let_in| *is_let_in).count();
    }
    unchallenged
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_asks_a_network_beyond_its_usual_rate_alike_on_all_replicas() {
    let setup = challenging("auto").flag("challenge-network-usual", "100/1");
    let first = setup.start().await;
    let second = first.setup.clone().join().await;
    let both = [&first, &second];
    let from = |address: &'static str| move |_| address.to_owned();
    let unchallenged = let_in(&both, 300, from("203.0.113.1")).await;
    assert!((100..=120).contains(&unchallenged), "{unchallenged} of two replicas");
    let unchallenged = let_in(&[&first], 300, from("198.51.100.1")).await;
    assert!((100..=120).contains(&unchallenged), "{unchallenged} of one replica");
    // Whoever solves the challenge votes, and others are not affected.
    let from_first = |request: Request| request.header("x-forwarded-for", "203.0.113.1");
    let asked = from_first(second.ballot("pets", &["cats"])).send().await;
    let solution = solution_of(&asked);
    let send = from_first(solved(&first, "pets", "cats", &solution)).cookie(asked.cookie());
    assert_eq!(send.send().await.status, 202);
    assert!(is_let_in(&second, "192.0.2.1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_asks_everybody_while_the_poll_exceeds_its_usual_rate() {
    let setup = challenging("auto").flag("challenge-poll-usual", "100/1");
    let first = setup.start().await;
    let second = first.setup.clone().join().await;
    // Each comes from a network of its own.
    let unchallenged =
        let_in(&[&first, &second], 300, |voter| format!("10.{}.{}.1", voter % 7, voter / 7)).await;
    assert!((100..=120).contains(&unchallenged), "{unchallenged} of two replicas");
}

/// Votes as the page does: solves the challenge if one is asked for.
async fn votes(service: &Service) -> (bool, u16) {
    let from = |request: Request| request.header("x-forwarded-for", "203.0.113.1");
    let reply = from(service.ballot("pets", &["cats"])).send().await;
    if reply.status == 202 {
        return (false, 202);
    }
    let cookie = reply.cookie().unwrap().to_owned();
    let send = solved(service, "pets", "cats", &solution_of(&reply)).cookie(cookie.as_str());
    (true, from(send).send().await.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hall_of_2000_behind_one_address_votes_under_auto_and_no_ballot_fails() {
    // As shipped, apart from the cost of a solution.
    let service = challenging("auto").start().await;
    let mut asked = 0;
    for _ in 0..40 {
        let outcomes = futures_util::future::join_all((0..50).map(|_| votes(&service))).await;
        for (was_asked, status) in outcomes {
            assert_eq!(status, 202);
            asked += usize::from(was_asked);
        }
    }
    assert!((1_600..=1_800).contains(&asked), "{asked} were asked");
    assert_eq!(service.entries().await.len(), 2_000);
}

#[tokio::test]
async fn without_redis_nobody_is_let_in_unchallenged_and_who_has_voted_is_not_asked() {
    let service = challenging("auto").flag("challenge-network-usual", "3/1").start().await;
    let from = |request: Request| request.header("x-forwarded-for", "203.0.113.1").send();
    let first = from(service.ballot("pets", &["cats"])).await;
    assert_eq!(first.status, 202);
    let mut redis = service.redis().await;
    for partition in 0..service.setup.partitions {
        let key = service.keys.unchallenged(partition, service.poll("pets").id);
        let _: () = redis.set(key, "no hash").await.unwrap();
    }
    challenge_in(
        &service.ballot("pets", &["cats"]).header("x-forwarded-for", "198.51.100.1").send().await,
    );
    let again = from(service.ballot("pets", &["dogs"]).cookie(first.cookie())).await;
    assert_eq!(again.problem(), "already-voted");
}

#[tokio::test]
async fn a_form_without_javascript_reads_what_to_do() {
    let always = challenging("always").start().await;
    let page = always.client.get("/").send().await;
    assert!(page.text().contains("<noscript><p id=\"needs-script\""), "{}", page.text());
    let refused = always.client.post("/").form("vote=cats").send().await;
    assert_eq!(refused.status, 403);
    let text = refused.text();
    assert!(
        text.contains("Your vote is not stored.") && text.contains("needs JavaScript"),
        "{text}"
    );
    assert!(!text.contains("in a few minutes"), "{text}");
    let auto = challenging("auto").flag("challenge-network-usual", "1/1").start().await;
    assert!(!auto.client.get("/").send().await.text().contains("needs-script"));
    let post = || auto.client.post("/").form("vote=cats").header("x-forwarded-for", "203.0.113.1");
    assert_eq!(post().send().await.status, 303);
    let text = post().send().await.text();
    assert!(text.contains("Without JavaScript, try again in a few minutes."), "{text}");
}

#[tokio::test]
async fn a_closed_poll_asks_nobody_to_calculate() {
    let closed = Poll { closes_at_ms: Some(now_ms() - 1_000), ..poll("pets") };
    let service = challenging("always").polls([closed]).start().await;
    assert_eq!(service.ballot("pets", &["cats"]).send().await.problem(), "not-open");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_tester_solves_the_proof_of_work() {
    let service = challenging("always").polls([poll("pets")]).start().await;
    let target = format!("http://{}", service.client.address);
    let load = ["run", "--target", &target, "--poll", "pets", "--rate", "20", "--duration", "1s"];
    let more = ["--warm-up", "0s", "--no-audit", "--quiet"];
    let mut command = std::process::Command::new(testkit::binary("loadtest"));
    command.args(load).args(more);
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("20 solved with 100 hashes"), "{said}");
    assert_eq!(service.entries().await.len(), 20);
}
