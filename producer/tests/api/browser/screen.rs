//! The first screen of a telephone, jumps of the page, and what the page says and marks.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use testkit::fantoccini::Locator;
use testkit::{Browser, BrowserOptions, eventually, in_pieces, own_redis};
use votestream_schema::poll::{VotePolicy, VoterPolicy, now_ms};
use votestream_schema::{Poll, PollOption};

use super::{ONE_AT_A_TIME, SOON, ballot, polls};
use crate::codes;
use crate::harness::{Setup, option, poll};

async fn run(browser: &Browser, script: &str) -> Value {
    browser.execute(script, Vec::new()).await.unwrap()
}

/// Marks an option that may lie under the bar with the button.
async fn mark(browser: &Browser, option: &str) {
    let script =
        format!("document.getElementById('option-{option}').scrollIntoView({{ block: 'center' }})");
    run(browser, &script).await;
    browser.click(&format!("label[for=option-{option}]")).await;
}

fn telephone() -> BrowserOptions {
    BrowserOptions { width: 360, height: 640, ..BrowserOptions::default() }
}

#[tokio::test]
async fn the_first_screen_of_a_telephone_has_the_code_field_and_three_options() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let closes_at_ms = Some(now_ms() + 3_600_000);
    let three = |slug: &str| {
        let birds = option("birds", "Birds");
        let options = poll(slug).options.into_iter().chain([birds]).collect();
        Poll { options, closes_at_ms, ..poll(slug) }
    };
    let all = [three("open"), Poll { voter_policy: VoterPolicy::Code, ..three("code") }];
    let service = Setup::new().polls(all).start().await;
    let browser = Browser::start(telephone()).await;
    for slug in ["open", "code"] {
        browser.goto(&ballot(service.client.address.port(), slug)).await.unwrap();
        browser.until("#closes-in", |words| words.contains("left")).await;
        let script = "const bottom = (one) => one.getBoundingClientRect().bottom;
            return { options: [...document.querySelectorAll('.option')].map(bottom),
                     code: [...document.querySelectorAll('#code')].map(bottom),
                     fold: document.querySelector('.send').getBoundingClientRect().top };";
        let places = run(&browser, script).await;
        let fold = places["fold"].as_f64().unwrap();
        let lowest = places["options"].as_array().unwrap().last().unwrap().as_f64().unwrap();
        assert!(lowest <= fold, "{slug}: {places}");
        if let Some(code) = places["code"].as_array().unwrap().first() {
            assert!(code.as_f64().unwrap() <= fold, "{slug}: {places}");
        }
        let flaws = browser.flaws(&format!("ballot-{slug}-360")).await;
        assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    }
}

