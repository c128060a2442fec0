//! The ballot in other languages, as a browser shows it.

use testkit::sentences::shown_unbracketed;
use testkit::{Browser, BrowserOptions};
use votestream_schema::Poll;
use votestream_schema::poll::{VotePolicy, VoterPolicy, now_ms};

use super::{ONE_AT_A_TIME, ballot};
use crate::harness::{Service, Setup, option, poll};

fn polls() -> [Poll; 5] {
    let options = ["قطط تنام على لوحة المفاتيح", "كلاب", "Cats"];
    let options = (1..).zip(options).map(|(n, label)| option(&format!("o{n}"), label));
    let title = "أيّ هذه الحيوانات تفضّل؟".to_owned();
    [
        poll("pets"),
        Poll { title, options: options.collect(), choices_max: 2, ..poll("arabic") },
        Poll { voter_policy: VoterPolicy::Code, vote_policy: VotePolicy::Replace, ..poll("code") },
        Poll { opens_at_ms: Some(now_ms() + 600_000), ..poll("scheduled") },
        Poll {
            closes_at_ms: Some(now_ms() + 600_000),
            vote_policy: VotePolicy::Replace,
            choices_min: 0,
            ..poll("closing")
        },
    ]
}

fn page(service: &Service, slug: &str, lang: &str) -> String {
    format!("{}?lang={lang}", ballot(service.client.address.port(), slug))
}

#[tokio::test]
async fn from_right_to_left_no_state_has_a_flaw_and_none_jumps() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().polls(polls()).start().await;
    let mut found = Vec::new();
    for (name, dark, width) in [("light-360", false, 360), ("dark-1440", true, 1440)] {
        let browser =
            Browser::start(BrowserOptions { dark, width, ..BrowserOptions::default() }).await;
        for state in ["arabic", "code", "scheduled", "closing"] {
            browser.goto(&page(&service, state, "ar")).await.unwrap();
            browser.until("#poll-title", |title| !title.is_empty()).await;
            found.extend(browser.jumps(&format!("ballot-{state}-ar-{name}")).await);
            found.extend(browser.flaws(&format!("ballot-{state}-ar-{name}")).await);
        }
        browser.goto(&page(&service, "arabic", "ar")).await.unwrap();
        browser.click("label[for=option-o1]").await;
        browser.click("label[for=option-o3]").await;
        browser.until("#send-label", |words| words == "صوّت لخيارين").await;
        found.extend(browser.flaws(&format!("ballot-marked-ar-{name}")).await);
        browser.click("#send").await;
        browser.until("#standing-title", |words| words.starts_with("قُبل")).await;
        found.extend(browser.flaws(&format!("ballot-voted-ar-{name}")).await);
        let errors = browser.console_errors().await;
        assert_eq!(errors, Vec::<String>::new());
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn whatever_the_scripts_write_is_in_the_catalogue() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().polls(polls()).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    let typed = ["Cats vs Dogs", "Cats", "Dogs", "Votestream"];
    let mut found = Vec::new();
    browser.goto(&page(&service, "scheduled", "en-XA")).await.unwrap();
    browser.until("#opens-in", |words| words.starts_with("⟦in⟧")).await;
    found.extend(shown_unbracketed(&browser, &typed).await);
    browser.goto(&page(&service, "closing", "en-XA")).await.unwrap();
    browser.until("#closes-in", |words| words.contains("⟦left⟧")).await;
    browser.click("#send").await;
    browser.until("#problem", |words| words.starts_with("⟦Not sent.⟧")).await;
    found.extend(shown_unbracketed(&browser, &typed).await);
    browser.click("label[for=option-cats]").await;
    browser.until("#send-label", |words| words == "⟦Vote for⟧ Cats").await;
    browser.click("#send").await;
    browser.until("#standing-title", |words| words == "⟦Accepted: you voted for⟧").await;
    found.extend(shown_unbracketed(&browser, &typed).await);
    browser.click("#send").await;
    browser.until("#problem", |words| words.starts_with("⟦This is the vote that stands.⟧")).await;
    browser.click("label[for=option-dogs]").await;
    browser.until("#send-label", |words| words == "⟦Change my vote to⟧ Dogs").await;
    found.extend(shown_unbracketed(&browser, &typed).await);
    browser.goto(&page(&service, "code", "en-XA")).await.unwrap();
    browser.click("label[for=option-cats]").await;
    browser.click("#send").await;
    browser.until("#code-problem", |words| words.starts_with('⟦')).await;
    found.extend(shown_unbracketed(&browser, &typed).await);
    browser.goto(&page(&service, "birds", "en-XA")).await.unwrap();
    found.extend(shown_unbracketed(&browser, &[&typed[..], &["birds"]].concat()).await);
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn a_problem_that_a_script_shows_is_in_the_language_of_the_page() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().polls(polls()).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&page(&service, "code", "uk")).await.unwrap();
    browser.click("label[for=option-cats]").await;
    browser.click("#code").await;
    browser.active_element().await.unwrap().send_keys("0000-0000-0000-0000").await.unwrap();
    browser.click("#send").await;
    browser.until("#code-problem", |words| words.starts_with("Цей код не розпізнано")).await;
}

#[tokio::test]
async fn an_open_page_follows_the_texts_of_its_own_language() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let tag = |tag: &str| tag.parse().unwrap();
    let german = |poll: &mut Poll, cats: Option<&str>| {
        poll.lang = Some(tag("en"));
        poll.titles.set(tag("de"), Some("Katzen oder Hunde".to_owned()));
        poll.options[0].labels.set(tag("de"), cats.map(str::to_owned));
    };
    let mut pets = poll("pets");
    german(&mut pets, Some("Katzen"));
    let service = Setup::new().polls([pets]).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&page(&service, "pets", "de")).await.unwrap();
    browser.until("#poll-title", |title| title == "Katzen oder Hunde").await;
    browser.click("label[for=option-cats]").await;
    browser.until("#send-label", |words| words == "Für Katzen stimmen").await;
    service.change("pets", |poll| german(poll, Some("Alle Katzen"))).await;
    browser.until("#send-label", |words| words == "Für Alle Katzen stimmen").await;
    let lang = "return document.querySelector('[for=option-cats] .card-label').lang";
    assert_eq!(browser.execute(lang, Vec::new()).await.unwrap(), "");
    // Without a translation the poll's own label is there, in its own language.
    service.change("pets", |poll| german(poll, None)).await;
    browser.until("#send-label", |words| words == "Für Cats stimmen").await;
    assert_eq!(browser.execute(lang, Vec::new()).await.unwrap(), "en");
    assert_eq!(browser.text("#poll-title").await, "Katzen oder Hunde");
    let flaws = browser.flaws("ballot-two-languages").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}
