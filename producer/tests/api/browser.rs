//! The ballot as a browser shows it, in every state of the poll, and how it is sent.

mod follow;
mod language;
mod receipt;
mod screen;

use std::sync::Arc;
use std::time::Duration;

use redis::AsyncCommands;
use testkit::fantoccini::Locator;
use testkit::fantoccini::key::Key;
use testkit::proxy::{Mode, Proxy};
use testkit::{Browser, BrowserOptions, eventually, own_redis};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use votestream_schema::Poll;
use votestream_schema::code::{Code, CodeHash};
use votestream_schema::poll::{VotePolicy, VoterPolicy, now_ms};

use crate::harness::{Service, Setup, key_in, option, poll};

pub const SOON: Duration = Duration::from_secs(60);

/// A browser at a time is enough for a small machine.
pub static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

pub fn ballot(port: u16, slug: &str) -> String {
    format!("http://localhost:{port}/polls/{slug}")
}

/// Gives the poll this voting code.
async fn add_code(service: &Service, slug: &str, code: &Code) {
    let poll = service.poll(slug);
    let hash = CodeHash::of(code.key_in(poll).unwrap());
    let key = service.keys.code_hashes(hash.partition(service.setup.partitions), poll.id);
    let mut redis = service.redis().await;
    let _: i64 = redis.sadd(key, hash.0.as_bytes().as_slice()).await.unwrap();
}

