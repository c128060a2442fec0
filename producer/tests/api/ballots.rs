//! Ballots as programs cast them, and every way in which one is refused.

pub mod receipts;

use serde_json::{Value, json};
use votestream_schema::Poll;
use votestream_schema::poll::{now_ms, rfc3339};

use crate::harness::{Setup, entry_of, key_in, poll};

const PATH: &str = "/api/polls/pets/ballots";

#[tokio::test]
async fn an_accepted_ballot_is_stored_under_the_entry_in_its_reply() {
    let service = Setup::new().start().await;
    let reply = service.ballot("pets", &["dogs"]).send().await;
    assert_eq!(reply.json()["status"], "accepted");
    assert_eq!(reply.json()["choices"], json!(["dogs"]));
    let entries = service.entries().await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].id, entry_of(&reply));
    assert_eq!(entries[0].ballot.choices.mask(), 0b10);
    let cookie = reply.cookie().unwrap();
    assert_eq!(key_in(cookie), entries[0].ballot.voter);
    assert!(!cookie.contains(&entries[0].ballot.voter.to_string()), "{cookie}");
    assert_eq!(service.standing("pets", cookie).await, json!(["dogs"]));
}

#[tokio::test]
async fn a_ballot_may_name_options_by_letter() {
    let service = Setup::new().start().await;
    let reply = service.ballot("pets", &["b"]).send().await;
    assert_eq!(reply.json()["choices"], json!(["dogs"]));
}

#[tokio::test]
async fn a_poll_is_answered_whole() {
    let mut whole = poll("pets");
    whole.options[1].description = Some("All of them.".to_owned());
    whole.options[1].colour = Some("#b3541e".to_owned());
    whole.closes_at_ms = Some(now_ms() + 60_000);
    let service = Setup::new().polls([whole]).start().await;
    let reply = service.client.get("/api/polls/pets").send().await;
    let poll = service.poll("pets");
    let mut body = reply.json();
    let token = body.as_object_mut().unwrap().remove("token").unwrap();
    assert!(token.as_str().unwrap().starts_with("v1."), "{token}");
    assert_eq!(
        body,
        json!({
            "slug": "pets", "title": "Cats vs Dogs", "state": "open",
            "options": [
                {"slug": "cats", "label": "Cats", "description": null, "colour": null},
                {"slug": "dogs", "label": "Dogs", "description": "All of them.", "colour": "#b3541e"},
            ],
            "choices_min": 1, "choices_max": 1, "shuffle": false, "vote_policy": "keep_first",
            "voter_policy": "open", "visibility": "always",
            "opens_at": rfc3339(poll.opens_at_ms.unwrap()),
            "closes_at": rfc3339(poll.closes_at_ms.unwrap()),
            "your_vote": "none", "your_choices": null,
        })
    );
}

#[tokio::test]
async fn the_trace_of_a_request_travels_with_its_ballot() {
    let service = Setup::new().start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    service.ballot("pets", &["cats"]).header("traceparent", trace).send().await;
    service.ballot("pets", &["cats"]).header("traceparent", "no trace").send().await;
    let entries = service.entries().await;
    assert_eq!(entries[0].fields["trace"], trace);
    assert!(!entries[1].fields.contains_key("trace"));
}

#[tokio::test]
async fn an_unknown_poll_is_answered_with_404() {
    let service = Setup::new().start().await;
    let replies = [
        service.ballot("birds", &["cats"]).send().await,
        service.client.get("/api/polls/birds").send().await,
    ];
    for reply in replies {
        assert_eq!((reply.status, reply.problem().as_str()), (404, "unknown-poll"));
        assert!(reply.text().contains("`birds`"));
    }
}

#[tokio::test]
async fn a_poll_takes_ballots_between_its_times_only() {
    let now = now_ms();
    let at = |slug, opens_at_ms, closes_at_ms, archived_at_ms| Poll {
        opens_at_ms: Some(opens_at_ms),
        closes_at_ms,
        archived_at_ms,
        ..poll(slug)
    };
    let polls = [
        at("scheduled", now + 600_000, Some(now + 700_000), None),
        at("closed", now - 700_000, Some(now - 600_000), None),
        at("archived", now - 700_000, Some(now - 600_000), Some(now)),
    ];
    let service = Setup::new().polls(polls.clone()).start().await;
    for poll in polls {
        let reply = service.ballot(poll.slug.as_str(), &["cats"]).send().await;
        assert_eq!((reply.status, reply.problem().as_str()), (403, "not-open"));
        let body = reply.json();
        assert_eq!(body["state"], poll.slug.as_str());
        assert_eq!(body["opens_at"], rfc3339(poll.opens_at_ms.unwrap()));
        assert_eq!(body["closes_at"], rfc3339(poll.closes_at_ms.unwrap()));
    }
    assert!(service.entries().await.is_empty());
}

#[tokio::test]
async fn a_draft_is_nobodys_to_see() {
    let draft = Poll { opens_at_ms: None, ..poll("draft") };
    let service = Setup::new().polls([poll("pets"), draft]).start().await;
    let reply = service.ballot("draft", &["cats"]).send().await;
    assert_eq!((reply.status, reply.problem().as_str()), (404, "unknown-poll"));
}

