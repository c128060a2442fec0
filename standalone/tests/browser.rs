//! The pages as people use them: a real browser on the whole pipeline.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

mod common;

use std::time::Duration;

use common::Pipeline;
use testkit::fantoccini::Locator;
use testkit::{Browser, BrowserOptions};
use tokio::sync::Mutex;

const SOON: Duration = Duration::from_secs(20);

/// A browser and a whole pipeline at a time are enough for a small machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The text of an element, empty while there is none.
async fn text(browser: &Browser, css: &str) -> String {
    match browser.find(Locator::Css(css)).await {
        Ok(element) => element.text().await.unwrap_or_default(),
        Err(_) => String::new(),
    }
}

async fn click(browser: &Browser, css: &str) {
    let found = browser.wait().at_most(SOON).for_element(Locator::Css(css)).await;
    found.unwrap_or_else(|e| panic!("no {css}: {e}")).click().await.unwrap();
}

/// Waits until an element's text is as wanted.
async fn until(browser: &Browser, css: &str, wanted: impl Fn(&str) -> bool) {
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let text = text(browser, css).await;
        if wanted(&text) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{css} stays {text:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn vote_for(browser: &Browser, pipeline: &Pipeline, option: &str) {
    browser.goto(&pipeline.vote).await.unwrap();
    click(browser, &format!("label[for=option-{option}]")).await;
    click(browser, "#send").await;
    until(browser, "#standing-title", |title| !title.is_empty()).await;
}

#[tokio::test]
async fn a_vote_stands_after_a_reload_and_the_results_move_while_one_watches() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let pipeline = Pipeline::start(&[]);
    let watcher = Browser::start(BrowserOptions::default()).await;
    watcher.goto(&pipeline.results).await.unwrap();
    until(&watcher, "#light-words", |words| words.contains("Live")).await;
    until(&watcher, "#voters", |voters| voters == "0").await;

    let voter = Browser::start(BrowserOptions { width: 390, ..BrowserOptions::default() }).await;
    vote_for(&voter, &pipeline, "dogs").await;
    until(&voter, "#standing-choices", |choices| choices.contains("Dogs")).await;
    voter.refresh().await.unwrap();
    until(&voter, "#standing-choices", |choices| choices.contains("Dogs")).await;
    assert!(voter.find(Locator::Css("#ballot-form")).await.is_err(), "the form is still there");
    until(&watcher, "#voters", |voters| voters == "1").await;
    until(&watcher, "li[data-option=dogs] .row-share", |share| share.starts_with("100")).await;

    let second = Browser::start(BrowserOptions::default()).await;
    vote_for(&second, &pipeline, "cats").await;
    until(&watcher, "#voters", |voters| voters == "2").await;
    until(&watcher, "li[data-option=cats] .row-share", |share| share.starts_with("50")).await;
    for browser in [&watcher, &voter, &second] {
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn without_javascript_the_form_votes_and_the_page_says_what_stands() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let pipeline = Pipeline::start(&[]);
    let plain = BrowserOptions { javascript: false, ..BrowserOptions::default() };
    let voter = Browser::start(plain).await;
    vote_for(&voter, &pipeline, "cats").await;
    until(&voter, "#standing-choices", |choices| choices.contains("Cats")).await;
    assert_eq!(voter.current_url().await.unwrap().as_str(), pipeline.vote);

    let counted = async || {
        voter.goto(&pipeline.results).await.unwrap();
        (text(&voter, "#voters").await == "1").then_some(())
    };
    let deadline = tokio::time::Instant::now() + SOON;
    while counted().await.is_none() {
        assert!(tokio::time::Instant::now() < deadline, "the vote is not shown");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn axe_finds_nothing_on_either_page_light_or_dark_small_or_large() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let pipeline = Pipeline::start(&[]);
    let mut found = Vec::new();
    for (dark, width) in [(false, 320), (true, 320), (false, 1440), (true, 1440)] {
        let browser =
            Browser::start(BrowserOptions { dark, width, ..BrowserOptions::default() }).await;
        let mut look = async |page: &str| {
            let violations = browser.axe_violations().await;
            found.extend(
                violations.into_iter().map(|v| format!("{page}, {width} px, dark {dark}: {v}")),
            );
        };
        browser.goto(&pipeline.vote).await.unwrap();
        browser.wait().at_most(SOON).for_element(Locator::Css("#send")).await.unwrap();
        look("ballot").await;
        vote_for(&browser, &pipeline, "cats").await;
        look("ballot after voting").await;
        browser.goto(&pipeline.results).await.unwrap();
        until(&browser, "#light-words", |words| words.contains("Live")).await;
        look("results").await;
        browser.goto(&format!("{}polls/none", pipeline.vote)).await.unwrap();
        look("unknown poll").await;
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
