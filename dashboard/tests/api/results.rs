//! The JSON replies: the list of polls, the tally and the series.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::eventually;
use votestream_schema::poll::{Definition, now_ms};

use crate::harness::{Database, Setup, in_ms, poll};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_list_names_every_poll_that_is_not_a_draft_nor_archived() {
    let mut database = Database::new().await;
    for definition in [
        poll("pets"),
        Definition { opens_at: Some(in_ms(600_000)), ..poll("later") },
        Definition { opens_at: None, ..poll("draft") },
        Definition { closes_at: Some(in_ms(-1_000)), ..poll("over") },
        poll("archived"),
    ] {
        database.create(&definition).await;
    }
    let archive = "UPDATE polls SET archived_at_ms = 1, revision = 2 WHERE slug = 'archived'";
    database.client.batch_execute(archive).await.unwrap();
    let service = Setup::on(&database.url).start().await;
    let reply = service.client.get("/api/polls").send().await;
    let listed: Vec<(Value, Value)> = reply.json()["polls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|poll| (poll["slug"].clone(), poll["state"].clone()))
        .collect();
    let expected = [("pets", "open"), ("later", "scheduled"), ("over", "closed")];
    assert_eq!(listed, expected.map(|(slug, state)| (json!(slug), json!(state))));
    let tally = service.client.get("/api/polls/archived/tally").send().await;
    assert_eq!(tally.json()["state"], "archived", "it can still be looked at");
    let draft = service.client.get("/api/polls/draft/tally").send().await;
    assert_eq!((draft.status, draft.problem().as_str()), (404, "unknown-poll"));
}

#[tokio::test]
async fn the_tally_is_told_as_it_was_counted() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    let service = Setup::on(&database.url).start().await;
    let empty = service.client.get("/api/polls/pets/tally").send().await.json();
    assert_eq!((&empty["version"], &empty["voters"]), (&json!(0), &json!(0)));
    database.count(pets, 99, &[60, 39]).await;
    let tally = eventually(SOON, async || {
        let tally = service.client.get("/api/polls/pets/tally").send().await.json();
        (tally["version"] == 1).then_some(tally)
    })
    .await;
    assert_eq!(
        tally,
        json!({
            "poll": "pets", "state": "open", "version": 1, "voters": 99,
            "options": [
                {"slug": "cats", "label": "Cats", "votes": 60},
                {"slug": "dogs", "label": "Dogs", "votes": 39},
            ],
            "opens_at": tally["opens_at"], "closes_at": null,
            "final": false, "complete_to": null, "waiting": null,
            "as_of": tally["as_of"], "stale": false, "stale_since": null,
        })
    );
}

#[tokio::test]
async fn the_series_holds_the_seconds_that_were_asked_for() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    let now_s = now_ms() / 1_000;
    for (ago, votes) in [(5_000, 1), (1_000, 2), (200, 3), (50, 4), (60, 5)] {
        database.add_second(pets, now_s - ago, votes).await;
    }
    let service = Setup::on(&database.url).start().await;
    for (query, length, votes) in [
        ("", 300, json!([3, 5, 4])),
        ("?seconds=100", 100, json!([5, 4])),
        ("?seconds=3600", 3_600, json!([2, 3, 5, 4])),
        ("?seconds=9999999", 3_600, json!([2, 3, 5, 4])),
        ("?seconds=0", 1, json!([])),
        ("?seconds=-7", 1, json!([])),
        ("?seconds=many", 300, json!([3, 5, 4])),
        ("?seconds=%ff&%zz", 300, json!([3, 5, 4])),
    ] {
        let path = format!("/api/polls/pets/series{query}");
        let series = service.client.get(&path).send().await.json();
        let (from, to) = (series["from"].as_i64().unwrap(), series["to"].as_i64().unwrap());
        assert_eq!(to - from, length, "{query}");
        assert!((now_s..now_s + 60).contains(&to), "{query}");
        let points = series["points"].as_array().unwrap();
        let told: Vec<&Value> = points.iter().map(|point| &point[1]).collect();
        assert_eq!(json!(told), votes, "{query}");
    }
}

/// Many pages request the same series at once, as twelve thousand do when their streams reconnect.
#[tokio::test]
async fn whoever_asks_for_the_same_within_a_tick_is_told_the_same() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    let service = Setup::on(&database.url).flag("tick-ms", "3000").start().await;
    let ask = async || service.client.get("/api/polls/pets/series").send().await.json();
    let first = ask().await;
    database.add_second(pets, now_ms() / 1_000 - 5, 7).await;
    assert_eq!(ask().await, first);
    eventually(SOON, async || {
        let series = ask().await;
        if series["points"][0][1] == 7 { Ok(()) } else { Err(series) }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_poll_is_told_everywhere() {
    let service = Setup::new().start().await;
    for path in ["tally", "series", "events"] {
        let reply = service.client.get(&format!("/api/polls/birds/{path}")).send().await;
        assert_eq!((reply.status, reply.problem().as_str()), (404, "unknown-poll"), "{path}");
    }
    let page = service.client.get("/polls/birds").send().await;
    assert_eq!(page.status, 404);
    assert!(page.text().contains("Unknown poll"));
}

#[tokio::test]
async fn three_dashboards_show_the_same() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    let services = [
        Setup::on(&database.url).start().await,
        Setup::on(&database.url).flag("tick-ms", "50").start().await,
        Setup::on(&database.url).flag("tick-ms", "100").start().await,
    ];
    for round in 1..=5 {
        database.count(pets, 3 * round, &[round, 2 * round]).await;
        let mut told = Vec::new();
        for service in &services {
            let tally = eventually(SOON, async || {
                let tally = service.client.get("/api/polls/pets/tally").send().await.json();
                (tally["version"] == round).then_some(tally)
            });
            let mut tally = tally.await;
            tally["as_of"] = json!(null);
            told.push(tally);
        }
        assert!(told.iter().all(|tally| *tally == told[0]), "{told:?}");
    }
}
