//! Pages of other sites: whose may vote, and that each browser has one vote there.

use serde_json::json;
use testkit::http::{Reply, Request};
use testkit::{Browser, BrowserOptions};
use warp::Filter as _;

use crate::harness::{Service, Setup};

const ALLOWED: &str = "https://tv.example";

/// A request of a script on a page of the allowed site.
fn by_script(request: Request) -> Request {
    request
        .header("origin", ALLOWED)
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "cors")
}

async fn start() -> Service {
    Setup::new().flag("allowed-origins", ALLOWED).flag("cookie-secure", "true").start().await
}

fn shared_with(reply: &Reply) -> (Option<&str>, Option<&str>) {
    assert!(reply.headers("vary").any(|names| names == "origin"));
    (reply.header("access-control-allow-origin"), reply.header("access-control-allow-credentials"))
}

#[tokio::test]
async fn a_browser_that_asks_first_is_told_which_origins_may_vote() {
    let service = start().await;
    for (path, methods) in
        [("/api/polls/pets", "GET, HEAD, OPTIONS"), ("/api/polls/pets/ballots", "OPTIONS, POST")]
    {
        let ask = |origin: &str| {
            let request = service.client.request("OPTIONS", path).header("origin", origin);
            request.header("access-control-request-method", "POST").send()
        };
        let yes = ask(ALLOWED).await;
        assert_eq!(yes.status, 204);
        assert_eq!(shared_with(&yes), (Some(ALLOWED), Some("true")));
        assert_eq!(yes.header("access-control-allow-methods"), Some(methods));
        let headers = yes.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("content-type") && headers.contains("idempotency-key"));
        for foreign in
            ["https://evil.example", "null", "https://tv.example.evil", "http://tv.example"]
        {
            assert_eq!(shared_with(&ask(foreign).await), (None, None), "{foreign}");
        }
    }
}

#[tokio::test]
async fn every_reply_of_the_api_can_be_read_by_the_allowed_site_and_by_no_other() {
    let service = start().await;
    let get = |path: &str| by_script(service.client.get(path));
    let replies = [
        get("/api/polls/pets").send().await,
        get("/api/polls/birds").send().await,
        by_script(service.ballot("pets", &["cats"])).send().await,
        by_script(service.ballot("pets", &["birds"])).send().await,
        by_script(service.client.post("/api/polls/pets/ballots").form("vote=a")).send().await,
    ];
    assert_eq!(replies.each_ref().map(|reply| reply.status), [200, 404, 403, 422, 415]);
    for reply in &replies {
        assert_eq!(shared_with(reply), (Some(ALLOWED), Some("true")), "{}", reply.status);
    }
    let foreign = service.client.get("/api/polls/pets").header("origin", "https://evil.example");
    assert_eq!(shared_with(&foreign.send().await), (None, None));
}

#[tokio::test]
async fn a_visit_of_the_allowed_site_is_no_new_voter() {
    let service = start().await;
    // A form without a token, as often as the page is visited.
    let form = |body: &str| {
        let request = service.client.post("/polls/pets").form(body);
        request
            .header("origin", ALLOWED)
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", "navigate")
            .send()
    };
    for _ in 0..3 {
        let refused = form("vote=cats").await;
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("Not from this site"));
    }
    // A script without a cookie and without a token.
    for _ in 0..3 {
        let refused = by_script(service.ballot("pets", &["cats"])).send().await;
        assert_eq!(refused.problem(), "cross-site");
        assert!(refused.json()["detail"].as_str().unwrap().contains("voting token"));
    }
    assert!(service.entries().await.is_empty());

    // The poll gives the page a token, and the browser a cookie of its own for this site.
    let poll = by_script(service.client.get("/api/polls/pets")).send().await;
    let set = poll.header("set-cookie").unwrap().to_owned();
    assert!(set.starts_with("__Host-voter_"), "{set}");
    assert!(set.ends_with("; HttpOnly; SameSite=None; Secure; Partitioned"), "{set}");
    let token = poll.json()["token"].as_str().unwrap().to_owned();
    let body = json!({ "choices": ["cats"], "token": token });
    let cast = || by_script(service.client.post("/api/polls/pets/ballots").json(&body)).send();
    assert_eq!(cast().await.status, 202);
    assert_eq!(cast().await.problem(), "already-voted");
    let by_cookie = by_script(service.ballot("pets", &["dogs"])).cookie(poll.cookie()).send().await;
    assert_eq!(by_cookie.problem(), "already-voted", "the cookie is the same voter's");
    let again = by_script(service.client.get("/api/polls/pets")).cookie(poll.cookie()).send().await;
    assert!(again.json()["token"].is_null(), "the cookie is enough, and scripts cannot read it");
    let by_form = form(&format!("vote=dogs&token={token}")).await;
    assert_eq!((by_form.status, by_form.cookie()), (409, None), "the browser's own cookie stays");
    // A key alone names nobody here: the page could make one for each visit.
    let keyed = by_script(service.ballot("pets", &["cats"])).header("idempotency-key", "a new key");
    assert_eq!(keyed.send().await.problem(), "cross-site");
    assert_eq!(service.entries().await.len(), 1);
}

/// A page of another site that votes as its readers would: it reads the poll, then casts a ballot.
fn other_site(producer: &str) -> String {
    format!(
        "<!doctype html><title>TV</title><p id=said>waiting</p><script type=module>\
         const api = '{producer}/api/polls/pets', options = {{ credentials: 'include' }};\
         const say = (words) => document.getElementById('said').textContent = words;\
         try {{\
           const poll = await (await fetch(api, options)).json();\
           const reply = await fetch(api + '/ballots', {{ ...options, method: 'POST',\
             headers: {{ 'content-type': 'application/json' }},\
             body: JSON.stringify({{ choices: ['cats'], token: poll.token }}) }});\
           say(poll.your_vote + ' ' + reply.status);\
         }} catch (error) {{ say('failed: ' + error); }}\
         </script>"
    )
}

#[tokio::test]
async fn a_browser_votes_once_on_a_page_of_an_allowed_site_however_often_it_is_loaded() {
    // Chromium treats this machine's own addresses like TLS. `localhost` and 127.0.0.1 are two sites.
    let page = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", page.local_addr().unwrap());
    let setup = Setup::new().flag("allowed-origins", &origin).flag("cookie-secure", "true");
    let service = setup.start().await;
    let producer = format!("http://localhost:{}", service.client.address.port());
    let html = other_site(&producer);
    let served = warp::path::end().map(move || warp::reply::html(html.clone()));
    tokio::spawn(warp::serve(served).incoming(page).run());

    let _turn = crate::browser::ONE_AT_A_TIME.lock().await;
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&origin).await.unwrap();
    browser.until("#said", |words| words == "none 202").await;
    for _ in 0..2 {
        browser.refresh().await.unwrap();
        browser.until("#said", |words| words == "stands 409").await;
    }
    assert_eq!(service.entries().await.len(), 1);

    // Another origin on the same machine may not.
    let stranger = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", stranger.local_addr().unwrap());
    let html = other_site(&producer);
    let served = warp::path::end().map(move || warp::reply::html(html.clone()));
    tokio::spawn(warp::serve(served).incoming(stranger).run());
    browser.goto(&address).await.unwrap();
    browser.until("#said", |words| words.starts_with("failed")).await;
    assert_eq!(service.entries().await.len(), 1);
}
