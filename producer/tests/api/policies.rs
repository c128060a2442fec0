//! Vote policies: the first vote stands, or the newest one does.

use serde_json::json;
use votestream_schema::Poll;
use votestream_schema::poll::VotePolicy;

use crate::harness::{Setup, entry_of, option, poll};

#[tokio::test]
async fn with_replace_the_newest_ballot_stands() {
    let replace = Poll { vote_policy: VotePolicy::Replace, ..poll("pets") };
    let service = Setup::new().polls([replace]).start().await;
    let first = service.ballot("pets", &["cats"]).send().await;
    let cookie = first.cookie().unwrap();
    let second = service.ballot("pets", &["dogs"]).cookie(cookie).send().await;
    assert!(entry_of(&first) < entry_of(&second));
    assert_eq!(service.standing("pets", cookie).await, json!(["dogs"]));
    let entries = service.entries().await;
    let masks: Vec<i64> = entries.iter().map(|entry| entry.ballot.choices.mask()).collect();
    assert_eq!(masks, [0b01, 0b10]);
    assert_eq!(entries[0].ballot.voter, entries[1].ballot.voter);
    assert_ne!(entries[0].ballot.id, entries[1].ballot.id);
}

#[tokio::test]
async fn a_second_ballot_is_accepted_exactly_when_the_policy_replaces() {
    let polls = VotePolicy::ALL.iter().map(|policy| {
        let slug = policy.to_string().replace('_', "-");
        Poll { vote_policy: *policy, ..poll(&slug) }
    });
    let polls: Vec<Poll> = polls.collect();
    let service = Setup::new().polls(polls.clone()).start().await;
    for poll in &polls {
        let (slug, replaces) = (poll.slug.as_str(), poll.vote_policy.replaces());
        let first = service.ballot(slug, &["cats"]).send().await;
        let cookie = first.cookie().unwrap();
        let second = service.ballot(slug, &["dogs"]).cookie(cookie).send().await;
        assert_eq!(second.status, if replaces { 202 } else { 409 }, "{slug}");
        let standing = if replaces { "dogs" } else { "cats" };
        assert_eq!(service.standing(slug, cookie).await, json!([standing]), "{slug}");
        let page = service.client.get(&format!("/polls/{slug}")).send().await;
        assert_eq!(page.text().contains("data-replaceable"), replaces, "{slug}");
    }
}

#[tokio::test]
async fn with_keep_first_one_of_many_simultaneous_ballots_stands() {
    let service = Setup::new().start().await;
    let page = service.client.get("/").send().await;
    let cookie = page.cookie().unwrap();
    let ballots = (0..20).map(|n| {
        let choice = if n % 2 == 0 { "cats" } else { "dogs" };
        tokio::spawn(service.ballot("pets", &[choice]).cookie(cookie).send())
    });
    let mut accepted = Vec::new();
    for ballot in ballots.collect::<Vec<_>>() {
        let reply = ballot.await.unwrap();
        match reply.status {
            202 => accepted.push(reply.json()["choices"].clone()),
            other => assert_eq!((other, reply.problem().as_str()), (409, "already-voted")),
        }
    }
    assert_eq!(accepted.len(), 1);
    assert_eq!(service.entries().await.len(), 1);
    assert_eq!(service.standing("pets", cookie).await, accepted[0]);
}

#[tokio::test]
async fn multiple_choice_takes_as_many_as_the_poll_allows() {
    let mut several = poll("pets");
    several.options.push(option("birds", "Birds"));
    several.options.push(option("fish", "Fish"));
    (several.choices_min, several.choices_max) = (2, 3);
    let service = Setup::new().polls([several]).start().await;
    let wrong: [&[&str]; 3] = [&["cats"], &["cats", "cats"], &["cats", "dogs", "birds", "fish"]];
    for choices in wrong {
        let reply = service.ballot("pets", choices).send().await;
        assert_eq!(reply.problem(), "invalid-choice", "{choices:?}");
    }
    let reply = service.ballot("pets", &["fish", "a"]).send().await;
    assert_eq!(reply.json()["choices"], json!(["cats", "fish"]));
    assert_eq!(service.entries().await[0].ballot.choices.mask(), 0b1001);
}
