//! The result of a past second: added up from the log, compared with the series, and as hidden as the results.

use serde_json::json;
use testkit::{Browser, BrowserOptions};
use votestream_schema::poll::{Definition, Visibility, now_ms, rfc3339};
use votestream_transparency::entry::Outcome;

use super::builder::LogBuilder;
use super::logged;
use crate::browser::ONE_AT_A_TIME;
use crate::harness::{Database, Service, Setup, poll};

/// A poll with a ballot in each millisecond of 1.5 seconds, of which ballot 1,200 replaces number 1. Every third one, from 0 on, is
/// for dogs. Returns the first second as well.
async fn counted() -> (Database, LogBuilder, Service, i64) {
    let mut database = Database::new().await;
    database.create(&poll("pets")).await;
    let second = now_ms().div_euclid(1_000) - 500;
    let mut log = LogBuilder::new(&database.client, "pets", second * 1_000).await;
    log.add_ballots(0..1_200);
    log.add(1_200, 2, Outcome::Counts, Some(1));
    log.add_ballots(1_201..1_500);
    log.store(&database.client).await;
    for (after, people) in [(0, 999_i64), (1, 500)] {
        let store = "INSERT INTO series (poll_id, second, votes) VALUES ($1, $2, $3)";
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&log.poll.0, &(second + after), &people];
        database.client.execute(store, &parameters).await.unwrap();
    }
    let service = Setup::on(&database.url).start().await;
    (database, log, service, second)
}

#[tokio::test]
async fn the_result_of_a_past_second_is_served() {
    let (_database, _log, service, second) = counted().await;
    let at = |after: i64| rfc3339((second + after) * 1_000);
    for (after, votes, voters, standing) in [
        (-1, [0, 0], 0, 0),
        (0, [666, 334], 1_000, 999),
        (1, [999, 500], 1_499, 1_499),
        (100, [999, 500], 1_499, 1_499),
    ] {
        let reply =
            service.client.get(&format!("/api/polls/pets/at/{}", at(after))).send().await.json();
        let expected = json!({
            "poll": "pets", "at": at(after), "voters": voters, "entries": 1_500, "series_agrees": true,
            "standing": [standing, standing],
            "options": [
                { "slug": "cats", "label": "Cats", "votes": votes[0] },
                { "slug": "dogs", "label": "Dogs", "votes": votes[1] },
            ],
        });
        assert_eq!(reply, expected, "{after}");
    }
    // A time within the second, or in another zone, names the same second.
    let within = at(0).replace('Z', ".75Z");
    let reply = service.client.get(&format!("/api/polls/pets/at/{within}")).send().await.json();
    assert_eq!((&reply["at"], &reply["voters"]), (&json!(at(0)), &json!(1_000)));
    for missing in [rfc3339(now_ms() + 5_000), "yesterday".to_owned(), "2026-05-16".to_owned()] {
        for base in ["/api/polls", "/polls"] {
            let reply = service.client.get(&format!("{base}/pets/at/{missing}")).send().await;
            assert_eq!(reply.status, 404, "{missing}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn past_results_are_as_hidden_as_results() {
    for visibility in [Visibility::AfterClose, Visibility::AfterVote, Visibility::Admin] {
        let (_database, _log, service) = logged(visibility).await;
        let at = rfc3339(now_ms() - 50_000);
        for base in ["/api/polls", "/polls"] {
            let reply = service.client.get(&format!("{base}/pets/at/{at}")).send().await;
            assert_eq!(reply.status, 403, "{visibility:?}: {}", reply.text());
            let text = reply.text();
            assert!(!text.contains("\"votes\"") && !text.contains("past-table"), "{text}");
        }
    }
    let mut database = Database::new().await;
    database.create(&Definition { receipts: Some(false), ..poll("pets") }).await;
    let service = Setup::on(&database.url).start().await;
    let at = rfc3339(now_ms() - 50_000);
    let reply = service.client.get(&format!("/polls/pets/at/{at}")).send().await;
    assert!(reply.status == 404 && reply.text().contains("no public log"), "{}", reply.text());
}

#[tokio::test]
async fn a_log_that_differs_from_the_series_or_cannot_be_added_up_is_said_so() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (database, _log, _service, second) = counted().await;
    let browser =
        Browser::start(BrowserOptions { width: 360, height: 640, ..Default::default() }).await;
    let open = async |service: &Service, after: i64| {
        let port = service.client.address.port();
        let at = rfc3339((second + after) * 1_000);
        browser.goto(&format!("http://localhost:{port}/polls/pets/at/{at}")).await.unwrap();
    };
    // Each dashboard adds the log up for itself, and keeps it for ten seconds.
    let service = Setup::on(&database.url).start().await;
    open(&service, 0).await;
    browser.until("#past-check", |words| words.starts_with("The time series agrees")).await;
    let mut flaws = browser.flaws("past-agrees").await;
    browser.click(".past-steps a:nth-of-type(5)").await;
    browser.until("#past-table tfoot td", |voters| voters == "1,499").await;

    database.client.execute("UPDATE series SET votes = votes - 1", &[]).await.unwrap();
    let service = Setup::on(&database.url).start().await;
    open(&service, 0).await;
    browser.until("#past-check", |words| words.starts_with("Log and time series differ")).await;
    flaws.extend(browser.flaws("past-differs").await);
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));

    // The second bundle repeats the first one.
    let repeat = "UPDATE log_bundles SET entries = (SELECT entries FROM log_bundles WHERE index = 0) WHERE index = 1";
    database.client.execute(repeat, &[]).await.unwrap();
    let service = Setup::on(&database.url).start().await;
    let at = rfc3339(second * 1_000);
    let reply = service.client.get(&format!("/api/polls/pets/at/{at}")).send().await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.text().contains("cannot be added up"), "{}", reply.text());
}
