//! The account of a poll's ballots, as a page and as JSON.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::fantoccini::Locator;
use testkit::{Browser, BrowserOptions};
use tokio_postgres::Client;
use votestream_schema::PollId;
use votestream_schema::poll::{Definition, Visibility};

use crate::browser::ONE_AT_A_TIME;
use crate::harness::{Database, Setup, poll};

/// Stores an account as a consumer does: 7,312 accepted, of which 7,309 count, 2 were replaced, and the rest as given.
async fn store(sql: &Client, poll: PollId, waiting: i64, since_ms: Option<i64>) {
    sql.execute(
        "INSERT INTO accounts VALUES ($1, 1795459231000, 7312, 7309, 2, 0, 0, 0, 0, $2, DEFAULT, $3)
         ON CONFLICT (poll_id) DO UPDATE SET waiting = excluded.waiting, differs_since_ms = excluded.differs_since_ms",
        &[&poll.0, &waiting, &since_ms],
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn the_account_is_there_once_it_was_taken() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    let service = Setup::on(&database.url).start().await;
    let missing = service.client.get("/api/polls/pets/accounts").send().await;
    assert_eq!(missing.status, 503);
    let page = service.client.get("/polls/pets/accounts").send().await;
    assert!(
        page.status == 200 && page.text().contains("has not been taken yet"),
        "{}",
        page.text()
    );

    store(&database.client, pets, 1, None).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let reply = service.client.get("/api/polls/pets/accounts").send().await;
    let expected = json!({
        "poll": "pets", "taken_at": "2026-11-23T18:40:31Z", "accepted": 7312, "counted": 7309, "replaced": 2,
        "out_of_time": 0, "no_such_code": 0, "dead": 0, "dropped": 0, "waiting": 1, "unexplained": 0,
        "differs_since": null,
    });
    assert_eq!(reply.json(), expected);
}

#[tokio::test]
async fn an_account_tells_no_turnout_that_the_poll_hides() {
    for (visibility, status) in [(Visibility::AfterClose, 200), (Visibility::Admin, 403)] {
        let mut database = Database::new().await;
        let pets = database.create(&Definition { visibility, ..poll("pets") }).await;
        store(&database.client, pets, 1, None).await;
        let service = Setup::on(&database.url).start().await;
        for (path, accepted) in
            [("/api/polls/pets/accounts", "7312"), ("/polls/pets/accounts", "7,312")]
        {
            let reply = service.client.get(path).send().await;
            assert_eq!(reply.status, status, "{path}");
            assert_eq!(reply.text().contains(accepted), status == 200, "{path}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn an_open_page_follows_the_account() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    store(&database.client, pets, 0, Some(1_795_459_200_000)).await;
    let service = Setup::on(&database.url).start().await;
    let address = format!("http://localhost:{}/polls/pets", service.client.address.port());
    let browser =
        Browser::start(BrowserOptions { width: 360, height: 640, ..Default::default() }).await;
    browser.goto(&address).await.unwrap();
    browser.find(Locator::Css("#table-details summary")).await.unwrap().click().await.unwrap();
    browser
        .find(Locator::LinkText("What became of every ballot"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser
        .until("#balance", |words| {
            words.starts_with("Ballots missing since") && words.contains(": 1.")
        })
        .await;
    let mut found = browser.flaws("account-missing").await;
    store(&database.client, pets, 1, None).await;
    browser.until("#balance", |words| words.starts_with("The account balances")).await;
    found.extend(browser.flaws("account-balanced").await);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let kind: Value = browser
        .execute("return document.getElementById('balance').dataset.balance", vec![])
        .await
        .unwrap();
    assert_eq!(kind, "balanced");
}
