//! The ballot page solves challenges by itself.

use std::time::Duration;

use testkit::{Browser, BrowserOptions};

use super::super::super::browser::{ONE_AT_A_TIME, ballot};
use super::super::super::harness::Setup;
use super::siteverify::{Verifier, secret_file};

/// A browser for which `vote.example` is this machine. Its pages have no TLS, and so no `crypto.subtle`.
fn far_away() -> BrowserOptions {
    let arguments = vec!["--host-resolver-rules=MAP vote.example 127.0.0.1".to_owned()];
    BrowserOptions { arguments, ..BrowserOptions::default() }
}

/// Breaches of the content security policy that the browser has seen.
async fn breaches(browser: &Browser) -> Vec<String> {
    let errors = browser.console_errors().await;
    errors.into_iter().filter(|error| error.contains("Content Security Policy")).collect()
}

#[tokio::test]
async fn the_page_calculates_and_says_so_also_without_tls() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let hashes = "8000000";
    let setup = Setup::new().flag("challenge", "always").flag("challenge-work-hashes", hashes);
    let service = setup.start().await;
    let browser = Browser::start(far_away()).await;
    let address = format!("http://vote.example:{}/polls/pets", service.client.address.port());
    browser.goto(&address).await.unwrap();
    let is_secure = browser.execute("return isSecureContext", Vec::new()).await.unwrap();
    assert_eq!(is_secure, false);
    browser.click("label[for=option-cats]").await;
    browser.click("#send").await;
    let is_said = |words: &str| words.starts_with("Checking…") && words.contains("calculates");
    browser.until("#status", |words| is_said(words) && words.contains('%')).await;
    let flaws = browser.flaws("ballot-challenge").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    let wait = Duration::from_secs(90);
    browser.until_within(wait, "#standing-choices", |choices| choices == "Cats").await;
    assert_eq!(browser.text("#standing-title").await, "Accepted: you voted for");
    assert_eq!(breaches(&browser).await, [""; 0]);
    assert_eq!(service.entries().await.len(), 1);
}

#[tokio::test]
async fn a_voter_may_stop_the_calculation() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let hashes = "100000000";
    let setup = Setup::new().flag("challenge", "always").flag("challenge-work-hashes", hashes);
    let service = setup.start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&ballot(service.client.address.port(), "pets")).await.unwrap();
    browser.click("label[for=option-cats]").await;
    browser.click("#send").await;
    browser.until("#status", |words| words.starts_with("Checking…")).await;
    browser.click("#stop").await;
    browser.until("#problem", |words| words.contains("Stopped.")).await;
    assert!(service.entries().await.is_empty());
}

#[tokio::test]
async fn without_javascript_the_page_says_beforehand_that_it_is_needed() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().flag("challenge", "always").start().await;
    let options = BrowserOptions { javascript: false, ..BrowserOptions::default() };
    let browser = Browser::start(options).await;
    browser.goto(&ballot(service.client.address.port(), "pets")).await.unwrap();
    browser.until("#needs-script", |words| words.contains("This poll needs JavaScript")).await;
    browser.click("label[for=option-cats]").await;
    browser.click("#send").await;
    browser.until("#notice", |words| words.contains("Your vote is not stored.")).await;
}

#[tokio::test]
async fn the_page_shows_the_check_of_another_service_under_its_policy() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let verifier = Verifier::start().await;
    let service = verifier.setup(&secret_file()).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    let address = ballot(service.client.address.port(), "pets");
    browser.goto(&address).await.unwrap();
    browser.click("label[for=option-dogs]").await;
    browser.click("#send").await;
    browser.until("#status", |words| words.contains("Show below that you are a person")).await;
    browser.until("#person", |words| words == "I am a person (our site)").await;
    let flaws = browser.flaws("ballot-other-challenge").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    browser.click("#person").await;
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    assert_eq!(breaches(&browser).await, [""; 0]);
    assert_eq!(service.entries().await.len(), 1);
}

#[tokio::test]
async fn a_check_that_cannot_be_loaded_is_said() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let verifier = Verifier::start().await;
    let nobody = "http://127.0.0.1:9/api.js";
    let setup = verifier.setup(&secret_file()).replaced("challenge-script-url", nobody);
    let service = setup.start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&ballot(service.client.address.port(), "pets")).await.unwrap();
    browser.click("label[for=option-dogs]").await;
    browser.click("#send").await;
    browser
        .until("#problem", |words| {
            words.contains("Your vote is not stored.") && words.contains("cannot be loaded")
        })
        .await;
}
