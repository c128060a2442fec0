//! The ballot of a poll with voting codes in a browser that several people use.

use std::time::Duration;

use testkit::fantoccini::Locator;
use testkit::proxy::{Mode, Proxy};
use testkit::{Browser, BrowserOptions, eventually};
use votestream_schema::code::Code;
use votestream_schema::poll::VotePolicy;

use crate::browser::{ONE_AT_A_TIME, SOON, ballot};
use crate::codes;

/// Types into an element, which may lie under the bar with the button.
async fn type_into(browser: &Browser, id: &str, keys: &str) {
    let element = browser.find(Locator::Id(id)).await.unwrap();
    element.send_keys(keys).await.unwrap();
}

/// Marks an option, which may lie under the bar with the button.
async fn mark(browser: &Browser, option: &str) {
    let script =
        format!("document.getElementById('option-{option}').scrollIntoView({{ block: 'center' }})");
    browser.execute(&script, Vec::new()).await.unwrap();
    browser.click(&format!("label[for=option-{option}]")).await;
}

async fn vote(browser: &Browser, option: &str, code: &Code) {
    mark(browser, option).await;
    type_into(browser, "code", &code.printed()).await;
    browser.click("#send").await;
}

async fn marked(browser: &Browser) -> usize {
    browser.find_all(Locator::Css("input[name=vote]:checked")).await.unwrap().len()
}

#[tokio::test]
async fn the_second_person_on_a_shared_device_finds_an_empty_form() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (service, codes) = codes::start(VotePolicy::KeepFirst, 3).await;
    let browser = Browser::start(BrowserOptions::default()).await;
    let address = ballot(service.client.address.port(), "pets");
    browser.goto(&address).await.unwrap();
    browser.until("#send-label", |words| words == "Vote").await;
    vote(&browser, "cats", &codes[0]).await;
    browser.until("#standing-choices", |choices| choices == "Cats").await;
    assert_eq!((marked(&browser).await, browser.text("#send-label").await), (0, "Vote".to_owned()));

    // The second person votes on the same page, and the third after a reload.
    vote(&browser, "dogs", &codes[1]).await;
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    browser.goto(&address).await.unwrap();
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    assert_eq!(marked(&browser).await, 0);
    let flaws = browser.flaws("ballot-code-voted").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    vote(&browser, "cats", &codes[0]).await;
    browser.until("#code-problem", |words| words.starts_with("This code has been used")).await;
    let flaws = browser.flaws("ballot-code-used").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));

    // The page forgets the person before.
    browser.click("#forget").await;
    browser.until("#send-label", |words| words == "Vote").await;
    assert_eq!(browser.text("#standing-title").await, "");
    vote(&browser, "cats", &codes[2]).await;
    browser.until("#standing-choices", |choices| choices == "Cats").await;
    assert_eq!(service.entries().await.len(), 3);
}

#[tokio::test]
async fn a_voter_who_is_remembered_changes_the_vote_without_the_code() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (service, codes) = codes::start(VotePolicy::Replace, 2).await;
    let browser = Browser::start(BrowserOptions::default()).await;
    let address = ballot(service.client.address.port(), "pets");
    browser.goto(&address).await.unwrap();
    vote(&browser, "cats", &codes[0]).await;
    browser.until("#standing-choices", |choices| choices == "Cats").await;
    mark(&browser, "dogs").await;
    browser.click("#send").await;
    browser.until("#code-problem", |words| words == "Enter your voting code.").await;
    browser.goto(&address).await.unwrap();
    type_into(&browser, "remember", " ").await;
    let flaws = browser.flaws("ballot-code-remember").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    vote(&browser, "dogs", &codes[0]).await;
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    for choice in ["Cats", "Dogs"] {
        mark(&browser, &choice.to_lowercase()).await;
        assert_eq!(browser.text("#send-label").await, format!("Change my vote to {choice}"));
        browser.click("#send").await;
        browser.until("#standing-choices", |choices| choices == choice).await;
        browser.goto(&address).await.unwrap();
        browser.until("#standing-choices", |choices| choices == choice).await;
        assert_eq!(marked(&browser).await, 1);
    }
    assert_eq!(service.entries().await.len(), 4);
}

#[tokio::test]
async fn a_code_is_one_vote_in_a_browser_without_cookies_whose_first_answer_is_lost() {
    let _turn = ONE_AT_A_TIME.lock().await;
    for policy in VotePolicy::ALL {
        let (service, codes) = codes::start(*policy, 1).await;
        let proxy = Proxy::open(vec![service.client.address.port()]).await.unwrap();
        let browser =
            Browser::start(BrowserOptions { cookies: false, ..BrowserOptions::default() }).await;
        browser.goto(&ballot(proxy.port(), "pets")).await.unwrap();
        proxy.set(Mode::CutFrom);
        vote(&browser, "dogs", &codes[0]).await;
        eventually(SOON, async || service.entries().await.len() == 1).await;
        proxy.set(Mode::Reset);
        browser.until("#status", |words| words.contains("No connection to the server.")).await;
        // The voter gives up, and presses the button once more.
        browser.click("#stop").await;
        browser.until("#problem", |words| words.contains("never counted twice")).await;
        proxy.set(Mode::Pass);
        browser.click("#send").await;
        let wait = Duration::from_secs(60);
        browser.until_within(wait, "#standing-choices", |choices| choices == "Dogs").await;
        assert_eq!(browser.text("#standing-title").await, "Accepted: you voted for");
        assert_eq!(service.entries().await.len(), 1, "{policy}");
    }
}
