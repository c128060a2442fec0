//! The results in other languages, as a browser shows and speaks them.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::proxy::{Mode, Proxy};
use testkit::sentences::shown_unbracketed;
use testkit::{Browser, BrowserOptions};
use votestream_schema::poll::{Definition, Visibility, now_ms};

use crate::browser::ONE_AT_A_TIME;
use crate::harness::{Database, Setup, in_ms, option, poll};

async fn run(browser: &Browser, script: &str) -> Value {
    browser.execute(script, Vec::new()).await.unwrap()
}

/// Compares the texts that the server has sent with those that the script writes over them.
const DIFFERENCES: &str = r#"
    const done = arguments[arguments.length - 1];
    (async () => {
        const html = await (await fetch(location.href)).text();
        const sent = new DOMParser().parseFromString(html, 'text/html');
        const texts = (page, css) => [...page.querySelectorAll(css)].map((one) => one.textContent.trim());
        const css = '#poll-state, #voters, .row-votes, .row-share, .row-lead, .cell-votes, .cell-share, #hidden-words';
        const [server, script] = [texts(sent, css), texts(document, css)];
        done(server.flatMap((text, at) => (text === script[at] ? [] : [[text, script[at]]])));
    })();
"#;

#[tokio::test]
async fn server_and_script_write_the_same_in_every_language() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    database.count(pets, 1_234_567, &[1_234_566, 1]).await;
    let closed = Definition { closes_at: Some(in_ms(-1_000)), ..poll("closed") };
    let closed = database.create(&closed).await;
    database.count(closed, 14_321, &[12_987, 1_334]).await;
    let service = Setup::on(&database.url).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    for (lang, slug) in [
        ("en", "pets"),
        ("de", "closed"),
        ("fr", "pets"),
        ("es", "closed"),
        ("ar", "pets"),
        ("uk", "closed"),
    ] {
        let port = service.client.address.port();
        let address = format!("http://localhost:{port}/polls/{slug}?lang={lang}");
        browser.goto(&address).await.unwrap();
        browser.until("#light", |_| true).await;
        testkit::eventually(Duration::from_secs(20), async || {
            let link = run(&browser, "return document.getElementById('light').dataset.link").await;
            if link == "live" { Ok(()) } else { Err(link) }
        })
        .await;
        let found = browser.execute_async(DIFFERENCES, Vec::new()).await.unwrap();
        assert_eq!(found, json!([]), "{slug} in {lang}");
        assert_eq!(run(&browser, "return document.documentElement.lang").await, lang);
    }
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn from_right_to_left_no_state_has_a_flaw_and_none_jumps() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let options = ["قطط تنام على لوحة المفاتيح", "كلاب", "Cats"];
    let options = (1..).zip(options).map(|(n, label)| option(&format!("o{n}"), label)).collect();
    let title = "أيّ هذه الحيوانات تفضّل؟".to_owned();
    let pets = database.create(&Definition { title, options, ..poll("arabic") }).await;
    database.count(pets, 4_321, &[2_000, 1_321, 1_000]).await;
    database.add_second(pets, now_ms() / 1_000 - 30, 4_321).await;
    let hidden = Definition { visibility: Visibility::AfterClose, ..poll("hidden") };
    database.create(&Definition { closes_at: Some(in_ms(86_400_000)), ..hidden }).await;
    let service = Setup::on(&database.url).flag("vote-url", "https://vote.example/").start().await;
    let port = service.client.address.port();
    let mut found = Vec::new();
    for (name, dark, width) in [("light-360", false, 360), ("dark-1440", true, 1440)] {
        let browser =
            Browser::start(BrowserOptions { dark, width, ..BrowserOptions::default() }).await;
        for (state, path) in [
            ("results", "polls/arabic"),
            ("results-hidden", "polls/hidden"),
            ("embed", "embed/arabic"),
            ("present", "present/arabic"),
        ] {
            browser.goto(&format!("http://localhost:{port}/{path}?lang=ar")).await.unwrap();
            browser.until("#light-words", |light| light == "مباشر").await;
            // The presenter view fits its rows into the screen once its script runs.
            if state != "present" && width == 360 {
                found.extend(browser.jumps(&format!("{state}-ar-{name}")).await);
            }
            found.extend(browser.flaws(&format!("{state}-ar-{name}")).await);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn whatever_the_scripts_write_is_in_the_catalogue() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    database.count(pets, 4_321, &[2_987, 1_334]).await;
    database.add_second(pets, now_ms() / 1_000 - 30, 4_321).await;
    let hidden = Definition { visibility: Visibility::AfterClose, ..poll("hidden") };
    database.create(&Definition { closes_at: Some(in_ms(86_400_000)), ..hidden }).await;
    let service = Setup::on(&database.url).start().await;
    let port = service.client.address.port();
    let browser = Browser::start(BrowserOptions::default()).await;
    let typed = ["Cats vs Dogs", "Cats", "Dogs", "Votestream", "F", "H", "R", "K", "AM", "PM"];
    for path in ["polls/pets", "polls/hidden", "embed/pets", "present/pets"] {
        browser.goto(&format!("http://localhost:{port}/{path}?lang=en-XA")).await.unwrap();
        browser.until("#light-words", |light| light == "⟦Live⟧").await;
        if path == "polls/pets" {
            browser.until("#chart-summary", |words| words.starts_with("⟦Peak⟧")).await;
        }
        let mut found = shown_unbracketed(&browser, &typed).await;
        // The month of the closing time, and the address on paper.
        found.retain(|text| !text.starts_with("⟦They appear here") && !text.contains("http://"));
        assert_eq!(found, Vec::<String>::new(), "{path}");
    }
}

#[tokio::test]
async fn listeners_hear_that_results_appear_that_voting_ends_and_that_the_connection_is_lost() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let hidden = Definition { visibility: Visibility::AfterClose, ..poll("pets") };
    let pets = database.create(&hidden).await;
    database.count(pets, 3, &[2, 1]).await;
    let service = Setup::on(&database.url).start().await;
    let proxy = Proxy::open(vec![service.client.address.port()]).await.unwrap();
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&format!("http://localhost:{}/polls/pets", proxy.port())).await.unwrap();
    browser.until("#light-words", |light| light == "Live").await;
    let watch = "window.told = [];
        const announcer = document.getElementById('announcer');
        new MutationObserver(() => told.push(announcer.textContent)).observe(announcer, { childList: true });";
    run(&browser, watch).await;
    let heard = async |words: &str| {
        testkit::eventually(Duration::from_secs(30), async || {
            let told = run(&browser, "return told").await;
            let all = told.as_array().cloned().unwrap_or_default();
            let is_told = all.iter().any(|it| it.as_str().is_some_and(|it| it.starts_with(words)));
            if is_told { Ok(()) } else { Err(told) }
        })
        .await;
    };
    let closes_at = in_ms(-100);
    database.close(pets, closes_at).await;
    heard("Closed: counting the last votes").await;
    database.complete_to(closes_at, 0, pets).await;
    heard("The results are shown now.").await;
    heard("Cats: 66.7%, 2 votes").await;
    proxy.set(Mode::Reset);
    heard("The connection is lost").await;
    proxy.set(Mode::Pass);
    heard("The connection is back.").await;
}