#[tokio::test]
async fn no_state_of_the_page_jumps() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let closing = Poll { closes_at_ms: Some(now_ms() + 86_400_000), ..poll("closing") };
    let far = Poll { opens_at_ms: Some(now_ms() + 200_000_000), ..poll("far") };
    let all = polls().into_iter().chain([closing, far]);
    let service = Setup::new().polls(all).flag("results-url", "https://r.example/").start().await;
    let port = service.client.address.port();
    let mut found = Vec::new();
    for (width, height) in [(360, 640), (768, 1024)] {
        let browser =
            Browser::start(BrowserOptions { width, height, ..BrowserOptions::default() }).await;
        for slug in [
            "pets",
            "many",
            "code",
            "closed",
            "scheduled",
            "replace",
            "described",
            "closing",
            "draft",
            "abstain",
            "far",
        ] {
            browser.goto(&ballot(port, slug)).await.unwrap();
            browser.until("#poll-title", |title| !title.is_empty()).await;
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            found.extend(browser.jumps(&format!("{slug} at {width} px")).await);
            if width == 768 {
                found.extend(browser.flaws(&format!("ballot-{slug}-768")).await);
            }
        }
        // After a vote, on the page that took it and on the next one.
        browser.goto(&ballot(port, "replace")).await.unwrap();
        mark(&browser, "cats").await;
        browser.click("#send").await;
        browser.until("#standing-choices", |choices| choices == "Cats").await;
        browser.goto(&ballot(port, "replace")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        found.extend(browser.jumps(&format!("voted at {width} px")).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Over a slow network the browser paints the part of a page that has arrived.
#[tokio::test]
async fn a_ballot_that_arrives_in_pieces_does_not_jump() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let long = "A label that is too long for one line of a narrow screen beside its mark";
    let polls = [("two", 2), ("twelve", 12)].map(|(slug, number)| {
        let label = |nth| if nth == 1 { long } else { "Cats" };
        let options = (0..number).map(|nth| PollOption {
            description: (nth == 0).then(|| "And a sentence about them.".to_owned()),
            ..option(&format!("o{nth}"), label(nth))
        });
        Poll { options: options.collect(), ..poll(slug) }
    });
    let service = Setup::new().polls(polls).start().await;
    let mut found = Vec::new();
    for before in ["<label class=\"card\"", "<span class=\"card-label", "<div class=\"send\">"] {
        let port = in_pieces(service.client.address.port(), before).await;
        for (width, height) in [(360, 640), (1440, 900)] {
            let options = BrowserOptions { width, height, ..Default::default() };
            let browser = Browser::start(options).await;
            for slug in ["two", "twelve"] {
                browser.goto(&ballot(port, slug)).await.unwrap();
                browser.until("#poll-state", |words| words == "Voting is open").await;
                found.extend(browser.jumps(&format!("{slug} at {width} px, {before}")).await);
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn the_button_does_not_offer_the_vote_that_stands() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let replace = Poll { vote_policy: VotePolicy::Replace, ..poll("pets") };
    let service = Setup::new().polls([replace]).start().await;
    let browser = Browser::start(telephone()).await;
    let address = ballot(service.client.address.port(), "pets");
    browser.goto(&address).await.unwrap();
    mark(&browser, "cats").await;
    assert_eq!(browser.text("#send-label").await, "Vote for Cats");
    browser.click("#send").await;
    browser.until("#standing-choices", |choices| choices == "Cats").await;
    for _ in 0..2 {
        browser.until("#send-label", |words| words == "Change my vote").await;
        browser.click("#send").await;
        browser.until("#problem", |words| words.contains("Mark another choice")).await;
        mark(&browser, "dogs").await;
        browser.until("#send-label", |words| words == "Change my vote to Dogs").await;
        browser.goto(&address).await.unwrap();
    }
    assert_eq!(service.entries().await.len(), 1);
}

#[tokio::test]
async fn an_address_marks_an_option_and_each_voter_keeps_an_order() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let options = (1..=12).map(|n| option(&format!("o{n}"), &format!("Cat {n}"))).collect();
    let shuffled = Poll { options, shuffle: true, ..poll("pets") };
    let service = Setup::new().polls([shuffled]).start().await;
    let port = service.client.address.port();
    let order = "return [...document.querySelectorAll('.box')].map((one) => one.value)";
    let mut orders = BTreeSet::new();
    for _ in 0..2 {
        let browser = Browser::start(telephone()).await;
        let address = format!("{}?option=o7", ballot(port, "pets"));
        browser.goto(&address).await.unwrap();
        browser.until("#send-label", |words| words == "Vote for Cat 7").await;
        let first = run(&browser, order).await;
        browser.goto(&address).await.unwrap();
        assert_eq!(run(&browser, order).await, first, "a reload keeps the order");
        orders.insert(first.to_string());
        browser.click("#send").await;
        browser.until("#standing-choices", |choices| choices == "Cat 7").await;
    }
    assert_eq!(orders.len(), 2, "two voters have two orders");
    assert!(service.entries().await.iter().all(|entry| entry.ballot.choices.mask() == 1 << 6));
}

#[tokio::test]
async fn a_voter_may_choose_none_of_the_options_where_the_poll_says_so() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let polls = [
        Poll { choices_min: 0, ..poll("pets") },
        Poll { choices_min: 0, vote_policy: VotePolicy::Replace, ..poll("replace") },
    ];
    let service = Setup::new().polls(polls).start().await;
    let port = service.client.address.port();
    let browser = Browser::start(telephone()).await;
    browser.goto(&ballot(port, "pets")).await.unwrap();
    browser.click("#send").await;
    browser.until("#problem", |words| words.contains("Mark a choice first")).await;
    let flaws = browser.flaws("ballot-abstain").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    browser.click("#abstain").await;
    browser.until("#standing-title", |words| words.contains("you chose none of the options")).await;
    browser.goto(&ballot(port, "pets")).await.unwrap();
    browser.until("#standing-title", |words| words == "You chose none of the options").await;
    // It may be changed to a choice, and back.
    browser.goto(&ballot(port, "replace")).await.unwrap();
    browser.click("#abstain").await;
    browser.until("#standing-title", |words| words.contains("you chose none")).await;
    browser.click("#abstain").await;
    browser.until("#problem", |words| words.contains("Mark another choice")).await;
    mark(&browser, "dogs").await;
    browser.click("#send").await;
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    browser.click("#abstain").await;
    browser.until("#standing-title", |words| words.contains("you chose none")).await;
    let masks: Vec<i64> =
        service.entries().await.iter().map(|entry| entry.ballot.choices.mask()).collect();
    assert_eq!(masks, [0, 0, 2, 0]);
}

#[tokio::test]
async fn a_voter_whose_browser_keeps_no_cookies_is_told_so() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().start().await;
    let address = ballot(service.client.address.port(), "pets");
    for javascript in [true, false] {
        let options = BrowserOptions { cookies: false, javascript, ..telephone() };
        let browser = Browser::start(options).await;
        browser.goto(&address).await.unwrap();
        if javascript {
            browser.until("#no-cookies", |words| words.contains("keeps no cookies")).await;
        }
        mark(&browser, "cats").await;
        browser.click("#send").await;
        browser.until("#no-cookie-note", |words| words.contains("no need to vote again")).await;
        if javascript {
            let flaws = browser.flaws("ballot-no-cookies").await;
            assert!(flaws.is_empty(), "{}", flaws.join("\n"));
        }
    }
    assert_eq!(service.entries().await.len(), 2);
}

#[tokio::test]
async fn a_wrong_code_is_not_recognised_and_stays_for_the_voter_to_correct() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (service, codes) = codes::start(VotePolicy::KeepFirst, 1).await;
    let address = ballot(service.client.address.port(), "pets");
    for javascript in [true, false] {
        let browser = Browser::start(BrowserOptions { javascript, ..telephone() }).await;
        browser.goto(&address).await.unwrap();
        let field = browser.find(Locator::Id("code")).await.unwrap();
        field.send_keys("0123-4567-89AB-CDEF").await.unwrap();
        mark(&browser, "dogs").await;
        browser.click("#send").await;
        let said = if javascript { "#code-problem" } else { "#notice" };
        browser.until(said, |words| words.contains("not recognised")).await;
        let field = browser.find(Locator::Id("code")).await.unwrap();
        let value = field.prop("value").await.unwrap();
        assert_eq!(value.as_deref(), Some("0123-4567-89AB-CDEF"), "{javascript}");
        let marked = browser.find(Locator::Css("#option-dogs:checked")).await;
        assert!(marked.is_ok(), "the mark stays: {javascript}");
    }
    assert_eq!((codes.len(), service.entries().await.len()), (1, 0));
}

#[tokio::test]
async fn a_form_without_scripts_keeps_its_marks_and_names_no_server() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut redis = own_redis();
    let service = Setup::on(redis.url()).polls([Poll { choices_max: 2, ..poll("pets") }]);
    let service = service.start().await;
    let browser = Browser::start(BrowserOptions { javascript: false, ..telephone() }).await;
    browser.goto(&ballot(service.client.address.port(), "pets")).await.unwrap();
    mark(&browser, "dogs").await;
    redis.freeze();
    browser.click("#send").await;
    browser.until("#notice", |words| words.contains("never counted twice")).await;
    let text = browser.text("#main").await.to_lowercase();
    assert!(!text.contains("redis") && !text.contains("server"), "{text}");
    assert!(browser.find(Locator::Css("#option-dogs:checked")).await.is_ok(), "the mark stays");
    redis.thaw();
    eventually(SOON, async || {
        let token = browser.find(Locator::Id("send")).await;
        let Ok(button) = token else { return true };
        let _ = button.click().await;
        browser.text("#standing-choices").await == "Dogs"
    })
    .await;
    assert_eq!(service.entries().await.len(), 1);
}

