//! One person, one vote, whatever happens to replies and cookies: voting tokens and idempotency keys.

use std::time::Duration;

use redis::AsyncCommands as _;
use serde_json::json;
use testkit::http::{Reply, Request};
use testkit::{eventually, own_redis};
use votestream_schema::poll::{VotePolicy, VoterPolicy, now_ms};
use votestream_schema::voter::CookieKind;
use votestream_schema::{Poll, VoterId};

use crate::harness::{COOKIE_KEY, Service, Setup, entry_of, poll};

/// A new key of a program.
const KEY: &str = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"";

/// The voting token in a page's hidden field.
fn token_in(page: &str) -> String {
    let field = page.split("name=\"token\" value=\"").nth(1).unwrap_or_else(|| panic!("{page}"));
    field.split('"').next().unwrap().to_owned()
}

async fn token(service: &Service) -> String {
    let poll = service.client.get("/api/polls/pets").send().await;
    poll.json()["token"].as_str().unwrap().to_owned()
}

fn with_token(service: &Service, choice: &str, token: &str) -> Request {
    let body = json!({ "choices": [choice], "token": token });
    service.client.post("/api/polls/pets/ballots").json(&body)
}

async fn voters(service: &Service) -> usize {
    let entries = service.entries().await;
    let voters: std::collections::HashSet<_> = entries.iter().map(|e| e.ballot.voter).collect();
    voters.len()
}

#[tokio::test]
async fn a_page_whose_cookie_is_refused_is_one_voter_however_often_it_posts() {
    let service = Setup::new().start().await;
    // A program.
    let token = token(&service).await;
    assert_eq!(with_token(&service, "cats", &token).send().await.status, 202);
    for choice in ["cats", "dogs", "cats"] {
        let again = with_token(&service, choice, &token).send().await;
        assert_eq!(again.problem(), "already-voted");
        assert_eq!(again.json()["choices"], json!(["cats"]));
    }
    // A form, whose page comes back with its own token after a refusal.
    let page = service.client.get("/").send().await.text();
    let form = format!("vote=dogs&token={}", token_in(&page));
    let post = || service.client.post("/").form(form.as_str()).send();
    let accepted = post().await;
    assert_eq!(accepted.status, 200, "after a redirect this browser would see an empty ballot");
    assert!(accepted.text().contains("You voted for") && accepted.text().contains("Dogs"));
    assert_eq!(post().await.status, 409);
    let page = service.client.get("/").send().await.text();
    let unfilled = format!("token={}", token_in(&page));
    let refused = service.client.post("/").form(unfilled.as_str()).send().await;
    assert_eq!(refused.status, 422);
    let voter = |page: &str| token_in(page).split('.').nth(1).unwrap().to_owned();
    assert_eq!(voter(&refused.text()), voter(&page));
    assert_eq!((voters(&service).await, service.entries().await.len()), (2, 2));
}

#[tokio::test]
async fn a_voters_cookie_comes_before_the_token_and_both_name_the_same_voter() {
    let service = Setup::new().start().await;
    let page = service.client.get("/").send().await;
    let (cookie, token) = (page.cookie().unwrap().to_owned(), token_in(&page.text()));
    assert_eq!(
        with_token(&service, "cats", &token).cookie(cookie.as_str()).send().await.status,
        202
    );
    let by_token = with_token(&service, "dogs", &token).send().await;
    assert_eq!(by_token.problem(), "already-voted", "the same voter");
    let by_cookie = service.ballot("pets", &["dogs"]).cookie(cookie.as_str()).send().await;
    assert_eq!(by_cookie.problem(), "already-voted", "the same voter");
    // The token of somebody else's page changes nothing.
    let other = self::token(&service).await;
    let both = with_token(&service, "dogs", &other).cookie(cookie.as_str()).send().await;
    assert_eq!(both.problem(), "already-voted");
    assert_eq!(with_token(&service, "dogs", &other).send().await.status, 202);
}

