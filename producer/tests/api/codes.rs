//! Polls with one-time voting codes.

use redis::AsyncCommands;
use serde_json::json;
use votestream_schema::Poll;
use votestream_schema::code::Code;
use votestream_schema::poll::{VotePolicy, VoterPolicy};

use crate::harness::{Service, Setup, poll};
use testkit::http::{Reply, Request};

/// A service with a poll `pets` that takes codes, and this many of them.
async fn start(vote_policy: VotePolicy, codes: usize) -> (Service, Vec<Code>) {
    let code_poll = Poll { voter_policy: VoterPolicy::Code, vote_policy, ..poll("pets") };
    let service = Setup::new().polls([code_poll]).start().await;
    let codes: Vec<Code> = (0..codes).map(|_| Code::generate()).collect();
    let mut redis = service.redis().await;
    let poll = service.poll("pets").id;
    for code in &codes {
        let voter = code.voter(poll);
        let key = service.keys.codes(voter.partition(service.setup.partitions), poll);
        let _: i64 = redis.sadd(key, voter.0.as_bytes().as_slice()).await.unwrap();
    }
    (service, codes)
}

fn cast(service: &Service, choice: &str, code: &str) -> Request {
    let body = json!({ "choices": [choice], "code": code });
    service.client.post("/api/polls/pets/ballots").json(&body)
}

fn outcome(reply: &Reply) -> (u16, String) {
    (reply.status, reply.problem())
}

#[tokio::test]
async fn a_code_counts_once_on_whatever_device() {
    let (service, codes) = start(VotePolicy::KeepFirst, 2).await;
    let first = cast(&service, "cats", &codes[0].printed()).send().await;
    assert_eq!(first.status, 202);
    let cookie = first.cookie().unwrap();
    assert!(cookie.starts_with("voter-pets_"), "{cookie}");

    let typed = codes[0].printed().to_lowercase().replace('-', " ");
    let elsewhere = cast(&service, "dogs", &typed).send().await;
    assert_eq!(outcome(&elsewhere), (409, "already-voted".to_owned()));
    assert_eq!(elsewhere.json()["choices"], json!(["cats"]));
    let elsewhere = elsewhere.cookie().expect("the other device is this voter now");
    assert_eq!(service.standing("pets", elsewhere).await, json!(["cats"]));

    let with_cookie = service.ballot("pets", &["dogs"]).cookie(cookie).send().await;
    assert_eq!(outcome(&with_cookie), (409, "already-voted".to_owned()));
    let shared = cast(&service, "dogs", &codes[1].printed()).cookie(cookie).send().await;
    assert_eq!(shared.status, 202, "another code on the same device is another voter");
    assert_eq!(service.entries().await.len(), 2);
}

#[tokio::test]
async fn without_a_valid_code_there_is_no_vote() {
    let (service, _) = start(VotePolicy::KeepFirst, 1).await;
    let never_issued = Code::generate().printed();
    for wrong in ["", " ", "0123", "\0", "ÄÖÜ", &"X".repeat(300), &never_issued] {
        let reply = cast(&service, "cats", wrong).send().await;
        assert_eq!(outcome(&reply), (403, "bad-code".to_owned()), "{wrong:?}");
        assert_eq!(reply.cookie(), None, "{wrong:?}");
    }
    let none = service.ballot("pets", &["cats"]).send().await;
    assert_eq!(outcome(&none), (403, "bad-code".to_owned()));
    let page = service.client.get("/").send().await;
    assert_eq!(page.cookie(), None, "a visitor is nobody before the code");
    assert!(page.text().contains("name=\"code\""));
    assert!(service.entries().await.is_empty());
}

#[tokio::test]
async fn a_code_is_taken_from_form_and_json_however_it_is_typed() {
    let ways: [fn(&str) -> String; 4] = [
        |code| format!("\u{feff}„{}“.", code.to_lowercase().replace('-', " – ")),
        |code| code.replace('-', "\u{ad}_\u{200b}").replace('0', "O").replace('1', "l"),
        |code| {
            let wide = |c: char| char::from_u32(u32::from(c) - 0x21 + 0xff01).unwrap();
            code.chars().map(wide).collect()
        },
        |code| format!("https://vote.example/polls/pets#code={code}"),
    ];
    let (service, codes) = start(VotePolicy::KeepFirst, 2 * ways.len()).await;
    for (way, codes) in ways.iter().zip(codes.chunks(2)) {
        let typed = way(&codes[0].printed());
        let reply = cast(&service, "cats", &typed).send().await;
        assert_eq!(reply.status, 202, "JSON: {typed}");
        let typed = way(&codes[1].printed());
        let encoded: String = typed.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let body = format!("vote=a&code={encoded}");
        let reply = service.client.post("/polls/pets").form(body).send().await;
        assert_eq!(reply.status, 303, "form: {typed}");
    }
    let voters = service.entries().await.into_iter().map(|entry| entry.ballot.voter);
    let voters: std::collections::BTreeSet<_> = voters.collect();
    let poll = service.poll("pets").id;
    assert_eq!(voters, codes.iter().map(|code| code.voter(poll)).collect());
}

#[tokio::test]
async fn a_code_may_change_its_vote_where_the_newest_stands() {
    let (service, codes) = start(VotePolicy::Replace, 1).await;
    let code = codes[0].printed();
    let first = cast(&service, "cats", &code).send().await;
    let elsewhere = cast(&service, "dogs", &code).send().await;
    assert_eq!((first.status, elsewhere.status), (202, 202));
    assert_eq!(service.standing("pets", first.cookie().unwrap()).await, json!(["dogs"]));
}

#[tokio::test]
async fn the_form_takes_a_code_too() {
    let (service, codes) = start(VotePolicy::KeepFirst, 1).await;
    let wrong = service.client.post("/").form("vote=a&code=nonsense").send().await;
    assert_eq!(wrong.status, 403);
    assert!(wrong.text().contains("No valid voting code"));
    let body = format!("vote=a&code={}", codes[0].printed());
    let reply = service.client.post("/").form(body).send().await;
    assert_eq!(reply.status, 303);
    let page = service.client.get("/").cookie(reply.cookie()).send().await;
    assert!(page.text().contains("You voted for") && !page.text().contains("<form"));
}

#[tokio::test]
async fn the_cookie_of_an_open_poll_opens_no_poll_with_codes() {
    let (service, codes) = start(VotePolicy::KeepFirst, 1).await;
    let voter = codes[0].voter(service.poll("pets").id);
    let now_s = votestream_schema::poll::now_ms() / 1_000;
    for scope in ["voter", "voter-cats"] {
        let value = service.key_ring().sign(scope, voter, now_s);
        let cookie = format!("voter-pets={value}");
        let reply = service.ballot("pets", &["cats"]).cookie(cookie.as_str()).send().await;
        assert_eq!(outcome(&reply), (403, "bad-code".to_owned()), "{scope}");
    }
    assert!(service.entries().await.is_empty());
}
