//! The pages as people use them: a real browser visits the whole pipeline.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

use std::time::Duration;

use testkit::fantoccini::Locator;
use testkit::{Browser, BrowserOptions, Pipeline};
use tokio::sync::Mutex;

const SOON: Duration = Duration::from_secs(60);

/// Tests take turns: a small machine cannot run two browsers and two pipelines at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

async fn vote_for(browser: &Browser, pipeline: &Pipeline, option: &str) {
    browser.goto(&pipeline.vote).await.unwrap();
    browser.click(&format!("label[for=option-{option}]")).await;
    browser.click("#send").await;
    browser.until("#standing-title", |title| !title.is_empty()).await;
}

#[tokio::test]
async fn a_vote_stands_after_a_reload_and_the_results_move_while_one_watches() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let pipeline = Pipeline::start(&[]);
    let watcher = Browser::start(BrowserOptions::default()).await;
    watcher.goto(&pipeline.results).await.unwrap();
    watcher.until("#light-words", |words| words.contains("Live")).await;
    watcher.until("#voters", |voters| voters == "0").await;

    let voter = Browser::start(BrowserOptions { width: 390, ..BrowserOptions::default() }).await;
    vote_for(&voter, &pipeline, "dogs").await;
    voter.until("#standing-choices", |choices| choices.contains("Dogs")).await;
    voter.refresh().await.unwrap();
    voter.until("#standing-choices", |choices| choices.contains("Dogs")).await;
    assert!(voter.find(Locator::Css("#ballot-form")).await.is_err(), "the form is still there");
    watcher.until("#voters", |voters| voters == "1").await;
    watcher.until("li[data-option=dogs] .row-share", |share| share.starts_with("100")).await;

    let second = Browser::start(BrowserOptions::default()).await;
    vote_for(&second, &pipeline, "cats").await;
    watcher.until("#voters", |voters| voters == "2").await;
    watcher.until("li[data-option=cats] .row-share", |share| share.starts_with("50")).await;
    for browser in [&watcher, &voter, &second] {
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn whoever_has_voted_sees_the_results_of_a_poll_that_hides_them_from_others() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let pipeline = Pipeline::start(&[]);
    let servers = ["DATABASE_URL", "REDIS_URL"].map(|name| (name, pipeline.variable(name)));
    let create = [
        "poll",
        "create",
        "--slug",
        "supper",
        "--title",
        "Supper?",
        "--option",
        "Soup",
        "--option",
        "Salad",
        "--visibility",
        "after_vote",
        "--open",
    ];
    let created = std::process::Command::new(testkit::binary("votectl"))
        .args(create)
        .envs(servers)
        .output()
        .unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));

    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&format!("{}polls/supper", pipeline.vote)).await.unwrap();
    browser.click("#results-link").await;
    browser.until("#hidden-words", |words| words.starts_with("You see them once")).await;
    browser.click("#hidden-vote a").await;
    browser.click("label[for=option-soup]").await;
    browser.click("#send").await;
    browser.until("#standing-choices", |choices| choices == "Soup").await;
    browser.click("#results-link").await;
    browser.until("#voters", |voters| voters == "1").await;
    browser.until("li[data-option=soup] .row-share", |share| share.starts_with("100")).await;
    let address = browser.current_url().await.unwrap();
    assert_eq!((address.path(), address.query()), ("/polls/supper", None));
    // Another visitor sees none of it.
    let other = Browser::start(BrowserOptions::default()).await;
    other.goto(address.as_str()).await.unwrap();
    other.until("#hidden-voters", |voters| voters == "1").await;
    assert_eq!(other.text("#voters").await, "");
    for browser in [&browser, &other] {
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
    voter.until("#standing-choices", |choices| choices.contains("Cats")).await;
    assert_eq!(voter.current_url().await.unwrap().as_str(), pipeline.vote);

    let counted = async || {
        voter.goto(&pipeline.results).await.unwrap();
        (voter.text("#voters").await == "1").then_some(())
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
        browser.until("#light-words", |words| words.contains("Live")).await;
        look("results").await;
        browser.goto(&format!("{}polls/none", pipeline.vote)).await.unwrap();
        look("unknown poll").await;
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
