//! The producer below a base path, behind the nginx of docs/PROXIES.md.

use testkit::http::{Client, Reply};
use testkit::{Browser, BrowserOptions, Nginx};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use votestream_schema::PollId;
use votestream_schema::poll::short_code::ShortCode;

use super::super::browser::ONE_AT_A_TIME;
use super::super::harness::{Service, Setup, contract, poll};

/// What the service is told in docs/PROXIES.md.
fn setup() -> Setup {
    let setup =
        Setup::new().flag("base-path", "/vote").flag("results-url", "https://r.example/results/");
    setup.flag("trusted-proxies", "127.0.0.1/32,::1/128")
}

fn nginx(service: &Service) -> (Nginx, Client) {
    let nginx = Nginx::start(service.client.address, service.client.address);
    let client = Client::new(nginx.address(), contract()).below("/vote");
    (nginx, client)
}

/// All addresses in a page that a browser goes to or loads.
fn addresses(page: &str) -> Vec<String> {
    let after = |mark: &'static str| page.split(mark).skip(1);
    let values = [" href=\"", " src=\"", " action=\""].into_iter().flat_map(after);
    values.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

fn location(reply: &Reply) -> Option<&str> {
    (reply.status == 303).then(|| reply.header("location")).flatten()
}

#[tokio::test]
async fn below_a_base_path_every_address_leads_back_through_the_proxy() {
    let service = setup().start().await;
    let (nginx, client) = nginx(&service);
    let host = nginx.address().to_string();

    // Pages, also that of a problem: what they name is below the path, and is there.
    let mut files = 0;
    for path in ["/", "/polls/pets", "/polls/nobody"] {
        let page = client.get(path).send().await;
        assert_eq!(page.status, if path == "/polls/nobody" { 404 } else { 200 });
        for address in addresses(&page.text()) {
            match address.strip_prefix("/vote") {
                Some(inner) if inner.starts_with("/static/") => {
                    let file = client.get(inner).send().await;
                    let caching = file.header("cache-control").unwrap();
                    assert!(caching.contains("immutable"), "{address}: {caching}");
                    files += 1;
                }
                Some(inner) => assert!(["/", "/polls/pets"].contains(&inner), "{address}"),
                None => assert!(
                    ["#main", "https://r.example/results/", "https://r.example/results/polls/pets"]
                        .contains(&&*address),
                    "{path}: {address}"
                ),
            }
        }
    }
    assert!(files > 20, "{files}");
    // The path alone is the first page, with a slash.
    let alone = Client::new(nginx.address(), contract()).ask("GET", "/vote").await;
    assert_eq!((alone.status, alone.header("location")), (301, Some("/vote/")));

    // The short address, and the redirect after a form. The proxy is asked for its own host, so the form is one of this site.
    let code = ShortCode::of(PollId(1)).to_string();
    let short = client.get(&format!("/v/{code}")).send().await;
    assert_eq!(location(&short), Some("/vote/polls/pets"));
    let page = client.get("/polls/pets").send().await;
    let cookie = page.header("set-cookie").unwrap();
    assert!(cookie.contains("; Path=/vote;"), "{cookie}");
    let cookie = cookie.split(';').next();
    let form = |origin: &str| {
        client.post("/polls/pets").form("vote=cats").cookie(cookie).header("origin", origin)
    };
    assert_eq!(form("http://evil.example").send().await.status, 403);
    let voted = form(&format!("http://{host}")).send().await;
    assert_eq!(location(&voted), Some("/vote/polls/pets"), "{}", voted.text());
    assert_eq!(service.entries().await.len(), 1);

    // A problem names the address that explains it.
    let ballot = serde_json::json!({ "choices": ["dogs"] });
    let refused = client.post("/api/polls/pets/ballots").json(&ballot).cookie(cookie).send().await;
    let kind = refused.json()["type"].clone();
    assert_eq!(kind, "/vote/problems/already-voted");
    assert_eq!(client.get("/problems/already-voted").send().await.status, 200);
    // Behind TLS a cookie with the prefix __Host- is kept for the path / alone.
    let direct = service.client.below("/vote");
    let secure = direct.get("/").header("x-forwarded-proto", "https").send().await;
    let cookie = secure.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-") && cookie.contains("; Path=/;"), "{cookie}");
    // A proxy may remove the path.
    let removed = service.client.get("/polls/pets").send().await.text();
    assert!(removed.contains(" action=\"/vote/polls/pets\""), "{removed}");
}

#[tokio::test]
async fn a_browser_votes_below_a_base_path() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = setup().start().await;
    let (nginx, _) = nginx(&service);
    let browser = Browser::start(BrowserOptions::default()).await;
    let host = format!("http://localhost:{}", nginx.address().port());
    let code = ShortCode::of(PollId(1)).to_string();
    browser.goto(&format!("{host}/vote/v/{code}")).await.unwrap();
    assert_eq!(browser.current_url().await.unwrap().path(), "/vote/polls/pets");
    // The page follows its poll, over a stream through the proxy.
    service.change("pets", |poll| poll.title = "Cats or Hounds".into()).await;
    browser.until("#poll-title", |title| title == "Cats or Hounds").await;
    browser.click("label[for=option-dogs]").await;
    browser.click("#send").await;
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    browser.refresh().await.unwrap();
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    browser.click(".brand").await;
    browser.until("#standing-choices", |choices| choices == "Dogs").await;
    assert_eq!(browser.current_url().await.unwrap().path(), "/vote/");
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_listener_of_both_families_knows_clients_by_their_own_address() {
    let of_one_voter = |poll: votestream_schema::Poll| {
        let limit = votestream_schema::poll::network_limit::NetworkLimit::new(1, 1).unwrap();
        votestream_schema::Poll { network_limit: Some(limit), ..poll }
    };
    let setup = setup().polls([of_one_voter(poll("pets"))]).listen("[::]:0");
    let service = setup.start().await;
    let (nginx, _) = nginx(&service);
    // IPv4 straight to the listener, and both families through nginx: each names its client, or is one.
    let port = service.client.address.port();
    let vote = async |to: std::net::SocketAddr, client: &str| {
        let mut connection = tokio::net::TcpStream::connect(to).await.unwrap();
        let body = "{\"choices\":[\"cats\"]}";
        let head = format!(
            "POST /vote/api/polls/pets/ballots HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{client}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut reply = String::new();
        connection.read_to_string(&mut reply).await.unwrap();
        reply.split(' ').nth(1).unwrap().to_owned()
    };
    let named = |address: &str| format!("X-Forwarded-For: {address}\r\n");
    let v4 = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(vote(v4, &named("203.0.113.1")).await, "202");
    assert_eq!(vote(v4, &named("203.0.113.1")).await, "429", "the proxy is trusted as 127.0.0.1");
    assert_eq!(vote(nginx.address_v6(), &named("198.51.100.1")).await, "202");
    assert_eq!(vote(nginx.address(), &named("198.51.100.1")).await, "429");
    assert_eq!(vote(nginx.address_v6(), &named("2001:db8::1")).await, "202");
    assert_eq!(vote(nginx.address(), &named("2001:db8::2")).await, "429", "one /64");
}
