//! The languages of pages and problems.

use testkit::sentences::unbracketed;

use crate::harness::{Deployment, Service};

/// Texts that somebody typed, names of commands and steps, and the time zone.
const TYPED: [&str; 18] = [
    "CSV",
    "JSON",
    "Cats or dogs?",
    "Lunch?",
    "Cats",
    "Dogs",
    "Votestream",
    "anna",
    "label of cats",
    "votectl",
    "poll archive secret",
    "poll create",
    "poll set",
    "poll",
    "title",
    "UTC",
    "cats",
    "dogs",
];

async fn page(service: &Service, cookie: &str, path: &str) -> String {
    let reply = service.client.get(path).cookie(cookie).send().await;
    assert_eq!(reply.header("content-language"), Some("en-XA"), "{path}");
    reply.text()
}

#[tokio::test]
async fn every_sentence_of_every_page_is_in_the_catalogue() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    let service = deployment.start(&[]).await;
    let cookie = service.sign_in(&anna).await;
    let mut found = unbracketed(&page(&service, &cookie, "/?lang=en-XA").await, &TYPED);
    deployment.create("draft", &["--visibility", "after_vote"]);
    deployment.create("scheduled", &["--opens-at", "+1h", "--closes-at", "+2h"]);
    deployment.create("open", &["--open", "--closes-at", "+1h"]);
    deployment.votectl(&["poll", "set", "open", "--title", "Lunch?", "--label", "cats=Cats Dogs"]);
    deployment.create("secret", &["--secret"]);
    deployment.create("members", &["--voter-policy", "code"]);
    for path in [
        "/",
        "/sign-in",
        "/sign-in/some-link",
        "/create",
        "/polls/draft",
        "/polls/scheduled",
        "/polls/open",
        "/polls/secret",
        "/polls/draft/open",
        "/polls/draft/reveal",
        "/polls/draft/archive",
        "/polls/open/extend",
        "/polls/open/close",
        "/polls/open/hide",
        "/polls/open/correct",
        "/polls/scheduled/cancel",
        "/polls/members",
        "/polls/members/codes",
        "/polls/open/open",
        "/polls/nowhere",
        "/polls/open/nowhere",
    ] {
        let html = page(&service, &cookie, &format!("{path}?lang=en-XA")).await;
        let some = unbracketed(&html, &[&TYPED[..], &["nowhere"]].concat());
        found.extend(some.into_iter().map(|text| format!("{path}: {text}")));
        assert!(!html.contains("⟦host-"), "{path}");
    }
    for task in
        ["create", "open", "extend", "close", "reveal", "hide", "correct", "cancel", "archive"]
    {
        let path = format!("/polls/open?done={task}&lang=en-XA");
        found.extend(unbracketed(&page(&service, &cookie, &path).await, &TYPED));
    }
    // Forms that are refused keep the language, and say why in it.
    let form_token = service.form_token("/create", &cookie).await;
    for (path, more) in [
        ("/create", "title=x&slug=a&options=1"),
        ("/create", "title=x&slug=B&options=1%0A2"),
        ("/create", "title=&slug=b&options=1%0A2"),
        ("/create", "title=x&slug=b&options=1%0A2&choices_max=many"),
        ("/create", "title=x&slug=b&options=1%0A2&closes_at=%2B1h"),
        ("/create", "title=x&slug=open&options=1%0A2"),
        ("/polls/draft/close", ""),
        ("/polls/draft/cancel", ""),
        ("/polls/draft/extend", ""),
        ("/polls/open/open", ""),
        ("/polls/open/cancel", ""),
        ("/polls/open/archive", ""),
        ("/polls/open/extend", "closes_at=2001-01-01T00%3A00%3A00Z"),
        ("/polls/open/close", "at=noon"),
        ("/polls/open/close", "at=2026-03-01+20%3A00"),
        ("/polls/open/close", "at=2026-03-01+20%3A00+Nowhere"),
        ("/polls/open/close", "at=2001-01-01T00%3A00%3A00Z"),
        ("/polls/open/hide", "until=noon"),
        ("/polls/scheduled/close", ""),
        ("/polls/secret/archive", ""),
        ("/polls/members/codes", "count=many"),
        ("/polls/members/codes", "codes=noon"),
        ("/polls/members/codes", "codes="),
        ("/polls/open/codes", "count=1"),
    ] {
        let form = format!("form_token={form_token}&{more}");
        let request = service.client.post(&format!("{path}?lang=en-XA"));
        let reply = request.cookie(cookie.as_str()).form(form).send().await;
        assert_eq!(reply.status, 409, "{path} {more}: {}", reply.text());
        let typed = [&TYPED[..], &["noon", "Nowhere", "many", "open", "until"]].concat();
        let some = unbracketed(&reply.text(), &typed);
        found.extend(some.into_iter().map(|text| format!("{path} {more}: {text}")));
    }
    for fields in ["count=1", "codes=2345-6789-ABCD-EFGH%0AAAAA-AAAA-AAAA-AAAA"] {
        let form = format!("form_token={form_token}&{fields}");
        let request = service.client.post("/polls/members/codes?lang=en-XA");
        let html = request.cookie(cookie.as_str()).form(form).send().await.text();
        let html = html.split("<p class=\"code\"").next().unwrap();
        found.extend(unbracketed(html, &TYPED));
    }
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn pages_and_problems_are_in_the_language_that_is_asked_for() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    deployment.create("pets", &["--open", "--closes-at", "+1h"]);
    let service = deployment.start(&[]).await;
    let cookie = service.sign_in(&anna).await;
    let get = async |path: &str, accepted: &str| {
        let request = service.client.get(path).cookie(cookie.as_str());
        request.header("accept-language", accepted).send().await
    };
    let german = get("/polls/pets", "de, en;q=0.5").await;
    assert_eq!(german.header("content-language"), Some("de"));
    let text = german.text();
    assert!(text.contains("Abstimmung beenden") && text.contains(">läuft<"), "{text}");
    assert!(text.contains("0,0\u{a0}%"), "shares are written as Germans do: {text}");
    let arabic = get("/polls/pets?lang=ar", "de").await.text();
    assert!(arabic.contains("lang=\"ar\" dir=\"rtl\""), "{arabic}");
    assert!(arabic.contains("/polls/pets/close?lang=ar"), "links keep the language: {arabic}");

    let token = service.form_token("/polls/pets/extend", &cookie).await;
    let form = format!("form_token={token}&closes_at=%2B5m");
    let request = service.client.post("/polls/pets/extend?lang=uk");
    let reply = request.cookie(cookie.as_str()).form(form).send().await;
    let leads_to = (reply.status, reply.header("location"));
    assert_eq!(leads_to, (303, Some("/polls/pets?done=extend&lang=uk")));

    let bearer = format!("Bearer {anna}");
    let request = service.client.post("/api/polls/pets/open").header("authorization", &bearer);
    let request = request.header("accept-language", "fr").json(&serde_json::json!({}));
    let problem = request.send().await.json();
    assert_eq!(problem["title"], "Ce n’est pas possible");
    assert_eq!(problem["detail"], "le vote est déjà ouvert");
}