/// A port that passes connections on to another one, and everything that came in through it.
async fn recorded(to: u16) -> (u16, Arc<std::sync::Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sent = Arc::new(std::sync::Mutex::new(Vec::new()));
    let record = sent.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let record = record.clone();
            tokio::spawn(async move {
                let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                tokio::spawn(
                    async move { tokio::io::copy(&mut from_server, &mut to_client).await },
                );
                let mut bytes = vec![0; 65_536];
                while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
                    record.lock().unwrap().extend(&bytes[..length]);
                    if to_server.write_all(&bytes[..length]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (port, sent)
}

/// The id of the element that has the focus; empty when it has none.
async fn focus(browser: &Browser) -> String {
    let element = browser.active_element().await.unwrap();
    element.attr("id").await.unwrap().unwrap_or_default()
}

async fn press(browser: &Browser, key: Key) {
    let element = browser.active_element().await.unwrap();
    element.send_keys(&char::from(key).to_string()).await.unwrap();
}

/// Goes from element to element until this one has the focus.
async fn tab_to(browser: &Browser, id: &str) {
    let mut passed = Vec::new();
    while focus(browser).await != id {
        assert!(passed.len() < 12, "#{id} is not reached: {passed:?}");
        press(browser, Key::Tab).await;
        passed.push(focus(browser).await);
    }
}

fn polls() -> [Poll; 9] {
    let long = |n: usize| match n % 7 {
        0 => format!("{n} Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen"),
        1 => {
            format!("{n} {}", "A cat that has walked by herself for a long time ".repeat(4).trim())
        }
        _ => format!("Cat {n}"),
    };
    let options = (1..=63).map(|n| option(&format!("o{n}"), &long(n))).collect();
    let described = poll("described").options.into_iter().map(|mut option| {
        option.description = Some(format!("{}, who sleep on keyboards", option.label));
        option
    });
    [
        poll("pets"),
        Poll { options, choices_max: 5, title: long(1), ..poll("many") },
        Poll { voter_policy: VoterPolicy::Code, ..poll("code") },
        Poll { closes_at_ms: Some(now_ms() - 1_000), ..poll("closed") },
        Poll { opens_at_ms: Some(now_ms() + 600_000), ..poll("scheduled") },
        Poll { vote_policy: VotePolicy::Replace, ..poll("replace") },
        Poll { opens_at_ms: None, ..poll("draft") },
        Poll { choices_min: 0, ..poll("abstain") },
        Poll {
            options: described.collect(),
            closes_at_ms: Some(now_ms() + 600_000),
            ..poll("described")
        },
    ]
}

#[tokio::test]
async fn no_state_of_the_page_has_a_flaw() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let setup = Setup::new().polls(polls()).flag("results-url", "https://results.example/");
    let service = setup.start().await;
    let port = service.client.address.port();
    let mut found = Vec::new();
    for (name, dark, width) in [("dark-320", true, 320), ("light-1440", false, 1440)] {
        let browser =
            Browser::start(BrowserOptions { dark, width, ..BrowserOptions::default() }).await;
        for state in
            ["many", "code", "closed", "scheduled", "replace", "described", "draft", "abstain"]
        {
            browser.goto(&ballot(port, state)).await.unwrap();
            browser.until("#poll-title", |title| !title.is_empty()).await;
            found.extend(browser.flaws(&format!("ballot-{state}-{name}")).await);
        }
        browser.goto(&ballot(port, "many")).await.unwrap();
        browser.click("#send").await;
        browser.until("#problem", |words| words.contains("Mark a choice first")).await;
        found.extend(browser.flaws(&format!("ballot-none-marked-{name}")).await);
        browser.goto(&ballot(port, "code")).await.unwrap();
        browser.click("label[for=option-cats]").await;
        browser.click("#code").await;
        browser.active_element().await.unwrap().send_keys("0000-0000-0000-0000").await.unwrap();
        browser.click("#send").await;
        let is_sentence = |words: &str| words.starts_with("This code is not recognised");
        browser.until("#code-problem", is_sentence).await;
        found.extend(browser.flaws(&format!("ballot-bad-code-{name}")).await);
        browser.goto(&ballot(port, "replace")).await.unwrap();
        browser.click("label[for=option-cats]").await;
        browser.click("#send").await;
        browser.until("#standing-choices", |choices| choices.contains("Cats")).await;
        found.extend(browser.flaws(&format!("ballot-voted-{name}")).await);
        browser.goto(&ballot(port, "birds")).await.unwrap();
        found.extend(browser.flaws(&format!("ballot-unknown-{name}")).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn the_keyboard_alone_votes() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().polls(polls()).start().await;
    let port = service.client.address.port();
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&ballot(port, "pets")).await.unwrap();
    browser.until("#send-label", |words| words == "Vote").await;
    tab_to(&browser, "option-cats").await;
    press(&browser, Key::Down).await;
    assert_eq!(focus(&browser).await, "option-dogs");
    tab_to(&browser, "send").await;
    assert_eq!(browser.text("#send-label").await, "Vote for Dogs");
    press(&browser, Key::Enter).await;
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    assert_eq!(focus(&browser).await, "standing-title", "it is read out");

    // Several choices, and as many as the poll takes.
    browser.goto(&ballot(port, "many")).await.unwrap();
    browser.until("#send-label", |words| words == "Vote").await;
    for id in ["option-o1", "option-o2"] {
        tab_to(&browser, id).await;
        press(&browser, Key::Space).await;
    }
    press(&browser, Key::Enter).await;
    browser.until("#standing-choices", |choices| choices.contains("Cat 2")).await;
    assert_eq!(service.entries().await.len(), 2);
}

#[tokio::test]
async fn a_personal_link_fills_in_the_code_and_no_server_sees_it_in_an_address() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let coded = Poll { voter_policy: VoterPolicy::Code, ..poll("pets") };
    let service = Setup::new().polls([coded]).start().await;
    let code = Code::generate();
    add_code(&service, "pets", &code).await;
    let (port, sent) = recorded(service.client.address.port()).await;
    let browser = Browser::start(BrowserOptions::default()).await;
    let address = ballot(port, "pets");
    browser.goto(&format!("{address}#code={}", code.printed())).await.unwrap();
    browser.until("#send-label", |words| words == "Vote").await;
    let field = browser.find(Locator::Id("code")).await.unwrap();
    assert_eq!(field.prop("value").await.unwrap(), Some(code.printed()));
    assert_eq!(focus(&browser).await, "option-cats");
    assert_eq!(browser.current_url().await.unwrap().as_str(), address);

    browser.click("label[for=option-dogs]").await;
    browser.click("#send").await;
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    browser.goto(&ballot(port, "pets")).await.unwrap();
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    let voters: Vec<_> = service.entries().await.iter().map(|entry| entry.ballot.voter).collect();
    assert_eq!(voters, [code.key_in(service.poll("pets")).unwrap()]);

    let sent = String::from_utf8_lossy(&sent.lock().unwrap()).into_owned();
    assert!(sent.contains("Referer: ") && sent.contains("GET /polls/pets "), "{sent}");
    let with_code: Vec<&str> = sent.lines().filter(|line| line.contains(&code.printed())).collect();
    assert_eq!(with_code.len(), 1, "the code is sent once: {sent}");
    assert!(with_code[0].starts_with("{\"choices\""), "it is in the ballot: {sent}");
}

#[tokio::test]
async fn a_personal_link_that_is_opened_early_fills_in_the_code_when_the_poll_opens() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let opens_at_ms = Some(now_ms() + 15_000);
    let coded = Poll { voter_policy: VoterPolicy::Code, opens_at_ms, ..poll("pets") };
    let service = Setup::new().polls([coded]).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    let address = ballot(service.client.address.port(), "pets");
    browser.goto(&format!("{address}#code=0123-4567-89AB-CDEF")).await.unwrap();
    browser.until("#scheduled-title", |words| words == "Voting has not started").await;
    eventually(SOON, async || browser.current_url().await.unwrap().as_str() == address).await;
    browser.until_within(Duration::from_secs(60), "#send-label", |words| words == "Vote").await;
    let field = browser.find(Locator::Id("code")).await.unwrap();
    eventually(SOON, async || {
        field.prop("value").await.unwrap().as_deref() == Some("0123-4567-89AB-CDEF")
    })
    .await;
}

#[tokio::test]
async fn after_a_vote_the_page_takes_another_exactly_when_the_policy_replaces() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let slug = |policy: &VotePolicy| policy.to_string().replace('_', "-");
    let with = |policy: &VotePolicy| Poll { vote_policy: *policy, ..poll(&slug(policy)) };
    let service = Setup::new().polls(VotePolicy::ALL.iter().map(with)).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    for policy in VotePolicy::ALL {
        let address = ballot(service.client.address.port(), &slug(policy));
        browser.goto(&address).await.unwrap();
        browser.until("#send-label", |words| words == "Vote").await;
        browser.click("label[for=option-dogs]").await;
        browser.click("#send").await;
        browser.until("#standing-choices", |choices| choices == "Dogs").await;
        let takes_another = !browser.text("#ballot-form").await.is_empty();
        assert_eq!(takes_another, policy.replaces(), "{policy}");
    }
}