#[tokio::test]
async fn results_have_the_texts_of_the_pages_language_and_load_anew_when_these_change() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let mut english = Definition { lang: Some("en".parse().unwrap()), ..poll("pets") };
    english.titles.set("de".parse().unwrap(), Some("Katzen oder Hunde".to_owned()));
    english.options[0].labels.set("de".parse().unwrap(), Some("Katzen".to_owned()));
    let pets = database.create(&english).await;
    database.count(pets, 3, &[2, 1]).await;
    let arabic = Definition { lang: Some("ar".parse().unwrap()), ..poll("arabic") };
    database.create(&arabic).await;
    let service = Setup::on(&database.url).start().await;
    let port = service.client.address.port();

    let page = service.client.get("/polls/arabic").header("accept-language", "de").send().await;
    assert!(page.text().contains("<html lang=\"ar\" dir=\"rtl\">"), "{}", page.text());
    let page = service.client.get("/polls/pets?lang=de").send().await.text();
    assert!(page.contains("dir=\"auto\">Katzen<"), "{page}");
    assert!(page.contains("dir=\"auto\" lang=\"en\">Dogs<"), "{page}");
    let list = "class=\"poll-title\" dir=\"auto\"";
    assert!(page.contains(&format!("{list}>Katzen oder Hunde<")), "{page}");
    assert!(page.contains(&format!("{list} lang=\"ar\">Cats vs Dogs<")), "{page}");

    let browser = Browser::start(BrowserOptions::default()).await;
    for path in ["polls", "present"] {
        let (name, votes) = match path {
            "polls" => (".row-name", "#standings .row-votes"),
            _ => (".place-name", "[data-option=cats] .place-votes"),
        };
        browser.goto(&format!("http://localhost:{port}/{path}/pets?lang=de")).await.unwrap();
        browser.until("#light-words", |light| light == "Live").await;
        browser.until("#poll-title", |title| title == "Katzen oder Hunde").await;
        // A frame is the same for all pages; the labels stay as they are.
        database.count(pets, 30, &[20, 10]).await;
        browser.until(votes, |votes| votes.starts_with("20")).await;
        assert_eq!(browser.text(name).await, "Katzen", "{path}");
        let sql = "WITH o AS (UPDATE options SET labels = jsonb_build_object('de', $1::text) WHERE slug = 'cats')
            UPDATE polls SET revision = revision + 1 WHERE slug = 'pets'";
        for changed in [format!("Katzen auf {path}"), "Katzen".to_owned()] {
            database.client.execute(sql, &[&changed]).await.unwrap();
            browser.until(name, |label| label == changed).await;
        }
        database.count(pets, 3, &[2, 1]).await;
    }
}
