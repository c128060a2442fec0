//! The presenter view in a real browser: sizes, keys, countdown, hidden results, and a long evening.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::fantoccini::Locator;
use testkit::proxy::{Mode, Proxy};
use testkit::{Browser, BrowserOptions, eventually};
use votestream_schema::PollId;
use votestream_schema::poll::{Definition, Visibility};

use crate::browser::ONE_AT_A_TIME;
use crate::harness::{Database, Service, Setup, in_ms, option, poll};

const SOON: Duration = Duration::from_secs(60);
const RIGHT: &str = "\u{E014}";
const LEFT: &str = "\u{E012}";
const TAB: &str = "\u{E004}";

/// Finds what does not fit on the screen, is set too small, or lies over something else.
const MISFITS: &str = r#"
const found = [];
const page = document.documentElement;
if (page.scrollHeight > innerHeight || page.scrollWidth > innerWidth) found.push("the page can be scrolled");
const shown = (one) => one.getClientRects().length > 0 && getComputedStyle(one).visibility !== "hidden";
const name = (one) => one.id || one.className || one.tagName;
const texts = [...document.querySelectorAll("body *")].filter((one) => shown(one) && !one.closest(".skip, .visually-hidden")
    && [...one.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim()));
for (const one of texts) {
    const size = parseFloat(getComputedStyle(one).fontSize) / innerHeight;
    if (size < 0.03) found.push(`${name(one)}: ${(size * 100).toFixed(2)} % of the height`);
    const { left, top, right, bottom } = one.getBoundingClientRect();
    if (left < 0 || top < -1 || right > innerWidth + 1 || bottom > innerHeight + 1) found.push(`${name(one)} reaches out`);
}
const boxes = [...document.querySelectorAll(".top, .place, .door, .people, #light")].filter(shown)
    .map((one) => [name(one), one.getBoundingClientRect()]);
for (const [index, [first, a]] of boxes.entries()) {
    for (const [second, b] of boxes.slice(index + 1)) {
        const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (width > 1 && height > 1) found.push(`${first} lies over ${second}`);
    }
}
for (const place of [...document.querySelectorAll(".place")].filter(shown)) {
    const { bottom } = place.getBoundingClientRect();
    const bar = place.querySelector(".bar")?.getBoundingClientRect();
    if (bar && (bar.bottom > bottom + 1 || bar.height < innerHeight * 0.008)) found.push(`the bar of ${place.dataset.option}`);
}
return found;
"#;

fn screen(service: &Service, path: &str) -> String {
    format!("http://localhost:{}/present/{path}", service.client.address.port())
}

async fn run(browser: &Browser, script: &str) -> Value {
    browser.execute(script, Vec::new()).await.unwrap()
}

async fn until_live(browser: &Browser) {
    browser.until("#light-words", |words| words == "Live").await;
}

async fn press(browser: &Browser, key: &str) {
    browser.find(Locator::Css("body")).await.unwrap().send_keys(key).await.unwrap();
}

/// Waits until a script returns true.
async fn until_true(browser: &Browser, script: &str) {
    eventually(SOON, async || match run(browser, script).await {
        Value::Bool(true) => Ok(()),
        other => Err(format!("{script}: {other}")),
    })
    .await;
}

/// The labels on the screen, as people see them: from top to bottom, one column after the other.
async fn labels(browser: &Browser) -> Vec<String> {
    let script = "return [...document.querySelectorAll('.place')].filter((one) => !one.hidden)
        .map((one) => [one.getBoundingClientRect(), one.querySelector('.place-name').textContent])
        .sort(([a], [b]) => a.left - b.left || a.top - b.top).map(([, label]) => label)";
    serde_json::from_value(run(browser, script).await).unwrap()
}

