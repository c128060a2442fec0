//! Polls with one-time voting codes.

use redis::AsyncCommands;
use serde_json::json;
use votestream_schema::Poll;
use votestream_schema::code::{Code, CodeHash};
use votestream_schema::poll::{VotePolicy, VoterPolicy};

use crate::harness::{Service, Setup, poll};
use testkit::http::{Reply, Request};

/// A service with a poll `pets` that takes codes, and this many of them.
pub async fn start(vote_policy: VotePolicy, codes: usize) -> (Service, Vec<Code>) {
    let code_poll = Poll { voter_policy: VoterPolicy::Code, vote_policy, ..poll("pets") };
    let service = Setup::new().polls([code_poll]).start().await;
    let codes: Vec<Code> = (0..codes).map(|_| Code::generate()).collect();
    let mut redis = service.redis().await;
    let poll = service.poll("pets");
    for code in &codes {
        let hash = CodeHash::of(code.key_in(poll).unwrap());
        let key = service.keys.code_hashes(hash.partition(service.setup.partitions), poll.id);
        let _: i64 = redis.sadd(key, hash.0.as_bytes().as_slice()).await.unwrap();
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
async fn a_used_code_shows_its_vote_to_the_browser_that_cast_it_alone() {
    let (service, codes) = start(VotePolicy::KeepFirst, 2).await;
    let first = cast(&service, "cats", &codes[0].printed()).send().await;
    assert_eq!(first.status, 202);
    let cookie = first.cookie().unwrap();
    assert!(cookie.starts_with("voter-pets_"), "{cookie}");

    // Whoever types the code elsewhere learns that it is used, and no more: with JSON, with a form, and in a closed poll.
    let typed = codes[0].printed().to_lowercase().replace('-', " ");
    for choice in ["dogs", "cats"] {
        let elsewhere = cast(&service, choice, &typed).send().await;
        assert_eq!(outcome(&elsewhere), (409, "code-used".to_owned()));
        assert_eq!((elsewhere.json().get("choices"), elsewhere.cookie()), (None, None));
        let form = format!("vote={choice}&code={}", codes[0].printed());
        let page = service.client.post("/").form(form).send().await;
        assert_eq!((page.status, page.cookie()), (409, None));
        let page = page.text();
        assert!(page.contains("This code has been used"), "{page}");
        let standing = page.split("id=\"standing\"").nth(1).unwrap();
        assert!(standing.split('>').next().unwrap().contains("hidden"), "{page}");
        assert!(!page.contains(" checked") && page.contains("name=\"code\""), "{page}");
    }

    // The browser that cast it sees it, by cookie, with and without the code.
    assert_eq!(service.standing("pets", cookie).await, json!(["cats"]));
    let without_code = service.ballot("pets", &["dogs"]).cookie(cookie).send().await;
    let with_code = cast(&service, "dogs", &typed).cookie(cookie).send().await;
    for own in [without_code, with_code] {
        assert_eq!(outcome(&own), (409, "already-voted".to_owned()));
        assert_eq!(own.json()["choices"], json!(["cats"]));
    }
    let shared = cast(&service, "dogs", &codes[1].printed()).cookie(cookie).send().await;
    assert_eq!(shared.status, 202, "another code on the same device is another voter");
    assert_eq!(service.standing("pets", shared.cookie().unwrap()).await, json!(["dogs"]));
    let other = cast(&service, "dogs", &codes[0].printed()).cookie(shared.cookie()).send().await;
    assert_eq!(outcome(&other), (409, "code-used".to_owned()), "the code of the person before");
    assert_eq!(service.entries().await.len(), 2);
}

#[tokio::test]
async fn the_page_that_lost_the_answer_gets_it_again() {
    let (service, codes) = start(VotePolicy::KeepFirst, 1).await;
    let strange = service.client.get("/").send().await;
    let token = |page: &Reply| {
        let page = page.text();
        let field = page.split("name=\"token\" value=\"").nth(1).unwrap();
        field.split('"').next().unwrap().to_owned()
    };
    let (mine, strange) = (token(&service.client.get("/").send().await), token(&strange));
    let cast = |choice: &str, token: &str| {
        let body = json!({ "choices": [choice], "code": codes[0].printed(), "token": token });
        service.client.post("/api/polls/pets/ballots").json(&body)
    };
    assert_eq!(cast("cats", &mine).send().await.status, 202);
    // The reply was lost, and its cookie with it. The same page sends the ballot again, or another one.
    let again = cast("cats", &mine).send().await;
    assert_eq!(again.status, 202);
    assert!(again.cookie().unwrap().starts_with("voter-pets_"));
    let changed = cast("dogs", &mine).send().await;
    assert_eq!(outcome(&changed), (409, "already-voted".to_owned()));
    assert_eq!(changed.json()["choices"], json!(["cats"]));
    assert!(changed.cookie().is_some());
    let elsewhere = cast("cats", &strange).send().await;
    assert_eq!((outcome(&elsewhere), elsewhere.cookie()), ((409, "code-used".to_owned()), None));
    // The same for a program with an idempotency key.
    let key = |request: Request| request.header("idempotency-key", "\"8e03978e-40d5-43dd\"");
    let (service, codes) = start(VotePolicy::KeepFirst, 1).await;
    let cast = |choice: &str| {
        let body = json!({ "choices": [choice], "code": codes[0].printed() });
        key(service.client.post("/api/polls/pets/ballots").json(&body))
    };
    assert_eq!((cast("cats").send().await.status, cast("cats").send().await.status), (202, 202));
    assert_eq!(outcome(&cast("dogs").send().await), (422, "idempotency-key-reused".to_owned()));
    assert_eq!(service.entries().await.len(), 1);
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
async fn a_change_needs_the_code_again_unless_the_voter_asked_to_be_remembered() {
    let (service, codes) = start(VotePolicy::Replace, 2).await;
    let first = cast(&service, "cats", &codes[0].printed()).send().await;
    let elsewhere = cast(&service, "dogs", &codes[0].printed()).send().await;
    assert_eq!((first.status, elsewhere.status), (202, 202), "the code changes the vote anywhere");
    let cookie = first.cookie().unwrap();
    assert_eq!(service.standing("pets", cookie).await, json!(["dogs"]));
    let without_code = service.ballot("pets", &["cats"]).cookie(cookie).send().await;
    assert_eq!(outcome(&without_code), (403, "bad-code".to_owned()));
    assert!(without_code.json()["detail"].as_str().unwrap().contains("again"));

    let body = json!({ "choices": ["cats"], "code": codes[1].printed(), "remember": true });
    let reply = service.client.post("/api/polls/pets/ballots").json(&body).send().await;
    let remembered = reply.cookie().unwrap();
    assert!(remembered.starts_with("remembered-pets_"), "{remembered}");
    let changed = service.ballot("pets", &["dogs"]).cookie(remembered).send().await;
    assert_eq!(changed.status, 202);
    assert!(changed.cookie().unwrap().starts_with("remembered-pets_"));
    let page = service.client.get("/").cookie(remembered).send().await.text();
    assert!(
        page.contains("Change my vote") && page.contains("value=\"dogs\" required checked"),
        "{page}"
    );
    // The next person on this device has a code, and is not remembered.
    let next = cast(&service, "cats", &codes[0].printed()).cookie(remembered).send().await;
    let set: Vec<&str> = next.headers("set-cookie").collect();
    let removed = set.iter().find(|cookie| cookie.starts_with("remembered-pets_")).unwrap();
    assert!(removed.contains("=;") && removed.contains("Max-Age=0"), "{set:?}");
    assert!(set.iter().any(|cookie| cookie.starts_with("voter-pets_")), "{set:?}");
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
    let poll = service.poll("pets");
    assert_eq!(voters, codes.iter().map(|code| code.key_in(poll).unwrap()).collect());
}

#[tokio::test]
async fn the_form_takes_a_code_too_and_stays_for_the_next_person() {
    let (service, codes) = start(VotePolicy::KeepFirst, 1).await;
    let wrong = service.client.post("/").form("vote=a&code=nonsense").send().await;
    assert_eq!(wrong.status, 403);
    assert!(wrong.text().contains("Code not recognised"));
    let body = format!("vote=a&code={}", codes[0].printed());
    let reply = service.client.post("/").form(body).send().await;
    assert_eq!(reply.status, 303);
    let cookie = reply.cookie().unwrap();
    let page = service.client.get("/").cookie(cookie).send().await.text();
    assert!(page.contains("You voted for") && page.contains("name=\"code\""), "{page}");
    assert!(!page.contains(" checked"), "nothing is chosen for the next person: {page}");

    // That person makes the browser forget the one before.
    let older = service.key_ring().sign("voter-pets", codes[0].voter(service.poll("pets").id), 0);
    let both = format!("{cookie}; voter-pets={older}; other=1");
    let forgotten = service.client.post("/").cookie(both.as_str()).form("forget=1").send().await;
    assert_eq!(forgotten.status, 303);
    let set: Vec<&str> = forgotten.headers("set-cookie").collect();
    let name = cookie.split('=').next().unwrap();
    assert_eq!(set.len(), 2, "{set:?}");
    assert!(set[0].starts_with(&format!("{name}=; ")) && set[1].starts_with("voter-pets=; "));
    assert!(set.iter().all(|cookie| cookie.contains("Max-Age=0")), "{set:?}");
    let foreign = service.client.post("/").cookie(cookie).header("sec-fetch-site", "cross-site");
    assert_eq!(foreign.form("forget=1").send().await.cookie(), None, "no other site forgets");
    assert_eq!(service.entries().await.len(), 1, "a form that forgets is no ballot");
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

#[tokio::test]
async fn many_wrong_codes_are_answered_slowly_and_right_ones_at_once() {
    let (service, codes) = start(VotePolicy::KeepFirst, 1).await;
    let wrong = async || {
        let begun = std::time::Instant::now();
        let reply = cast(&service, "cats", &Code::generate().printed()).send().await;
        (outcome(&reply), begun.elapsed())
    };
    let mut last = std::time::Duration::ZERO;
    for _ in 0..26 {
        let (outcome, waited) = wrong().await;
        assert_eq!(outcome, (403, "bad-code".to_owned()));
        last = waited;
    }
    assert!(last.as_millis() >= 250, "{last:?}");
    // While many wait, further ones are refused; whoever has a code votes.
    let mut waiting: Vec<_> = Vec::new();
    for _ in 0..80 {
        let request = cast(&service, "cats", &Code::generate().printed());
        waiting.push(tokio::spawn(async move { outcome(&request.send().await) }));
    }
    let mut refused = 0;
    let right = cast(&service, "cats", &codes[0].printed()).send().await;
    assert_eq!(right.status, 202);
    for answer in waiting {
        let answer = answer.await.unwrap();
        refused += usize::from(answer == (429, "too-many-wrong-codes".to_owned()));
    }
    assert!((20..=40).contains(&refused), "{refused}");
}

/// Right after an update Redis has the codes only as the release before kept them.
#[tokio::test]
async fn a_code_that_only_the_release_before_has_copied_is_accepted() {
    let (service, _) = start(VotePolicy::KeepFirst, 0).await;
    let (code, other) = (Code::generate(), Code::generate());
    let poll = service.poll("pets");
    let voter = code.key_in(poll).unwrap();
    let key = service.keys.codes_before_hashes(voter.partition(service.setup.partitions), poll.id);
    let _: i64 = service.redis().await.sadd(key, voter.0.as_bytes().as_slice()).await.unwrap();
    assert_eq!(cast(&service, "cats", &code.printed()).send().await.status, 202);
    let wrong = cast(&service, "cats", &other.printed()).send().await;
    assert_eq!(outcome(&wrong), (403, "bad-code".to_owned()));
}