/// A machine that does other things paints later, so the best of a few times is taken.
#[tokio::test]
async fn a_slow_telephone_in_a_slow_network_shows_the_ballot_within_one_and_a_half_seconds() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().flag("results-url", "https://results.example/").start().await;
    let address = ballot(service.client.address.port(), "pets");
    let browser = Browser::start(telephone()).await;
    let mut seen = Vec::new();
    while seen.len() < 5 && !seen.iter().any(|ms| *ms < 1_500.0) {
        seen.push(browser.largest_paint_ms(&address).await);
    }
    println!("painted after {seen:?} ms");
    assert!(seen.iter().any(|ms| *ms < 1_500.0), "{seen:?} ms");
}

#[tokio::test]
async fn with_forced_colours_choices_focus_and_buttons_can_be_told_apart() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let replace = Poll { vote_policy: VotePolicy::Replace, ..poll("pets") };
    let closed = Poll { closes_at_ms: Some(now_ms() - 1_000), ..poll("closed") };
    let service = Setup::new().polls([replace, closed]).start().await;
    let port = service.client.address.port();
    for dark in [false, true] {
        let browser = Browser::start(BrowserOptions { dark, ..telephone() }).await;
        browser.goto(&ballot(port, "pets")).await.unwrap();
        browser.force_colours().await;
        mark(&browser, "cats").await;
        let script = "const look = (css) => {
                const { borderTopWidth, borderTopColor, outlineStyle, outlineWidth, outlineColor, backgroundColor } =
                    getComputedStyle(document.querySelector(css));
                return { border: `${borderTopWidth} ${borderTopColor}`, outline: `${outlineStyle} ${outlineWidth} ${outlineColor}`,
                         borderColor: borderTopColor, outlineColor, back: backgroundColor };
            };
            document.querySelector('#option-dogs').focus({ focusVisible: true });
            const cards = { chosen: look('[for=option-cats]'), other: look('[for=option-dogs]') };
            document.querySelector('#send').focus({ focusVisible: true });
            return { ...cards, send: look('#send'), chip: look('#poll-state'), page: look('body') };";
        let looks = run(&browser, script).await;
        let page = &looks["page"]["back"];
        assert_ne!(looks["chosen"]["border"], looks["other"]["border"], "{looks}");
        for (one, line) in
            [("chosen", "borderColor"), ("other", "borderColor"), ("send", "borderColor")]
                .into_iter()
                .chain([
                    ("chip", "borderColor"),
                    ("other", "outlineColor"),
                    ("send", "outlineColor"),
                ])
        {
            assert_ne!(&looks[one][line], page, "{one}: {looks}");
        }
        for focused in ["other", "send"] {
            let outline = looks[focused]["outline"].as_str().unwrap();
            assert!(outline.starts_with("solid 3px"), "{focused}: {looks}");
        }
        let scheme = if dark { "dark" } else { "light" };
        let mut flaws = browser.flaws(&format!("ballot-forced-{scheme}")).await;
        browser.click("#send").await;
        browser.until("#standing-choices", |choices| choices == "Cats").await;
        flaws.extend(browser.flaws(&format!("ballot-forced-voted-{scheme}")).await);
        browser.goto(&ballot(port, "closed")).await.unwrap();
        flaws.extend(browser.flaws(&format!("ballot-forced-closed-{scheme}")).await);
        // The user has chosen the colours, and axe does not see them.
        flaws.retain(|flaw| !flaw.contains("color-contrast"));
        assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    }
}

#[tokio::test]
async fn times_name_their_zone() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let closing = Poll { closes_at_ms: Some(now_ms() + 86_400_000), ..poll("pets") };
    let service = Setup::new().polls([closing]).start().await;
    let address = ballot(service.client.address.port(), "pets");
    let zone = serde_json::json!({ "timezoneId": "America/New_York" });
    let browser = Browser::start(telephone()).await;
    browser.devtools("Emulation.setTimezoneOverride", zone).await.unwrap();
    browser.goto(&address).await.unwrap();
    let is_local = |words: &str| words.ends_with(" EST") || words.ends_with(" EDT");
    browser.until("#closes-at", is_local).await;
    let flaws = browser.flaws("ballot-zone-360").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    let plain = Browser::start(BrowserOptions { javascript: false, ..telephone() }).await;
    plain.goto(&address).await.unwrap();
    plain.until("#closes-at", |words| words.ends_with(" UTC")).await;
}