/// Creates an open poll with so many options, and votes for them.
async fn create(database: &mut Database, slug: &str, options: usize) -> PollId {
    let countries = [
        "Portugal",
        "Ukraine",
        "Bosnia and Herzegovina",
        "Norway",
        "Italy",
        "San Marino",
        "The Netherlands",
        "Iceland",
        "Armenia",
    ];
    let label = |n: usize| match (n, options) {
        (0, 2) => "Cats".to_owned(),
        (1, 2) => "Dogs".to_owned(),
        (20, _) => {
            "A label that has been written by somebody who likes to write long ones".to_owned()
        }
        (21, _) => "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen".to_owned(),
        (n, _) if n < countries.len() => countries[n].to_owned(),
        (n, _) => format!("Country {n}"),
    };
    let title = match options {
        2 => "Cats vs Dogs".to_owned(),
        63 => "A question that is rather long, because whoever wrote it wanted to be sure that nobody in the \
               whole hall could misunderstand what is meant by it?".to_owned(),
        _ => "Which song should win the final?".to_owned(),
    };
    let options: Vec<_> = (0..options).map(|n| option(&format!("o{n}"), &label(n))).collect();
    let votes: Vec<i64> =
        (0..options.len()).map(|n| (n as i64 * 7_919 + 104_729) % 997 + 3).collect();
    let definition = Definition { title, options, closes_at: Some(in_ms(1_500_000)), ..poll(slug) };
    let id = database.create(&definition).await;
    database.count(id, votes.iter().sum(), &votes).await;
    id
}

#[tokio::test]
async fn everything_stands_on_one_screen_in_large_type() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let counts = [2, 3, 6, 8, 20, 63];
    for count in counts {
        create(&mut database, &format!("p{count}"), count).await;
    }
    let hidden = Definition { visibility: Visibility::AfterClose, ..poll("hidden") };
    database.create(&Definition { closes_at: Some(in_ms(86_400_000)), ..hidden }).await;
    let closed = Definition { closes_at: Some(in_ms(-1_000)), ..poll("closed") };
    database.create(&closed).await;
    let kept = Definition { visibility: Visibility::Admin, ..poll("kept") };
    database.create(&kept).await;
    database.create(&Definition { opens_at: Some(in_ms(600_000)), ..poll("scheduled") }).await;
    let service = Setup::on(&database.url).flag("vote-url", "https://vote.example/").start().await;
    let mut found = Vec::new();
    let sizes = [(1280, 720), (1920, 1080), (3840, 2160), (1024, 768), (390, 844)];
    for (scheme, dark) in [("light", false), ("dark", true)] {
        for (width, height) in sizes {
            let browser =
                Browser::start(BrowserOptions { dark, width, height, ..BrowserOptions::default() });
            let browser = browser.await;
            let polls = counts.map(|count| format!("p{count}"));
            let others =
                ["hidden", "closed", "scheduled", "kept", "p63?order=ballot", "p8?curtain"];
            for slug in polls.iter().map(String::as_str).chain(others) {
                browser.goto(&screen(&service, slug)).await.unwrap();
                until_live(&browser).await;
                let name = format!("present-{}-{width}-{scheme}", slug.replace('?', "-"));
                let misfits = run(&browser, MISFITS).await;
                // An upright window may be scrolled, as a page is.
                if width > height && misfits != json!([]) {
                    found.push(format!("{name}: {misfits}"));
                }
                found.extend(browser.flaws(&name).await);
            }
            assert_eq!(browser.console_errors().await, Vec::<String>::new());
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn options_are_ranked_or_in_ballot_order_and_the_rest_is_summed_up() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    let many: Vec<_> = (0..30).map(|n| option(&format!("o{n}"), &format!("Option {n}"))).collect();
    let many = database.create(&Definition { options: many, ..poll("many") }).await;
    database.count(pets, 3, &[1, 2]).await;
    let votes: Vec<i64> = (0..30).collect();
    database.count(many, votes.iter().sum(), &votes).await;
    let service = Setup::on(&database.url).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;

    browser.goto(&screen(&service, "pets")).await.unwrap();
    until_live(&browser).await;
    assert_eq!(labels(&browser).await, ["Dogs", "Cats"]);
    database.count(pets, 8, &[6, 2]).await;
    eventually(SOON, async || {
        let labels = labels(&browser).await;
        if labels == ["Cats", "Dogs"] { Ok(()) } else { Err(format!("{labels:?}")) }
    })
    .await;
    assert_eq!(browser.text("[data-lead] .place-lead").await, "Leading");
    assert_eq!(browser.text("[data-option=cats] .place-share").await, "75.0%");
    browser.goto(&screen(&service, "pets?order=ballot")).await.unwrap();
    database.count(pets, 20, &[6, 14]).await;
    browser.until("[data-option=dogs] .place-votes", |votes| votes == "14").await;
    assert_eq!(labels(&browser).await, ["Cats", "Dogs"]);

    // 21 options have a place, and 9 are summed up: 0 + 1 + … + 8 = 36 of 435.
    for order in ["ranked", "ballot"] {
        browser.goto(&screen(&service, &format!("many?order={order}"))).await.unwrap();
        until_live(&browser).await;
        let mut expected: Vec<String> = (9..30).map(|n| format!("Option {n}")).collect();
        if order == "ranked" {
            expected.reverse();
        }
        expected.push("and 9 more".to_owned());
        assert_eq!(labels(&browser).await, expected);
        browser.until("#rest-share", |share| share == "8.3%").await;
    }
    let mut votes = votes;
    votes[0] = 1_000;
    database.count(many, votes.iter().sum(), &votes).await;
    eventually(SOON, async || {
        let labels = labels(&browser).await;
        if labels[0] == "Option 0" { Ok(()) } else { Err(format!("{labels:?}")) }
    })
    .await;
    let labels = labels(&browser).await;
    assert!(!labels.contains(&"Option 9".to_owned()) && labels.len() == 22, "{labels:?}");
}

#[tokio::test]
async fn hidden_results_show_the_turnout_until_they_are_final() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let hidden = Definition { visibility: Visibility::AfterClose, ..poll("pets") };
    let pets = database.create(&Definition { closes_at: Some(in_ms(600_000)), ..hidden }).await;
    database.count(pets, 12, &[5, 7]).await;
    let service = Setup::on(&database.url).flag("vote-url", "https://vote.example").start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&screen(&service, "pets")).await.unwrap();
    until_live(&browser).await;
    assert_eq!(browser.text("#turnout-number").await, "12");
    database.count(pets, 1_313, &[606, 707]).await;
    browser.until("#turnout-number", |people| people == "1,313").await;
    assert_eq!(browser.text("#places").await, "", "the results are hidden");
    assert_eq!(browser.text("#door-link strong").await.len(), 4);
    press(&browser, "r").await;
    assert_eq!(browser.text("#places").await, "", "the presenter cannot show what the poll hides");

    let closes_at = in_ms(-1);
    database.close(pets, closes_at).await;
    browser.until("#poll-state", |words| words.starts_with("Closed: counting the last")).await;
    assert_eq!(browser.text("#places").await, "");
    assert_eq!(browser.text("#door").await, "", "nobody can vote any more");
    database.complete_to(closes_at, 0, pets).await;
    browser.until("#poll-state", |words| words == "Final: voting has closed").await;
    browser.until("[data-option=dogs] .place-votes", |votes| votes == "707").await;
    assert_eq!(browser.text("[data-lead] .place-lead").await, "Most votes");
}