#[tokio::test]
async fn a_choice_that_the_poll_does_not_offer_is_invalid() {
    let service = Setup::new().start().await;
    let long = "x".repeat(300);
    let wrong: [&[&str]; 9] = [
        &[],
        &[""],
        &["birds"],
        &["CATS"],
        &["c"],
        &["cats", "dogs"],
        &["cats\0"],
        &["<script>"],
        &[&long],
    ];
    for choices in wrong {
        let reply = service.ballot("pets", choices).send().await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (422, "invalid-choice"),
            "{choices:?}"
        );
        assert!(reply.body.len() < 500, "a long option is not sent back whole");
        assert!(!reply.text().contains('\0'));
    }
    assert!(service.entries().await.is_empty());
}

#[tokio::test]
async fn a_body_that_is_no_ballot_is_malformed() {
    let service = Setup::new().start().await;
    let bodies: [&[u8]; 10] = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        br#"{"choices":"cats"}"#,
        br#"{"choices":[1]}"#,
        br#"{"choices":["cats"],"code":7}"#,
        b"{\"choices\":[\"\xff\xfe\"]}",
        b"{\"choices\":[\"cats\"]}\0",
    ];
    for body in bodies {
        let reply = service.client.post(PATH).body("application/json", body).send().await;
        let shown = String::from_utf8_lossy(body);
        assert_eq!((reply.status, reply.problem().as_str()), (400, "malformed"), "{shown}");
    }
    let deep = "[".repeat(16_000);
    let reply = service.client.post(PATH).body("application/json", deep).send().await;
    assert_eq!(reply.problem(), "malformed");
    assert!(service.entries().await.is_empty());
}

#[tokio::test]
async fn each_address_takes_its_own_media_type_only() {
    let service = Setup::new().start().await;
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    let ballot = r#"{"choices":["cats"]}"#;
    for wrong in [form, "text/plain", "multipart/form-data; boundary=x", "application/jsonp", ""] {
        let reply = service.client.post(PATH).body(wrong, ballot).send().await;
        assert_eq!((reply.status, reply.problem().as_str()), (415, "unsupported-media"), "{wrong}");
    }
    let bare = service.client.post(PATH).send().await;
    assert_eq!(bare.problem(), "unsupported-media");
    for wrong in [json, "text/plain", "multipart/form-data; boundary=x"] {
        let reply = service.client.post("/").body(wrong, "vote=a").send().await;
        assert_eq!(reply.status, 415, "{wrong}");
    }
    for right in ["application/json; charset=utf-8", "Application/JSON"] {
        let reply = service.client.post(PATH).body(right, ballot).send().await;
        assert_eq!(reply.status, 202, "{right}");
    }
}

#[tokio::test]
async fn a_body_over_16_kib_is_too_large_with_or_without_a_length() {
    let service = Setup::new().start().await;
    let padded = |bytes: usize| {
        let ballot = r#"{"choices":["cats"]"#;
        format!("{ballot}{}}}", " ".repeat(bytes - ballot.len() - 1))
    };
    let cast = |bytes| service.client.post(PATH).body("application/json", padded(bytes));
    for reply in [cast(16_384).send().await, cast(16_384).chunked(1_000).send().await] {
        assert_eq!(reply.status, 202);
    }
    for bytes in [16_385, 100_000, 1_000_000] {
        for reply in [cast(bytes).send().await, cast(bytes).chunked(1_000).send().await] {
            assert_eq!((reply.status, reply.problem().as_str()), (413, "too-large"), "{bytes}");
        }
    }
    for endless in [cast(8_000_000).bytes(), cast(8_000_000).chunked(1_000).bytes()] {
        let reply = service.client.exchange(&endless).await;
        assert!(reply.is_none_or(|reply| reply.status == 413), "refused, or cut off");
    }
    let form = service.client.post("/").form(format!("vote=a&x={}", "y".repeat(17_000)));
    assert_eq!(form.send().await.status, 413);
    assert_eq!(service.entries().await.len(), 2);
}

#[tokio::test]
async fn a_voter_who_has_voted_sees_the_standing_vote() {
    let service = Setup::new().start().await;
    let first = service.ballot("pets", &["cats"]).send().await;
    let cookie = first.cookie().unwrap();
    for choice in ["cats", "dogs"] {
        let reply = service.ballot("pets", &[choice]).cookie(cookie).send().await;
        assert_eq!((reply.status, reply.problem().as_str()), (409, "already-voted"));
        assert_eq!(reply.json()["choices"], json!(["cats"]));
        assert_eq!(reply.cookie(), None);
    }
    assert_eq!(service.entries().await.len(), 1);
}

#[tokio::test]
async fn one_cookie_votes_once_in_each_poll() {
    let service = Setup::new().polls([poll("pets"), poll("more-pets")]).start().await;
    let first = service.ballot("pets", &["cats"]).send().await;
    let cookie = first.cookie().unwrap();
    let second = service.ballot("more-pets", &["dogs"]).cookie(cookie).send().await;
    assert_eq!(second.status, 202);
    assert_eq!(service.standing("pets", cookie).await, json!(["cats"]));
    assert_eq!(service.standing("more-pets", cookie).await, json!(["dogs"]));
    assert_eq!(service.standing("pets", "voter=").await, Value::Null);
}
