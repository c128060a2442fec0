//! The dashboard below a base path, behind the nginx of docs/PROXIES.md.

use testkit::http::Client;
use testkit::{Browser, BrowserOptions, Nginx};
use votestream_schema::PollId;
use votestream_schema::poll::short_code::ShortCode;

use crate::browser::ONE_AT_A_TIME;
use crate::harness::{Database, Service, Setup, contract, poll};

/// What the service is told in docs/PROXIES.md, without its own address.
fn setup(database: &Database) -> Setup {
    let setup = Setup::on(&database.url).flag("base-path", "/results");
    setup.flag("vote-url", "https://v.example/vote").flag("trusted-proxies", "127.0.0.1/32,::1/128")
}

fn nginx(service: &Service) -> (Nginx, Client) {
    let nginx = Nginx::start(service.client.address, service.client.address);
    let client = Client::new(nginx.address(), contract()).below("/results");
    (nginx, client)
}

#[tokio::test]
async fn below_a_base_path_every_address_leads_back_through_the_proxy() {
    let mut database = Database::new().await;
    for slug in ["pets", "songs"] {
        database.create(&poll(slug)).await;
    }
    let service = setup(&database).start().await;
    let (nginx, client) = nginx(&service);
    let mut files = 0;
    for path in [
        "/",
        "/polls/pets",
        "/polls/pets/accounts",
        "/polls/pets/receipt",
        "/present/pets",
        "/embed/pets",
        "/polls/nobody",
    ] {
        let page = client.get(path).send().await;
        assert_eq!(page.status, if path == "/polls/nobody" { 404 } else { 200 });
        let text = page.text();
        let after = |mark: &'static str| text.split(mark).skip(1);
        let values = [" href=\"", " src=\""].into_iter().flat_map(after);
        for address in values.filter_map(|rest| rest.split('"').next()) {
            match address.strip_prefix("/results") {
                Some(inner) if inner.starts_with("/static/") => {
                    let file = client.get(inner).send().await;
                    let caching = file.header("cache-control").unwrap();
                    assert!(caching.contains("immutable"), "{address}: {caching}");
                    files += 1;
                }
                Some(inner) => {
                    let known = [
                        "/",
                        "/polls/pets",
                        "/polls/songs",
                        "/polls/pets/accounts",
                        "/polls/pets/receipt",
                    ];
                    let is_past = inner.starts_with("/polls/pets/at/2");
                    assert!(is_past || known.contains(&inner), "{address}");
                }
                None => assert!(
                    ["#main", ""].contains(&address)
                        || address.starts_with("https://v.example/vote"),
                    "{path}: {address}"
                ),
            }
        }
    }
    assert!(files > 30, "{files}");

    // Previews have the host that the proxy was asked for, and their picture is there.
    let page = client.get("/polls/pets").send().await.text();
    let below = format!("http://{}/results/polls/pets", nginx.address());
    assert!(page.contains(&format!("og:url\" content=\"{below}\"")), "{page}");
    let picture = page.split("og:image\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    let picture = picture.strip_prefix(&format!("http://{}/results", nginx.address())).unwrap();
    assert_eq!(client.get(picture).send().await.header("content-type"), Some("image/png"));
    // The code on the screen is below the path of the voting page.
    let code = ShortCode::of(PollId(1));
    let screen = client.get("/present/pets").send().await.text();
    assert!(screen.contains(&format!("href=\"https://v.example/vote/v/{code}\"")), "{screen}");
    // A problem names the address that explains it.
    let problem = client.get("/api/polls/nobody/tally").send().await.json();
    assert_eq!(problem["type"], "/results/problems/unknown-poll");
    assert_eq!(client.get("/problems/unknown-poll").send().await.status, 200);
}

#[tokio::test]
async fn only_a_trusted_proxy_names_the_host_of_previews() {
    let mut database = Database::new().await;
    database.create(&poll("pets")).await;
    let trusting = setup(&database).start().await;
    let direct = Setup::on(&database.url).start().await;
    let address = async |service: &Service, name: &str, value: &str| {
        let page = service.client.get("/polls/pets").header(name, value).send().await.text();
        let url = page.split("og:url\" content=\"").nth(1).unwrap();
        url.split("/polls/").next().unwrap().to_owned()
    };
    for (name, value, named) in [
        ("x-forwarded-host", "a.example:8443, b.example", "http://a.example:8443/results"),
        ("forwarded", "for=1.1.1.1;proto=https;host=a.example", "https://a.example/results"),
    ] {
        assert_eq!(address(&trusting, name, value).await, named);
        let own = format!("http://{}", direct.client.address);
        assert_eq!(address(&direct, name, value).await, own, "{name}");
    }
    let own = format!("http://{}/results", trusting.client.address);
    assert_eq!(address(&trusting, "x-forwarded-host", "evil.example/x").await, own);
}

#[tokio::test]
async fn a_browser_follows_the_results_below_a_base_path() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    let songs = database.create(&poll("songs")).await;
    let service = setup(&database).start().await;
    let (nginx, _) = nginx(&service);
    let host = format!("http://localhost:{}/results", nginx.address().port());
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&format!("{host}/polls/pets")).await.unwrap();
    browser.until("#light-words", |light| light.starts_with("Live")).await;
    database.count(pets, 4_321, &[2_987, 1_334]).await;
    browser.until("#voters", |voters| voters == "4,321").await;
    // The screen of a hall turns to the next poll, and its address says so.
    browser.goto(&format!("{host}/present/pets")).await.unwrap();
    browser.until("#light-words", |light| light.starts_with("Live")).await;
    database.count(songs, 7, &[3, 4]).await;
    browser
        .execute("document.querySelector('[data-key=arrowright]').click()", vec![])
        .await
        .unwrap();
    browser.until("#voters", |voters| voters == "7").await;
    assert_eq!(browser.current_url().await.unwrap().path(), "/results/present/songs");
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
}
