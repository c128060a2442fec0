//! Receipts: with every acceptance, of the vote that stands, and none where there is nothing to promise.

use serde_json::Value;
use testkit::http::Reply;
use votestream_schema::Poll;
use votestream_schema::poll::VotePolicy;
use votestream_schema::poll::secrecy::Secrecy;
use votestream_transparency::keys::{PublicKeys, SigningKeys};
use votestream_transparency::receipt::{Opening, Promise, Receipt};

use crate::harness::{Service, Setup, entry_of, key_in, poll};

/// A poll that gives receipts.
pub fn logged(slug: &str) -> Poll {
    let poll = poll(slug);
    Poll { secrecy: Secrecy { receipts: true, ..poll.secrecy }, ..poll }
}

/// A producer with a signing key and a poll that gives receipts, and the public half of the key.
pub async fn start(polls: impl IntoIterator<Item = Poll>) -> (Service, PublicKeys) {
    let keys = SigningKeys::generate("vote.example").unwrap();
    let service = Setup::new()
        .polls(polls)
        .flag("signing-keys", &keys.reveal())
        .flag("results-url", "https://results.example")
        .start()
        .await;
    (service, PublicKeys::new(keys.public("vote.example")).unwrap())
}

fn check(receipt: &Value, keys: &PublicKeys) -> (Promise, Opening) {
    let receipt: Receipt = serde_json::from_value(receipt.clone()).unwrap();
    receipt.check(keys).unwrap()
}

/// The path of a redirect, from the last slash on.
fn location(reply: &Reply) -> String {
    reply.header("location").unwrap().to_owned()
}

#[tokio::test]
async fn ballots_that_are_accepted_together_get_a_receipt_each() {
    let (service, keys) = start([logged("pets")]).await;
    let ballots = (0..40).map(|at| {
        let choice = if at % 2 == 0 { "cats" } else { "dogs" };
        service.ballot("pets", &[choice]).send()
    });
    let replies = futures_util::future::join_all(ballots).await;
    let entries = service.entries().await;
    let mut batches = std::collections::HashSet::new();
    for reply in replies {
        let body = reply.json();
        let (promise, opening) = check(&body["receipt"], &keys);
        assert_eq!(&*promise.log, "vote.example/polls/pets");
        // Entry IDs are unique in their partition alone.
        let stored = entries.iter().find(|entry| {
            let partition = entry.ballot.voter.partition(service.setup.partitions);
            entry.id == entry_of(&reply) && partition == promise.entry.partition
        });
        let stored = stored.unwrap();
        assert_eq!(promise.ballot, Some(stored.ballot.id));
        assert_eq!((promise.entry.id, opening.choices), (stored.id, stored.ballot.choices));
        batches.insert(body["receipt"]["signed"].as_str().unwrap().to_owned());
    }
    assert!(batches.len() < 40, "no two of 40 ballots at once shared a signature");
}

#[tokio::test]
async fn a_ballot_sent_again_and_a_later_visit_get_a_receipt_of_the_vote_that_stands() {
    let (service, keys) =
        start([Poll { vote_policy: VotePolicy::Replace, ..logged("pets") }]).await;
    let first =
        service.ballot("pets", &["cats"]).header("idempotency-key", "one-ballot").send().await;
    let (promise, _) = check(&first.json()["receipt"], &keys);
    let again =
        service.ballot("pets", &["cats"]).header("idempotency-key", "one-ballot").send().await;
    let (same, opening) = check(&again.json()["receipt"], &keys);
    assert_eq!((same.entry, same.commitment), (promise.entry, promise.commitment));
    assert_eq!((same.ballot, opening.choices.mask()), (None, 0b01));
    // The holder of a cookie, in whatever way it has voted.
    let cast = service.ballot("pets", &["dogs"]).send().await;
    let cookie = cast.cookie().unwrap().to_owned();
    let (promised, _) = check(&cast.json()["receipt"], &keys);
    let api = service.client.get("/api/polls/pets/receipt").cookie(cookie.as_str()).send().await;
    let file = service.client.get("/polls/pets/receipt").cookie(cookie.as_str()).send().await;
    assert!(file.header("content-disposition").unwrap().contains("receipt-pets.json"));
    for reply in [api, file] {
        let (standing, opening) = check(&reply.json(), &keys);
        assert_eq!((standing.entry, opening.choices.mask()), (promised.entry, 0b10));
    }
    let check_link =
        service.client.get("/polls/pets/receipt/check").cookie(cookie.as_str()).send().await;
    let location = location(&check_link);
    let (page, fragment) = location.split_once('#').unwrap();
    assert_eq!((check_link.status, page), (303, "https://results.example/polls/pets/receipt"));
    use base64::Engine;
    let json = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(fragment).unwrap();
    let (standing, _) = check(&serde_json::from_slice(&json).unwrap(), &keys);
    assert_eq!(standing.entry, promised.entry);
    assert_eq!(standing.entry.partition, key_in(&cookie).partition(4));
    let html = service.client.get("/polls/pets").cookie(cookie.as_str()).send().await.text();
    assert!(html.contains("/polls/pets/receipt/check"), "{html}");
    let picture = "/polls/pets/receipt/picture.svg";
    let drawn = service.client.get(picture).cookie(cookie.as_str()).send().await;
    assert_eq!(drawn.header("content-type"), Some("image/svg+xml"));
    assert!(drawn.text().contains(&promised.entry.to_string()), "{}", drawn.text());
    assert_eq!(service.client.get(picture).send().await.status, 404, "nobody else's");
}

#[tokio::test]
async fn there_is_no_receipt_where_nothing_can_be_promised() {
    let (service, _) =
        start([logged("pets"), Poll { id: votestream_schema::PollId(2), ..poll("cars") }]).await;
    let stranger = service.client.get("/api/polls/pets/receipt").send().await;
    assert_eq!((stranger.status, &stranger.json()["type"]), (404, &"/problems/no-receipt".into()));
    let cast = service.ballot("cars", &["cats"]).send().await;
    assert!(cast.json().get("receipt").is_none(), "the poll gives none");
    let cookie = cast.cookie().unwrap();
    let reply = service.client.get("/polls/cars/receipt").cookie(cookie).send().await;
    assert_eq!(reply.status, 404);
    // A service without a key has nothing to sign with.
    let service = Setup::new().polls([logged("pets")]).start().await;
    let cast = service.ballot("pets", &["cats"]).send().await;
    assert!(cast.json().get("receipt").is_none());
    let html = service.client.get("/polls/pets").cookie(cast.cookie().unwrap()).send().await.text();
    assert!(!html.contains("/receipt"), "{html}");
}