#[tokio::test]
async fn a_ballot_meets_a_service_that_is_busy_and_is_sent_until_it_is_accepted() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&ballot(service.client.address.port(), "pets")).await.unwrap();
    browser.click("label[for=option-cats]").await;
    redis.freeze();
    browser.click("#send").await;
    browser.until("#status", |words| words.contains("The server is busy.")).await;
    assert_eq!(browser.text("#standing-title").await, "", "nothing is claimed meanwhile");
    assert_eq!(browser.text("#stop").await, "Stop trying");
    redis.thaw();
    let wait = Duration::from_secs(60);
    browser.until_within(wait, "#standing-choices", |choices| choices == "Cats").await;
    assert_eq!(service.entries().await.len(), 1);
}

#[tokio::test]
async fn a_ballot_whose_answer_is_lost_is_sent_again_and_stands_once() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().start().await;
    let proxy = Proxy::open(vec![service.client.address.port()]).await.unwrap();
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&ballot(proxy.port(), "pets")).await.unwrap();
    browser.click("label[for=option-dogs]").await;
    proxy.set(Mode::CutFrom);
    browser.click("#send").await;
    eventually(SOON, async || service.entries().await.len() == 1).await;
    proxy.set(Mode::Reset);
    browser.until("#status", |words| words.contains("No connection to the server.")).await;
    proxy.set(Mode::Pass);
    let wait = Duration::from_secs(60);
    browser.until_within(wait, "#standing-choices", |choices| choices == "Dogs").await;
    assert_eq!(browser.text("#standing-title").await, "Accepted: you voted for");
    assert_eq!(service.entries().await.len(), 1);
}

#[tokio::test]
async fn one_click_is_one_vote_in_a_browser_without_cookies_whose_first_answers_are_lost() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = Setup::new().start().await;
    let proxy = Proxy::open(vec![service.client.address.port()]).await.unwrap();
    let browser =
        Browser::start(BrowserOptions { cookies: false, ..BrowserOptions::default() }).await;
    browser.goto(&ballot(proxy.port(), "pets")).await.unwrap();
    let token = browser.find(Locator::Id("token")).await.unwrap().prop("value").await.unwrap();
    browser.click("label[for=option-dogs]").await;
    proxy.set(Mode::CutFrom);
    browser.click("#send").await;
    eventually(SOON, async || service.entries().await.len() == 1).await;
    for attempt in 2..4 {
        proxy.set(Mode::Reset);
        browser.until("#status", |words| words.contains(&format!("Try {attempt} in"))).await;
        proxy.set(Mode::CutFrom);
        browser.until("#status", |words| words.contains(&format!("Try {attempt} now"))).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    proxy.set(Mode::Reset);
    browser.until("#status", |words| words.contains("Try 4 in")).await;
    proxy.set(Mode::Pass);
    let wait = Duration::from_secs(60);
    browser.until_within(wait, "#standing-choices", |choices| choices == "Dogs").await;
    assert_eq!(browser.text("#standing-title").await, "Accepted: you voted for");
    let entries = service.entries().await;
    assert_eq!(entries.len(), 1);
    assert_eq!(key_in(&token.unwrap()), entries[0].ballot.voter, "the page's own voter");
}

#[tokio::test]
async fn a_page_that_does_not_know_the_vote_says_so_and_asks_again_by_itself() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    let address = ballot(service.client.address.port(), "pets");
    browser.goto(&address).await.unwrap();
    browser.click("label[for=option-cats]").await;
    browser.click("#send").await;
    browser.until("#standing-choices", |choices| choices == "Cats").await;
    redis.freeze();
    browser.goto(&address).await.unwrap();
    browser.until("#vote-unknown", |words| words.contains("asks again by itself")).await;
    assert_eq!(browser.text("#standing-title").await, "", "nothing is claimed meanwhile");
    let flaws = browser.flaws("ballot-vote-unknown").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    redis.thaw();
    let wait = Duration::from_secs(60);
    browser.until_within(wait, "#standing-choices", |choices| choices == "Cats").await;
}
