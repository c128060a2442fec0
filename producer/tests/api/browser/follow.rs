//! Ballot pages that are open while the host acts, and phones whose clock is wrong.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::fantoccini::Locator;
use testkit::{Browser, BrowserOptions};
use votestream_schema::Poll;
use votestream_schema::poll::{VotePolicy, now_ms};

use super::{ONE_AT_A_TIME, SOON, ballot};
use crate::harness::{Service, Setup, poll};

/// The longest time after which an open page shows what the host has done.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(2);
/// The longest time after which a page that has no stream shows it: it asks every 15 s, give or take a third.
const ASKED_WITHIN: Duration = Duration::from_secs(25);

async fn open(service: &Service, browser: &Browser, slug: &str) {
    browser.goto(&ballot(service.client.address.port(), slug)).await.unwrap();
    // The page opens its stream.
    tokio::time::sleep(Duration::from_millis(500)).await;
}

async fn within(at_most: Duration, what: &str, browser: &Browser, css: &str, words: &str) {
    let since = Instant::now();
    browser.until_within(at_most, css, |text| text.contains(words)).await;
    eprintln!("{what}: {:?}", since.elapsed());
}

#[tokio::test]
async fn an_open_ballot_shows_within_two_seconds_what_the_host_does() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let in_ten_minutes = now_ms() + 600_000;
    let scheduled = Poll { opens_at_ms: Some(in_ten_minutes), ..poll("pets") };
    let replace = Poll { vote_policy: VotePolicy::Replace, ..scheduled };
    let draft = Poll { opens_at_ms: None, ..poll("finale") };
    let service = Setup::new().polls([replace, draft]).start().await;
    let browser =
        Browser::start(BrowserOptions { width: 360, height: 640, ..Default::default() }).await;

    // Opened early.
    open(&service, &browser, "pets").await;
    browser.until("#scheduled-title", |words| words == "Voting has not started").await;
    service.change("pets", |poll| poll.opens_at_ms = Some(now_ms())).await;
    within(FOLLOWED_WITHIN, "opened", &browser, "#poll-state", "Voting is open").await;
    browser.until("#send-label", |words| words == "Vote").await;

    // A corrected title and label, without a reload: what is marked stays marked.
    browser.click("label[for=option-dogs]").await;
    let corrected = |poll: &mut Poll| {
        poll.opens_at_ms = Some(now_ms() - 1_000);
        poll.title = "Cats or Hounds".into();
        poll.options[1].label = "Hounds".into();
    };
    service.change("pets", corrected).await;
    within(FOLLOWED_WITHIN, "title", &browser, "#poll-title", "Cats or Hounds").await;
    within(FOLLOWED_WITHIN, "label", &browser, "#send-label", "Vote for Hounds").await;
    assert!(browser.title().await.unwrap().starts_with("Cats or Hounds"));

    // A closing time, an extension of it, and a closing time that is nearly there and is put off.
    let closing_in = |ms: i64| {
        move |poll: &mut Poll| {
            corrected(poll);
            poll.closes_at_ms = Some(now_ms() + ms);
        }
    };
    service.change("pets", closing_in(125_000)).await;
    within(FOLLOWED_WITHIN, "closing time", &browser, "#closes-in", "2 min").await;
    service.change("pets", closing_in(2_500)).await;
    within(FOLLOWED_WITHIN, "sooner", &browser, "#closes-in", "2 s left").await;
    service.change("pets", closing_in(305_000)).await;
    within(FOLLOWED_WITHIN, "extended", &browser, "#closes-in", "5 min").await;
    let flaws = browser.flaws("ballot-followed").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));

    // Closed by hand: the form goes, and the words say so.
    browser.click("#send").await;
    browser.until("#standing-choices", |choices| choices == "Hounds").await;
    service.change("pets", closing_in(0)).await;
    within(FOLLOWED_WITHIN, "closed", &browser, "#poll-state", "Voting has closed").await;
    browser.until("#closed-title", |words| words == "Voting has closed").await;
    assert_eq!(browser.text("#closed-vote").await, "Thank you for voting.");
    assert!(browser.find(Locator::Id("ballot-form")).await.is_err());
    let flaws = browser.flaws("ballot-closed-by-hand").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));

    // A draft comes alive.
    open(&service, &browser, "finale").await;
    browser.until("#poll-title", |words| words == "This poll is not open yet").await;
    let flaws = browser.flaws("ballot-draft").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    service.change("finale", |poll| poll.opens_at_ms = Some(now_ms() + 600_000)).await;
    browser.until_within(FOLLOWED_WITHIN, "#poll-title", |words| words == "Cats vs Dogs").await;
    within(SOON, "scheduled", &browser, "#opens-in", "in 9 min").await;
    // The opening is cancelled.
    tokio::time::sleep(Duration::from_millis(500)).await;
    service.change("finale", |poll| poll.opens_at_ms = None).await;
    within(FOLLOWED_WITHIN, "cancelled", &browser, "#poll-title", "This poll is not open yet")
        .await;
}

/// Whatever is not known is not shown as known: the answer to a ballot was lost, and the poll closes.
#[tokio::test]
async fn a_ballot_without_an_answer_is_asked_for_when_the_poll_closes() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().polls([poll("pets")]).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    open(&service, &browser, "pets").await;
    // Ballots arrive and are stored, and no answer comes back.
    let lost = "const real = window.fetch;
         window.fetch = (url, options) => real(url, options).then((answer) =>
           options?.method === 'POST' ? Promise.reject(new TypeError('lost')) : answer);
         window.same = true;";
    browser.execute(lost, Vec::new()).await.unwrap();
    browser.click("label[for=option-dogs]").await;
    browser.click("#send").await;
    browser.until("#status", |words| words.contains("Not confirmed yet")).await;
    browser.click("#stop").await;
    browser.until("#problem", |words| words.contains("not confirmed")).await;
    service.change("pets", |poll| poll.closes_at_ms = Some(now_ms())).await;
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    let same = browser.execute("return window.same === undefined", Vec::new()).await.unwrap();
    assert_eq!(same, json!(true), "the server was asked");
}

