//! What other sites see: previews, pictures, frames, scripts that read tallies; and what no list shows. Also the page on
//! paper.

use clap::Parser;
use serde_json::json;
use testkit::{Browser, BrowserOptions};
use votestream_dashboard::Config;
use votestream_schema::PollId;
use votestream_schema::poll::{Definition, Visibility, VoterPolicy};

use crate::browser::ONE_AT_A_TIME;
use crate::harness::{Database, Setup, in_ms, option, poll};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Width and height of a PNG, which stand in its first block.
fn size(png: &[u8]) -> (u32, u32) {
    assert!(png.starts_with(PNG), "no PNG");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// Writes a picture to the folder of pictures, if a person wants to look at it.
fn keep(name: &str, png: &[u8]) {
    if let Some(folder) = std::env::var_os("PICTURES") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), png).unwrap();
    }
}

#[tokio::test]
async fn a_link_to_the_results_has_a_preview_with_their_picture() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    database.count(pets, 4_321, &[2_987, 1_334]).await;
    let service = Setup::on(&database.url).flag("results-url", "https://r.example/").start().await;
    for path in ["/", "/polls/pets"] {
        let page = service.client.get(path).send().await.text();
        for line in [
            "<title>Cats vs Dogs – results · Votestream</title>",
            "<meta property=\"og:title\" content=\"Cats vs Dogs\">",
            "<meta property=\"og:description\" content=\"Voting is open. 4,321 people counted.\">",
            "<meta property=\"og:url\" content=\"https://r.example/polls/pets\">",
            "content=\"https://r.example/polls/pets/picture.png?v=1-1\">",
        ] {
            assert!(page.contains(line), "{path}: {line}: {page}");
        }
        assert!(!page.contains("noindex"), "{path}");
    }
    // Without the setting, links have the name under which the page was asked for.
    let service = Setup::on(&database.url).start().await;
    let port = service.client.address.port();
    let page = service.client.get("/").header("x-forwarded-proto", "https").send().await.text();
    assert!(
        page.contains("content=\"https://") && page.contains("/polls/pets/picture.png"),
        "{port}: {page}"
    );
}

#[tokio::test]
async fn the_picture_shows_the_standing_result_and_never_a_hidden_one() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    let options: Vec<_> =
        (0..63).map(|n| option(&format!("o{n}"), &format!("أوكرانيا Україна {n}"))).collect();
    let title = "Which of these countries would you most like to visit in the summer of next year, and why?";
    let many = Definition { options, title: title.to_owned(), ..poll("many") };
    let many = database.create(&many).await;
    database.count(many, 2_016, &(1..=63).collect::<Vec<i64>>()).await;
    let hidden = Definition { visibility: Visibility::AfterClose, ..poll("hidden") };
    let hidden = database.create(&hidden).await;
    let service = Setup::on(&database.url).start().await;
    let picture = async |slug: &str| {
        let reply = service.client.get(&format!("/polls/{slug}/picture.png?v=3")).send().await;
        assert_eq!((reply.status, size(&reply.body)), (200, (1_200, 630)), "{slug}");
        keep(&format!("picture-{slug}"), &reply.body);
        reply
    };
    let nothing = picture("pets").await;
    assert_eq!(nothing.header("cache-control"), Some("public, max-age=10"));
    picture("many").await;

    // New votes: the picture may be five seconds old, and no older.
    database.count(pets, 3, &[2, 1]).await;
    let begun = std::time::Instant::now();
    let counted = loop {
        let now = picture("pets").await;
        if now.body != nothing.body {
            break now;
        }
        assert!(begun.elapsed().as_secs() < 15);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    // A closed poll has another picture at once. No picture is kept for long, because an operator may hide even a final result.
    let closes_at = in_ms(-1);
    database.close(pets, closes_at).await;
    database.complete_to(closes_at, 0, pets).await;
    testkit::eventually(std::time::Duration::from_secs(3), async || {
        let now = picture("pets").await;
        assert_eq!(now.header("cache-control"), Some("public, max-age=10"));
        if now.body != counted.body { Ok(()) } else { Err("still the old one") }
    })
    .await;

    // Of hidden results, no vote changes the picture.
    let before = picture("hidden").await.body;
    database.count(hidden, 70, &[60, 10]).await;
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    assert!(picture("hidden").await.body == before, "hidden results are in the picture");

    let unknown = service.client.get("/polls/birds/picture.png").send().await;
    assert_eq!((unknown.status, unknown.problem().as_str()), (404, "unknown-poll"));
}