#[tokio::test]
async fn a_token_restores_a_cookie_that_is_no_longer_good() {
    let service = Setup::new().start().await;
    let broken = format!("{}=v1.x", service.key_ring().cookie_name("voter", CookieKind::Plain));
    let token = token(&service).await;
    let reply = with_token(&service, "cats", &token).cookie(broken.as_str()).send().await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    assert_eq!(service.standing("pets", reply.cookie().unwrap()).await, json!(["cats"]));
}

#[tokio::test]
async fn a_token_counts_in_its_own_poll_while_it_is_fresh_and_only_if_it_is_ours() {
    let service = Setup::new().polls([poll("pets"), poll("birds")]).start().await;
    let keys = service.key_ring();
    let now_s = now_ms() / 1_000;
    let signed = |scope: &str, at_s| keys.sign(scope, VoterId::new(), at_s);
    let good = token(&service).await;
    let bad = [
        "v1.x".to_owned(),
        good[..good.len() - 1].to_owned(),
        signed("token birds", now_s),
        signed("voter", now_s),
        signed("token pets", now_s - 24 * 60 * 60 - 1),
    ];
    for token in bad {
        let reply = with_token(&service, "cats", &token).send().await;
        assert_eq!((reply.status, reply.problem().as_str()), (400, "malformed"), "{token}");
        assert!(reply.json()["detail"].as_str().unwrap().contains("reload the page"), "{token}");
    }
    assert!(service.entries().await.is_empty());
    // A token is no cookie.
    let cookie = format!("{}={good}", keys.cookie_name("voter", CookieKind::Plain));
    let reply = service.ballot("pets", &["cats"]).cookie(cookie.as_str()).send().await;
    assert_eq!(reply.problem(), "malformed");
    assert_eq!(with_token(&service, "cats", &good).send().await.status, 202);
}

/// The release before gave such tokens to networks over their limit.
#[tokio::test]
async fn a_token_of_the_release_before_names_its_voter() {
    let service = Setup::new().start().await;
    let voter = VoterId::new();
    let token = service.key_ring().sign("token-to-limit pets", voter, now_ms() / 1_000);
    assert_eq!(with_token(&service, "cats", &token).send().await.status, 202);
    assert_eq!(with_token(&service, "dogs", &token).send().await.problem(), "already-voted");
}

/// A page votes by its token, and its reply with the cookie is lost; meanwhile another page has set a cookie.
#[tokio::test]
async fn a_page_that_has_voted_by_its_token_stays_that_voter() {
    let service = Setup::new().start().await;
    let token = token(&service).await;
    assert_eq!(with_token(&service, "cats", &token).send().await.status, 202);
    let other_page = service.client.get("/").send().await;
    let again = with_token(&service, "cats", &token).cookie(other_page.cookie()).send().await;
    assert_eq!(again.problem(), "already-voted");
    assert_eq!(service.standing("pets", again.cookie().unwrap()).await, json!(["cats"]));
    assert_eq!(service.entries().await.len(), 1);
}

/// Whoever reads a key in a log can learn the outcome, and cannot become the voter.
#[tokio::test]
async fn a_key_is_not_exchanged_for_a_cookie() {
    let service = Setup::new().start().await;
    let reply = keyed(&service, "cats", KEY).send().await;
    assert_eq!((reply.status, reply.cookie()), (202, None));
}

#[tokio::test]
async fn a_refused_form_does_not_say_that_a_vote_does_not_exist() {
    let replace = Poll { vote_policy: VotePolicy::Replace, ..poll("pets") };
    let mut redis = own_redis();
    let service = Setup::on(redis.url()).polls([replace]).start().await;
    let voted = service.ballot("pets", &["cats"]).send().await;
    let cookie = voted.cookie().unwrap().to_owned();
    let refused = service.client.post("/").form("vote=birds").cookie(cookie.as_str()).send().await;
    assert_eq!(refused.status, 422);
    let page = refused.text();
    assert!(page.contains("You voted for") && page.contains("Change my vote"), "{page}");
    redis.freeze();
    let refused = service.client.post("/").form("vote=dogs").cookie(cookie.as_str()).send().await;
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("Your vote is not known now"), "{}", refused.text());
    redis.thaw();
}