/// Who votes with the keyboard is led to the words, and not to the top of the page.
#[tokio::test]
async fn the_focus_goes_to_the_words_when_the_form_goes() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().polls([poll("pets")]).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    open(&service, &browser, "pets").await;
    let focus = "document.getElementById('option-dogs').focus()";
    browser.execute(focus, Vec::new()).await.unwrap();
    service.change("pets", |poll| poll.closes_at_ms = Some(now_ms())).await;
    browser.until("#closed-title", |words| words == "Voting has closed").await;
    let focused = browser.execute("return document.activeElement.id", Vec::new()).await.unwrap();
    assert_eq!(focused, json!("closed-title"));
}

/// A telephone whose clock is this many milliseconds off.
async fn with_clock(off_ms: i64) -> Browser {
    let browser =
        Browser::start(BrowserOptions { width: 360, height: 640, ..Default::default() }).await;
    let wrong = format!(
        "const Real = Date; const off = {off_ms};
         class Wrong extends Real {{
           constructor(...given) {{ given.length === 0 ? super(Real.now() + off) : super(...given); }}
           static now() {{ return Real.now() + off; }}
         }}
         globalThis.Date = Wrong;"
    );
    let on_load = json!({ "source": wrong });
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", on_load).await.unwrap();
    browser
}

#[tokio::test]
async fn a_phone_whose_clock_is_45_s_off_opens_in_time() {
    let _turn = ONE_AT_A_TIME.lock().await;
    // With a stream, and where all streams are taken.
    for (streams_max, at_most_ms) in [("100", 2_000), ("0", 4_000)] {
        for off_ms in [-45_000, 45_000] {
            let browser = with_clock(off_ms).await;
            let opens_at_ms = now_ms() + 8_000;
            let pets = Poll { opens_at_ms: Some(opens_at_ms), ..poll("pets") };
            let setup = Setup::new().polls([pets]).flag("state-streams-max", streams_max);
            let service = setup.start().await;
            open(&service, &browser, "pets").await;
            browser.until("#opens-in", |words| words.starts_with("in ")).await;
            let shown = browser.text("#opens-in").await;
            let left_s: i64 = shown.split(' ').nth(1).unwrap().parse().unwrap();
            let right_s = (opens_at_ms - now_ms()) / 1_000;
            assert!((left_s - right_s).abs() <= 2, "{off_ms}: {shown}, {right_s} s are left");
            browser.until("#send-label", |words| words == "Vote").await;
            let late_ms = now_ms() - opens_at_ms;
            eprintln!("clock {off_ms} ms off, {streams_max} streams: {late_ms} ms late");
            assert!((0..at_most_ms).contains(&late_ms), "{off_ms}: {late_ms} ms late");
        }
    }
}

#[tokio::test]
async fn a_page_without_a_stream_asks_instead() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let setup = Setup::new().polls([poll("pets"), poll("birds")]);
    let service = setup.flag("state-streams-max", "0").start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    open(&service, &browser, "pets").await;
    service.change("pets", |poll| poll.closes_at_ms = Some(now_ms())).await;
    within(ASKED_WITHIN, "closed", &browser, "#poll-state", "Voting has closed").await;
    browser.until("#closed-title", |words| words == "Voting has closed").await;

    // A ballot that comes too late makes the page ask at once.
    open(&service, &browser, "birds").await;
    browser.click("label[for=option-dogs]").await;
    service.change("birds", |poll| poll.closes_at_ms = Some(now_ms())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    browser.click("#send").await;
    browser
        .until_within(FOLLOWED_WITHIN, "#closed-title", |words| words == "Voting has closed")
        .await;
    assert!(browser.text("#closed-vote").await.starts_with("No vote of yours"));
}

#[tokio::test]
async fn a_page_follows_a_replica_of_the_release_before_and_needs_no_event_source() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    let older = "const real = fetch; delete window.EventSource;
        window.fetch = (url, options) => String(url).endsWith('/state')
            ? Promise.resolve(new Response('', { status: 404 })) : real(url, options);";
    let on_load = json!({ "source": older });
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", on_load).await.unwrap();
    open(&service, &browser, "pets").await;
    service.change("pets", |poll| poll.title = "Dogs vs Cats".into()).await;
    within(ASKED_WITHIN, "title", &browser, "#poll-title", "Dogs vs Cats").await;
}

#[tokio::test]
async fn a_page_that_is_not_looked_at_holds_no_stream() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    open(&service, &browser, "pets").await;
    let hide = "Object.defineProperty(document, 'hidden', { value: true, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));";
    browser.execute(hide, Vec::new()).await.unwrap();
    service.change("pets", |poll| poll.closes_at_ms = Some(now_ms())).await;
    tokio::time::sleep(FOLLOWED_WITHIN).await;
    assert_eq!(browser.text("#poll-state").await, "Voting is open");
    let show = "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'));";
    browser.execute(show, Vec::new()).await.unwrap();
    within(FOLLOWED_WITHIN, "shown again", &browser, "#poll-state", "Voting has closed").await;
}
