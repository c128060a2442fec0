//! Each task once in a browser without JavaScript, and every state of every page without a flaw.

use testkit::fantoccini::Locator;
use testkit::{Browser, BrowserOptions};
use tokio::sync::Mutex;
use votestream_schema::poll::Visibility;

use crate::harness::{Deployment, Service};

/// A browser at a time is enough for a small machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

async fn type_into(browser: &Browser, css: &str, text: &str) {
    let field = browser.find(Locator::Css(css)).await.unwrap();
    field.clear().await.unwrap();
    field.send_keys(text).await.unwrap();
}

async fn open(browser: &Browser, service: &Service, path: &str) {
    browser.goto(&service.at(path)).await.unwrap();
}

/// Opens the page of a task from the poll's page, fills in its fields, sends it, and waits for the notice.
async fn task(
    browser: &Browser,
    service: &Service,
    name: &str,
    fields: &[(&str, &str)],
    notice: &str,
) {
    open(browser, service, "/polls/pets").await;
    browser.click(&format!("#task-{name}")).await;
    browser.until("h1", |words| !words.is_empty()).await;
    for (field, text) in fields {
        type_into(browser, &format!("#field-{field}"), text).await;
    }
    browser.click("#send").await;
    browser.until("#done", |words| words.contains(notice)).await;
}

#[tokio::test]
async fn every_task_is_done_in_a_browser_without_javascript() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let deployment = Deployment::new().await;
    let token = deployment.add("anna", &["--role", "admin"]);
    let service = deployment.start(&["--vote-url=https://vote.example"]).await;
    let browser =
        Browser::start(BrowserOptions { javascript: false, ..BrowserOptions::default() }).await;

    // Whoever is not signed in is led to the form; a wrong token is refused there.
    open(&browser, &service, "/").await;
    type_into(&browser, "#field-token", "wrong").await;
    browser.click("#send").await;
    browser.until("#problem", |words| words.contains("not valid")).await;
    type_into(&browser, "#field-token", &token).await;
    browser.click("#send").await;
    browser.until("#no-polls", |words| !words.is_empty()).await;

    // A mistake in the form is named, and nothing has to be typed twice.
    browser.click("#create").await;
    browser.until("h1", |words| words == "Create a poll").await;
    type_into(&browser, "#field-title", "Which pets?").await;
    type_into(&browser, "#field-slug", "pets").await;
    type_into(&browser, "#field-options", "Cats").await;
    browser.click("#send").await;
    browser.until("#problem", |words| words.contains("2 to 63 options")).await;
    type_into(&browser, "#field-options", "Cats\nDogs").await;
    browser.click("input[value=admin]").await;
    browser.click("#send").await;
    browser.until("#done", |words| words.contains("created")).await;
    assert_eq!(browser.text("#poll-title").await, "Which pets?");
    assert_eq!(browser.text("#poll-state").await, "draft");

    let soon = [("opens_at", "+1h"), ("closes_at", "+2h")];
    task(&browser, &service, "open", &soon, "opening time").await;
    assert_eq!(browser.text("#poll-state").await, "scheduled");
    task(&browser, &service, "cancel", &[], "draft again").await;
    let now = [("opens_at", "now"), ("closes_at", "+1h")];
    task(&browser, &service, "open", &now, "opening time").await;
    assert_eq!(browser.text("#poll-state").await, "open");
    let before = deployment.poll("pets").await.closes_at_ms.unwrap();
    task(&browser, &service, "extend", &[("closes_at", "+10m")], "later now").await;
    assert_eq!(deployment.poll("pets").await.closes_at_ms, Some(before + 600_000));
    task(&browser, &service, "reveal", &[], "Everybody sees").await;
    assert_eq!(deployment.poll("pets").await.visibility, Visibility::Always);
    task(&browser, &service, "hide", &[], "hidden").await;
    assert_eq!(deployment.poll("pets").await.visibility, Visibility::AfterClose);
    let texts = [("title", "Cats or dogs?"), ("label-cats", "All cats")];
    task(&browser, &service, "correct", &texts, "stored").await;
    let changes = browser.text("#changes").await;
    for words in ["Which pets?", "Cats or dogs?", "All cats"] {
        assert!(changes.contains(words), "{words}: {changes}");
    }
    task(&browser, &service, "close", &[], "closing time").await;
    browser.until("#poll-state", |words| words == "closed").await;
    task(&browser, &service, "archive", &[], "archived").await;
    assert_eq!(browser.text("#tasks").await, "");
    assert!(browser.text("#steps").await.contains("anna"));

    // Codes are made, added and, on a page for the printer, handed out.
    deployment.create("members", &["--voter-policy", "code"]);
    open(&browser, &service, "/polls/members").await;
    browser.click("#task-codes").await;
    browser.until("h1", |words| words == "Voting codes").await;
    type_into(&browser, "#field-codes", "2345-6789-ABCD-EFGH\nshort").await;
    browser.click("#import").await;
    browser.until("#problem", |words| words.contains("Line 2 is no code")).await;
    type_into(&browser, "#field-codes", "2345-6789-ABCD-EFGH").await;
    browser.click("#import").await;
    browser.until("#done", |words| words == "1 code added. None was there before.").await;
    type_into(&browser, "#field-count", "2").await;
    browser.click("#issue").await;
    browser.until("#cards", |words| words.matches("Scan the picture").count() == 2).await;

    browser.click("#sign-out").await;
    browser.until("h1", |words| words == "Sign in").await;
    open(&browser, &service, "/polls/pets").await;
    browser.until("h1", |words| words == "Sign in").await;
    // A link that the operator made signs in with one button.
    let link = deployment.votectl(&["organisers", "link", "anna", "--url", &service.at("")]);
    browser.goto(link.trim()).await.unwrap();
    browser.click("#send").await;
    browser.until("#polls", |words| words.contains("Cats or dogs?")).await;
}