#[tokio::test]
async fn the_token_of_a_poll_with_codes_names_a_page_and_no_voter() {
    let codes = Poll { voter_policy: VoterPolicy::Code, ..poll("pets") };
    let service = Setup::new().polls([codes]).start().await;
    let (one, other) = (token(&service).await, token(&service).await);
    let voter = |token: &str| token.split('.').nth(1).unwrap().to_owned();
    assert_ne!(voter(&one), voter(&other), "each page is another one");
    assert_eq!(with_token(&service, "cats", &one).send().await.problem(), "bad-code");
    assert!(service.entries().await.is_empty());
}

fn keyed(service: &Service, choice: &str, key: &str) -> Request {
    service.ballot("pets", &[choice]).header("idempotency-key", key)
}

/// Both answers say that the same entry is stored.
fn same_answer(one: &Reply, other: &Reply) {
    assert_eq!((one.status, other.status), (202, 202), "{}{}", one.text(), other.text());
    assert_eq!(one.json(), other.json());
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_answer_and_another_body_is_refused() {
    for &vote_policy in VotePolicy::ALL {
        let service = Setup::new().polls([Poll { vote_policy, ..poll("pets") }]).start().await;
        // The key alone names the voter.
        let first = keyed(&service, "cats", KEY).send().await;
        same_answer(&first, &keyed(&service, "cats", KEY).send().await);
        same_answer(&first, &keyed(&service, "cats", KEY.trim_matches('"')).send().await);
        let other = keyed(&service, "dogs", KEY).send().await;
        assert_eq!((other.status, other.problem().as_str()), (422, "idempotency-key-reused"));
        same_answer(&first, &keyed(&service, "cats", KEY).send().await);
        assert_eq!(service.entries().await.len(), 1, "{vote_policy}");

        // Beside a cookie it marks the ballot, and the cookie names the voter.
        let page = service.client.get("/").send().await;
        let cookie = page.cookie().unwrap();
        let cast = |choice, key| keyed(&service, choice, key).cookie(cookie).send();
        let first = cast("dogs", KEY).await;
        same_answer(&first, &cast("dogs", KEY).await);
        assert_eq!(cast("cats", KEY).await.problem(), "idempotency-key-reused", "{vote_policy}");
        let new_key = cast("cats", "another key").await;
        let expected = if vote_policy.replaces() { 202 } else { 409 };
        assert_eq!(new_key.status, expected, "{vote_policy}");
        assert_eq!(voters(&service).await, 2, "{vote_policy}");
    }
}

#[tokio::test]
async fn a_key_is_the_same_on_every_replica_and_survives_new_cookie_keys() {
    let one = Setup::new().start().await;
    let first = keyed(&one, "cats", KEY).send().await;
    let other_key = "a5".repeat(32);
    let other = one.setup.clone().cookie_keys(&format!("{other_key},{COOKIE_KEY}")).join().await;
    same_answer(&first, &keyed(&other, "cats", KEY).send().await);
    assert_eq!(entry_of(&first), one.entries().await[0].id);
}

#[tokio::test]
async fn what_is_no_key_is_refused_in_words() {
    let service = Setup::new().start().await;
    for bad in ["", "1", "\"unbalanced", &"x".repeat(256)] {
        let reply = keyed(&service, "cats", bad).send().await;
        assert_eq!((reply.status, reply.problem().as_str()), (400, "malformed"), "{bad}");
        assert!(reply.json()["detail"].as_str().unwrap().contains("8 to 255"), "{bad}");
    }
    let twice = keyed(&service, "cats", KEY).header("idempotency-key", KEY).send().await;
    assert_eq!(twice.problem(), "malformed");
    assert!(service.entries().await.is_empty());
}

/// A reply to a ballot is lost three times, and the page's retries are the same ballot.
#[tokio::test]
async fn a_ballot_that_travels_at_the_same_time_twice_is_one_entry() {
    let service = Setup::new().start().await;
    let send =
        || tokio::time::timeout(Duration::from_secs(30), keyed(&service, "cats", KEY).send());
    let (one, two, three) = tokio::join!(send(), send(), send());
    let replies = [one.unwrap(), two.unwrap(), three.unwrap()];
    replies.iter().for_each(|reply| same_answer(&replies[0], reply));
    assert_eq!(service.entries().await.len(), 1);
}

/// The state of the voter's own vote, as programs read it.
async fn own_vote(service: &Service, poll: &str, cookie: &str) -> (String, serde_json::Value) {
    let reply = service.client.get(&format!("/api/polls/{poll}")).cookie(cookie).send().await;
    let body = reply.json();
    (body["your_vote"].as_str().unwrap().to_owned(), body["your_choices"].clone())
}

#[tokio::test]
async fn a_vote_that_cannot_be_looked_up_is_unknown_and_not_none() {
    let mut redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    let voted = service.ballot("pets", &["cats"]).send().await;
    let cookie = voted.cookie().unwrap();
    assert_eq!(own_vote(&service, "pets", cookie).await, ("stands".into(), json!(["cats"])));
    let new = service.client.get("/").send().await;
    assert_eq!(own_vote(&service, "pets", new.cookie().unwrap()).await.0, "none");

    redis.freeze();
    assert_eq!(own_vote(&service, "pets", cookie).await, ("unknown".into(), json!(null)));
    let page = service.client.get("/").cookie(cookie).send().await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("Your vote is not known now"), "{}", page.text());
    redis.thaw();
    let stands = async || own_vote(&service, "pets", cookie).await.0 == "stands";
    eventually(Duration::from_secs(20), stands).await;
    assert!(!service.client.get("/").cookie(cookie).send().await.text().contains("not known now"));
}