#[tokio::test]
async fn scripts_of_every_site_may_read_what_is_public() {
    let mut database = Database::new().await;
    database.create(&poll("pets")).await;
    database.create(&Definition { visibility: Visibility::Admin, ..poll("kept") }).await;
    let service = Setup::on(&database.url).start().await;
    for path in [
        "/api/polls",
        "/api/polls/pets/tally",
        "/api/polls/pets/series",
        "/api/polls/kept/tally",
        "/api/polls/kept/series",
    ] {
        let reply = service.client.get(path).header("origin", "https://www.example").send().await;
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(reply.header("access-control-allow-credentials"), None, "{path}");
    }
    for path in ["/", "/polls/pets", "/present/pets", "/openapi.json"] {
        let reply = service.client.get(path).header("origin", "https://www.example").send().await;
        assert_eq!(reply.header("access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn only_the_named_sites_may_frame_the_results() {
    let mut database = Database::new().await;
    database.create(&poll("pets")).await;
    let closed = Setup::on(&database.url).start().await;
    let policy = closed.client.get("/embed/pets").send().await;
    let policy = policy.header("content-security-policy").unwrap();
    assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
    let refused = Config::try_parse_from(["dashboard", "--embed-origins=https://a.example/x"]);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("`https://a.example/x` is no origin"), "{refused}");

    let origins = "https://www.example,https://*.news.example:8443";
    let service = Setup::on(&database.url).flag("embed-origins", origins).start().await;
    for path in ["/embed/pets", "/embed/birds"] {
        let reply = service.client.get(path).send().await;
        let policy = reply.header("content-security-policy").unwrap().to_owned();
        let rule = "; frame-ancestors https://www.example https://*.news.example:8443";
        assert!(policy.ends_with(rule) && policy.starts_with("default-src 'none'"), "{policy}");
    }
    for path in ["/", "/polls/pets", "/present/pets"] {
        let reply = service.client.get(path).send().await;
        let policy = reply.header("content-security-policy").unwrap().to_owned();
        assert!(policy.ends_with("frame-ancestors 'none'"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn results_live_in_a_frame_of_a_named_site_and_of_no_other() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    database.create(&poll("more")).await;
    // The site is a server of its own, on another port and under another name.
    let site = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site_port = site.local_addr().unwrap().port();
    let named = format!("http://127.0.0.1:{site_port}");
    let service = Setup::on(&database.url).flag("embed-origins", &named).start().await;
    let frame = format!("http://localhost:{}/embed/pets", service.client.address.port());
    tokio::spawn(serve_frame(site, frame));
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&named).await.unwrap();
    browser.enter_frame(0).await.unwrap();
    browser.until("#light-words", |words| words == "Live").await;
    database.count(pets, 7, &[3, 4]).await;
    browser.until("#voters", |voters| voters == "7").await;
    assert_eq!(browser.text("#polls").await, "", "a frame shows this poll alone");
    let flaws = browser.flaws("embedded").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    // The same page under another name is another site.
    browser.goto(&format!("http://localhost:{site_port}")).await.unwrap();
    let told = browser.console_errors().await.join(" ");
    assert!(told.contains("frame-ancestors"), "{told}");
}

/// Serves a page that frames this address.
async fn serve_frame(listener: tokio::net::TcpListener, address: String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    while let Ok((mut stream, _)) = listener.accept().await {
        let page = format!(
            "<!doctype html><html lang=en><title>A site</title><link rel=icon href=data:,><h1>News</h1>\
             <iframe title=Results width=1000 height=700 src=\"{address}\"></iframe>"
        );
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\n";
        tokio::spawn(async move {
            let _ = stream.read(&mut [0; 4_096]).await;
            let reply = format!("{head}content-length: {}\r\n\r\n{page}", page.len());
            let _ = stream.write_all(reply.as_bytes()).await;
        });
    }
}

#[tokio::test]
async fn unlisted_polls_are_on_no_list() {
    let mut database = Database::new().await;
    let mut create = async |slug: &str, voter_policy, listed| -> PollId {
        database.create(&Definition { voter_policy, listed, ..poll(slug) }).await
    };
    create("pets", VoterPolicy::Open, None).await;
    create("songs", VoterPolicy::Open, Some(true)).await;
    create("quiet", VoterPolicy::Open, Some(false)).await;
    create("members", VoterPolicy::Code, None).await;
    create("council", VoterPolicy::Code, Some(true)).await;
    let service = Setup::on(&database.url).start().await;
    let list = service.client.get("/api/polls").send().await.json();
    let slugs: Vec<_> =
        list["polls"].as_array().unwrap().iter().map(|poll| &poll["slug"]).collect();
    assert_eq!(json!(slugs), json!(["pets", "songs", "council"]));
    for path in ["/", "/polls/songs", "/polls/quiet", "/embed/pets", "/present/pets"] {
        let page = service.client.get(path).send().await.text();
        for slug in ["/polls/quiet\"", "/polls/members\""] {
            assert!(!page.contains(&format!("href=\"{slug}")), "{path}");
        }
    }
    // Whoever knows the address sees it; search engines are asked to leave it out.
    let page = service.client.get("/polls/quiet").send().await;
    assert!(page.status == 200 && page.text().contains("content=\"noindex\""));
    assert_eq!(service.client.get("/api/polls/quiet/tally").send().await.status, 200);
}

#[tokio::test]
async fn the_page_on_paper_has_a_date_and_the_table() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    database.create(&poll("more")).await;
    database.count(pets, 4_321, &[2_987, 1_334]).await;
    let setup = Setup::on(&database.url).flag("vote-url", "https://vote.example/");
    let service = setup.flag("results-url", "https://r.example").start().await;
    for javascript in [true, false] {
        let browser =
            Browser::start(BrowserOptions { javascript, ..BrowserOptions::default() }).await;
        browser
            .goto(&format!("http://localhost:{}/", service.client.address.port()))
            .await
            .unwrap();
        browser.until("#voters", |voters| voters == "4,321").await;
        assert_eq!(browser.text(".print-only").await, "", "it is for paper");
        browser.devtools("Emulation.setEmulatedMedia", json!({ "media": "print" })).await.unwrap();
        let date = browser.text(".print-only").await;
        assert!(date.contains(" 20") && date.starts_with("Figures of"), "{date}");
        assert!(date.ends_with("https://r.example/polls/pets"), "{date}");
        // The table is folded on the screen. WebDriver takes what is in a closed <details> for invisible.
        let shown = "const table = document.getElementById('results-table');
            return table.checkVisibility({ contentVisibilityAuto: true }) && table.offsetHeight > 100
                && table.innerText.includes('69.1%')";
        assert_eq!(browser.execute(shown, Vec::new()).await.unwrap(), json!(true));
        for css in ["#vote-here", "#polls", "#chart", "#light", "noscript"] {
            assert_eq!(browser.text(css).await, "", "{css} is not for paper");
        }
        let name = format!("print-javascript-{javascript}");
        if let Some(folder) = std::env::var_os("PICTURES") {
            browser.screenshot_to(&std::path::Path::new(&folder).join(format!("{name}.png"))).await;
        }
    }
}