#[tokio::test]
async fn no_state_of_any_page_has_a_flaw() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let deployment = Deployment::new().await;
    let token = deployment.add("anna", &["--role", "admin"]);
    let service = deployment
        .start(&["--vote-url=https://vote.example", "--results-url=https://results.example"])
        .await;
    let long = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen oder die Mütze selbst?";
    deployment.create("draft", &["--visibility", "admin"]);
    deployment.create("scheduled", &["--opens-at", "+1h", "--closes-at", "+2h"]);
    deployment.create("open", &["--open", "--closes-at", "+1h"]);
    deployment.create("secret", &["--secret"]);
    deployment.create("closed", &["--open"]);
    deployment.votectl(&[
        "poll",
        "set",
        "open",
        "--title",
        long,
        "--label",
        &format!("cats={long}"),
    ]);
    deployment.votectl(&["poll", "close", "closed"]);
    deployment.create("archived", &[]);
    deployment.create("members", &["--voter-policy", "code"]);
    deployment.votectl(&["poll", "archive", "archived"]);
    let mut found = Vec::new();
    for (name, dark, width) in [("dark-320", true, 320), ("light-1440", false, 1440)] {
        let browser =
            Browser::start(BrowserOptions { dark, width, ..BrowserOptions::default() }).await;
        open(&browser, &service, "/sign-in").await;
        found.extend(browser.flaws(&format!("host-sign-in-{name}")).await);
        type_into(&browser, "#field-token", "wrong").await;
        browser.click("#send").await;
        browser.until("#problem", |words| !words.is_empty()).await;
        found.extend(browser.flaws(&format!("host-wrong-token-{name}")).await);
        open(&browser, &service, "/sign-in/some-link").await;
        found.extend(browser.flaws(&format!("host-link-{name}")).await);
        open(&browser, &service, "/sign-in").await;
        type_into(&browser, "#field-token", &token).await;
        browser.click("#send").await;
        browser.until("#polls", |words| !words.is_empty()).await;
        let one_of_each_kind = [
            "/",
            "/create",
            "/polls/open",
            "/polls/birds",
            "/polls/open/correct",
            "/polls/members/codes",
        ];
        let further = [
            "/polls/draft",
            "/polls/scheduled",
            "/polls/secret",
            "/polls/closed",
            "/polls/archived",
            "/polls/draft/open",
            "/polls/draft/reveal",
            "/polls/open/extend",
            "/polls/open/close",
            "/polls/open/hide",
            "/polls/scheduled/cancel",
            "/polls/closed/archive",
            "/polls/open/open",
            "/polls/open?done=extend",
            "/polls/members",
            "/polls/members?lang=ar",
            "/polls/open/close?lang=de",
        ];
        // Where pages of a kind differ in words alone, colours and widths are looked at once.
        let pages = one_of_each_kind.iter().chain(further.iter().filter(|_| dark));
        for path in pages {
            open(&browser, &service, path).await;
            browser.until("h1", |words| !words.is_empty()).await;
            let page = path.replace(['/', '?', '='], "-");
            found.extend(browser.flaws(&format!("host{page}-{name}")).await);
        }
        // New codes on their cards, and codes that can be guessed.
        open(&browser, &service, "/polls/members/codes").await;
        browser.click("#issue").await;
        browser.until("#cards", |words| !words.is_empty()).await;
        found.extend(browser.flaws(&format!("host-cards-{name}")).await);
        open(&browser, &service, "/polls/members/codes").await;
        type_into(&browser, "#field-codes", "AAAA-AAAA-AAAA-AAAA").await;
        browser.click("#import").await;
        browser.until("#warning", |words| !words.is_empty()).await;
        found.extend(browser.flaws(&format!("host-codes-warning-{name}")).await);
        // A form that was refused, and one that asks for the token.
        open(&browser, &service, "/create").await;
        browser.click("#send").await;
        browser.until("#problem", |words| !words.is_empty()).await;
        found.extend(browser.flaws(&format!("host-create-refused-{name}")).await);
        let old = "UPDATE host_sessions SET confirmed_at = now() - interval '301 seconds'";
        deployment.postgres.batch_execute(old).await.unwrap();
        open(&browser, &service, "/polls/open/close").await;
        browser.click("#send").await;
        browser.until("#problem", |words| !words.is_empty()).await;
        found.extend(browser.flaws(&format!("host-confirm-{name}")).await);
        let errors = browser.console_errors().await;
        let policy: Vec<_> =
            errors.iter().filter(|line| line.contains("Content Security Policy")).collect();
        assert!(policy.is_empty(), "{policy:?}");
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