#[tokio::test]
async fn a_poll_whose_register_was_removed_does_not_say_that_nobody_voted() {
    let closed = |slug| Poll { closes_at_ms: Some(now_ms() - 1_000), ..poll(slug) };
    let archived = Poll { archived_at_ms: Some(now_ms()), ..closed("archived") };
    let service = Setup::new().polls([closed("pets"), archived]).start().await;
    let cookie = service.ballot("pets", &["cats"]).send().await.cookie().map(str::to_owned);
    let cookie = cookie.unwrap();
    let words = async |slug: &str| {
        let page =
            service.client.get(&format!("/polls/{slug}")).cookie(cookie.as_str()).send().await;
        page.text()
    };
    // The register is there: this browser has not voted.
    assert_eq!(own_vote(&service, "pets", &cookie).await.0, "none");
    assert!(words("pets").await.contains("No vote of yours is recorded in this browser."));
    // The consumers have removed the register, and noted it.
    let mut redis = service.redis().await;
    for partition in 0..service.setup.partitions {
        let note = service.keys.forgotten(partition);
        let _: i64 = redis.hset(note, service.poll("pets").id.0, now_ms()).await.unwrap();
    }
    for slug in ["pets", "archived"] {
        assert_eq!(own_vote(&service, slug, &cookie).await.0, "not_kept", "{slug}");
        assert!(words(slug).await.contains("no longer kept for this poll"), "{slug}");
    }
}

#[tokio::test]
async fn pages_know_their_voters_after_redis_has_closed_its_connections() {
    let redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    let cookie = service.ballot("pets", &["cats"]).send().await.cookie().unwrap().to_owned();
    let look = || own_vote(&service, "pets", &cookie);
    let mut admin = service.redis().await;
    for round in 0..5 {
        // Several connections of the pool are in use at once, and then idle.
        let (a, b, c, d) = tokio::join!(look(), look(), look(), look());
        for found in [a, b, c, d] {
            assert_eq!(found, ("stands".into(), json!(["cats"])), "round {round}");
        }
        let kill = ["KILL", "TYPE", "normal", "SKIPME", "yes"];
        let _: i64 = redis::cmd("CLIENT").arg(&kill).query_async(&mut admin).await.unwrap();
    }
}