#[tokio::test]
async fn the_countdown_runs_on_the_clock_of_the_server() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let closes_at = in_ms(300_000);
    let pets = database.create(&Definition { closes_at: Some(closes_at), ..poll("pets") }).await;
    let opens_at = Some(in_ms(3_700_000));
    database.create(&Definition { opens_at, ..poll("scheduled") }).await;
    let service = Setup::on(&database.url).flag("heartbeat-ms", "200").start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    // The clock of this machine is 45 s slow.
    let slow = "const now = Date.now; Date.now = () => now() - 45_000;";
    let source = json!({ "source": slow });
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", source).await.unwrap();
    browser.goto(&screen(&service, "pets")).await.unwrap();
    until_live(&browser).await;
    let left = async || -> i64 {
        let text = browser.text(".countdown-clock").await;
        text.split(':').fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap())
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    let expected = (closes_at.as_millisecond() - in_ms(0).as_millisecond()) / 1_000;
    let shown = left().await;
    assert!((expected - 1..=expected + 2).contains(&shown), "{shown} s, not {expected}");
    // The presenter extends it, and closes it.
    database.close(pets, in_ms(3_600_000)).await;
    browser.until(".countdown-clock", |clock| clock.starts_with("59:")).await;
    assert_eq!(browser.text(".countdown-words").await, "closes in");
    database.close(pets, in_ms(-1)).await;
    browser.until("#countdown", str::is_empty).await;
    browser.goto(&screen(&service, "scheduled")).await.unwrap();
    browser.until(".countdown-clock", |clock| clock.starts_with("1:01:")).await;
    assert_eq!(browser.text(".countdown-words").await, "opens in");
}

