//! The receipt on the ballot page, in a real browser.

use serde_json::json;
use testkit::{Browser, BrowserOptions};

use super::ONE_AT_A_TIME;
use crate::ballots::receipts::{logged, start};

#[tokio::test]
async fn the_receipt_of_a_vote_is_shown_as_a_picture() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (service, _) = start([logged("pets")]).await;
    let size = BrowserOptions { width: 360, height: 640, ..BrowserOptions::default() };
    let browser = Browser::start(size).await;
    let port = service.client.address.port();
    browser.goto(&format!("http://localhost:{port}/polls/pets")).await.unwrap();
    browser.click("label[for=option-cats]").await;
    browser.click("#send").await;
    browser.click("#receipt-details summary").await;
    let width = "return document.getElementById('receipt-picture').naturalWidth";
    testkit::eventually(std::time::Duration::from_secs(10), async || {
        let width = browser.execute(width, Vec::new()).await.unwrap();
        if width.as_u64().is_some_and(|it| it > 0) { Ok(()) } else { Err(width.to_string()) }
    })
    .await;
    let kept = "return Object.values(localStorage).map((one) => JSON.parse(one).log)";
    let kept = browser.execute(kept, Vec::new()).await.unwrap();
    assert_eq!(kept, json!(["vote.example/polls/pets"]));
    let to_picture = "document.getElementById('receipt-picture').scrollIntoView()";
    browser.execute(to_picture, Vec::new()).await.unwrap();
    let flaws = browser.flaws("ballot-receipt").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}