#[tokio::test]
async fn keys_hide_reveal_and_turn_to_the_polls_that_are_listed() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    for slug in ["pets", "secret", "songs"] {
        let title = format!("The poll {slug}");
        let listed = (slug == "secret").then_some(false);
        database.create(&Definition { title, listed, ..poll(slug) }).await;
    }
    let service = Setup::on(&database.url).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&screen(&service, "pets")).await.unwrap();
    until_live(&browser).await;
    run(&browser, "window.same = true").await;
    browser.until("#places", |text| text.contains("Cats")).await;
    press(&browser, "h").await;
    browser.until("#places", str::is_empty).await;
    assert!(browser.text("#curtain").await.contains("The presenter shows them in a moment."));
    // A reload does not reveal them, not even for a moment.
    assert!(browser.current_url().await.unwrap().as_str().ends_with("/present/pets?curtain"));
    press(&browser, "r").await;
    browser.until("#places", |text| text.contains("Cats")).await;
    // Without letters: the same keys are buttons once somebody uses Tab, the pointer or a finger.
    press(&browser, TAB).await;
    let button = |key: &str| format!("document.querySelector('#keys [data-key={key}]')");
    until_true(&browser, &format!("return {}.checkVisibility()", button("h"))).await;
    run(&browser, &format!("{}.click()", button("h"))).await;
    browser.until("#places", str::is_empty).await;
    run(&browser, &format!("{}.click()", button("r"))).await;
    browser.until("#places", |text| text.contains("Cats")).await;

    for (key, title) in [(RIGHT, "songs"), (RIGHT, "pets"), (LEFT, "songs"), (LEFT, "pets")] {
        press(&browser, key).await;
        browser.until("#poll-title", |shown| shown == format!("The poll {title}")).await;
        until_live(&browser).await;
        assert!(browser.current_url().await.unwrap().path().ends_with(title));
        assert!(browser.title().await.unwrap().starts_with(&format!("The poll {title}")));
    }
    assert_eq!(run(&browser, "return window.same").await, json!(true), "the page was never left");
    press(&browser, "f").await;
    until_true(&browser, "return document.fullscreenElement !== null").await;
    press(&browser, RIGHT).await;
    browser.until("#poll-title", |shown| shown == "The poll songs").await;
    until_true(&browser, "return document.fullscreenElement !== null").await;
    press(&browser, "f").await;
    until_true(&browser, "return document.fullscreenElement === null").await;

    // Who knows the address of an unlisted poll shows it; no key leads there or away.
    browser.goto(&screen(&service, "secret")).await.unwrap();
    until_live(&browser).await;
    press(&browser, RIGHT).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(browser.text("#poll-title").await, "The poll secret");
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn listeners_hear_what_happens_to_the_poll_and_to_the_connection() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let hidden = Definition { visibility: Visibility::AfterClose, ..poll("pets") };
    let pets = database.create(&Definition { opens_at: Some(in_ms(3_600_000)), ..hidden }).await;
    database.count(pets, 3, &[2, 1]).await;
    let service = Setup::on(&database.url).start().await;
    let proxy = Proxy::open(vec![service.client.address.port()]).await.unwrap();
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&format!("http://localhost:{}/present/pets", proxy.port())).await.unwrap();
    let watch = "window.told = [];
        const announcer = document.getElementById('announcer');
        new MutationObserver(() => told.push(announcer.textContent)).observe(announcer, { childList: true });";
    run(&browser, watch).await;
    let heard = async |words: &[&str]| {
        eventually(Duration::from_secs(30), async || {
            let told = run(&browser, "return told").await;
            if told == json!(words) { Ok(()) } else { Err(told) }
        })
        .await;
    };
    until_live(&browser).await;
    // Not before the page is watched, however slowly the browser starts.
    database.open(pets).await;
    heard(&["Voting is open"]).await;
    let closes_at = in_ms(200);
    database.close(pets, closes_at).await;
    let counting = "Closed: counting the last votes";
    heard(&["Voting is open", counting]).await;
    run(&browser, "told.length = 0").await;
    database.complete_to(closes_at, 0, pets).await;
    let (shown, ended) = ("The results are shown now.", "Final: voting has closed");
    until_true(&browser, &format!("return told.includes('{shown}')")).await;
    browser.until("#poll-state", |words| words == ended).await;
    run(&browser, "told.length = 0").await;
    press(&browser, "h").await;
    heard(&["The results are hidden now."]).await;
    press(&browser, "r").await;
    heard(&["The results are hidden now.", shown]).await;
    run(&browser, "told.length = 0").await;
    proxy.set(Mode::Reset);
    heard(&["The connection is lost: the figures do not move."]).await;
    proxy.set(Mode::Pass);
    until_true(&browser, "return told.at(-1) === 'The connection is back.'").await;
}

#[tokio::test]
async fn figures_change_without_a_jump() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let pets = create(&mut database, "pets", 20).await;
    let service = Setup::on(&database.url).flag("vote-url", "https://vote.example").start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&screen(&service, "pets?order=ballot")).await.unwrap();
    until_live(&browser).await;
    let watch = "window.shifts = [];
        new PerformanceObserver((list) => shifts.push(...list.getEntries().flatMap((one) =>
            one.sources.map(({ node }) => node?.id || node?.className || node?.parentNode?.className))))
            .observe({ type: 'layout-shift', buffered: false });";
    run(&browser, watch).await;
    for n in 1..=40_i64 {
        let votes: Vec<i64> = (0..20).map(|option| n * (option * option % 97 + 1) * 37).collect();
        database.count(pets, votes.iter().sum(), &votes).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    browser.until("#voters", |people| people.len() > 6).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(run(&browser, "return window.shifts").await, json!([]));
}

/// The objects that a page holds: bytes of scripts, nodes, and listeners. The least of several counts, because what is no
/// longer needed goes little by little.
async fn held(browser: &Browser) -> [f64; 3] {
    let mut least = [f64::INFINITY; 3];
    for _ in 0..10 {
        browser.devtools("HeapProfiler.collectGarbage", json!({})).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let metrics = browser.devtools("Performance.getMetrics", json!({})).await.unwrap();
        let names = ["JSHeapUsedSize", "Nodes", "JSEventListeners"];
        for (least, name) in least.iter_mut().zip(names) {
            let all = metrics["metrics"].as_array().unwrap();
            let metric = all.iter().find(|metric| metric["name"] == name).unwrap();
            *least = least.min(metric["value"].as_f64().unwrap());
        }
    }
    least
}

#[tokio::test]
async fn a_night_of_frames_reconnects_and_polls_leaves_nothing_behind() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let pets = create(&mut database, "pets", 20).await;
    create(&mut database, "songs", 20).await;
    let service = Setup::on(&database.url).start().await;
    let proxy = Proxy::open(vec![service.client.address.port()]).await.unwrap();
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.devtools("Performance.enable", json!({})).await.unwrap();
    browser.goto(&format!("http://localhost:{}/present/pets", proxy.port())).await.unwrap();
    let mut voters = 0;
    let mut evening = async |frames: i64| {
        for _ in 0..3 {
            for _ in 0..frames {
                voters += 1;
                let votes: Vec<i64> = (0..20).map(|n| (voters * (n + 3) * 7_919) % 997).collect();
                database.count(pets, votes.iter().sum(), &votes).await;
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            proxy.set(Mode::Reset);
            browser.until("#light-words", |words| words.starts_with("Reconnecting")).await;
            proxy.set(Mode::Pass);
            browser.until("#light-words", |words| words == "Live").await;
            for title in ["songs", "pets"] {
                press(&browser, RIGHT).await;
                let shown =
                    format!("return document.getElementById('present').dataset.poll === '{title}'");
                until_true(&browser, &shown).await;
                until_live(&browser).await;
            }
        }
        held(&browser).await
    };
    let before = evening(30).await;
    let after = evening(200).await;
    let [bytes, nodes, listeners] = [0, 1, 2].map(|at| after[at] - before[at]);
    assert!(bytes < 400_000.0, "the heap grew from {before:?} to {after:?}");
    assert!(nodes.abs() < 300.0 && listeners.abs() < 5.0, "{before:?} became {after:?}");
    assert_eq!(browser.console_errors().await.iter().filter(|e| !e.contains("ERR_")).count(), 0);
}
