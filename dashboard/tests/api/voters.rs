//! Results that whoever has voted sees before everybody (visibility `after_vote`).

use testkit::{Browser, BrowserOptions};
use votestream_schema::PollId;
use votestream_schema::poll::results_key::{Carrier, IN_ADDRESS_S, IN_COOKIE_S, ResultsKey};
use votestream_schema::poll::{Definition, Visibility, now_ms};

use crate::browser::ONE_AT_A_TIME;
use crate::harness::{Database, Service, Setup, in_ms, poll};
use crate::stream::Stream;

/// A poll whose results voters see, with votes.
async fn start() -> (Database, PollId, Service) {
    let mut database = Database::new().await;
    let visibility = Visibility::AfterVote;
    let closes_at = Some(in_ms(600_000));
    let pets = database.create(&Definition { visibility, closes_at, ..poll("pets") }).await;
    database.create(&Definition { visibility, ..poll("songs") }).await;
    database.count(pets, 76_259, &[48_613, 27_646]).await;
    database.add_second(pets, now_ms() / 1_000 - 2, 48_613).await;
    let service = Setup::on(&database.url).flag("vote-url", "http://v.example").start().await;
    (database, pets, service)
}

/// The key of a poll, which its producer has, too.
async fn key(database: &Database, slug: &str) -> ResultsKey {
    let sql = "SELECT results_key FROM polls WHERE slug = $1";
    let row = database.client.query_one(sql, &[&slug]).await.unwrap();
    ResultsKey::read(row.get(0)).unwrap()
}

#[tokio::test]
async fn a_proof_opens_the_results_of_its_poll_to_one_browser_and_nothing_else() {
    let (database, pets, service) = start().await;
    let (pets_key, now_s) = (key(&database, "pets").await, now_ms() / 1_000);
    let songs_key = key(&database, "songs").await;
    assert_ne!(pets_key, songs_key);
    let get = |path: &str| service.client.get(path);

    // What is no proof for this address changes nothing.
    let other = PollId(pets.0 + 1);
    for proof in [
        String::new(),
        pets_key.prove(pets, Carrier::Cookie, now_s),
        pets_key.prove(pets, Carrier::Address, now_s - IN_ADDRESS_S),
        songs_key.prove(pets, Carrier::Address, now_s),
        songs_key.prove(other, Carrier::Address, now_s),
    ] {
        let page = get(&format!("/polls/pets?proof={proof}")).send().await;
        assert_eq!((page.status, page.header("set-cookie")), (200, None), "{proof}");
        assert!(!page.text().contains("48,613"), "{proof}");
    }
    // A good one becomes a cookie, and an address without it.
    let proof = pets_key.prove(pets, Carrier::Address, now_s);
    let at_root = get(&format!("/?proof={proof}")).send().await;
    assert_eq!((at_root.status, at_root.header("location")), (303, Some("/")));
    let admitted = get(&format!("/polls/pets?proof={proof}")).send().await;
    assert_eq!((admitted.status, admitted.header("location")), (303, Some("/polls/pets")));
    let cookie = admitted.cookie().unwrap().to_owned();
    let secure = get(&format!("/polls/pets?proof={proof}")).header("x-forwarded-proto", "https");
    assert!(secure.send().await.header("set-cookie").unwrap().ends_with("; Secure"));

    // With it the page and what the page asks for show the results, and nothing else does.
    let with = |path: &str| get(path).cookie(&*cookie);
    for path in ["/", "/polls/pets"] {
        let page = with(path).send().await.text();
        assert!(page.contains("48,613") && page.contains(" data-opened"), "{path}: {page}");
    }
    let tally = with("/api/polls/pets/tally?opened").send().await;
    assert_eq!(tally.json()["options"][0]["votes"], 48_613);
    let series = with("/api/polls/pets/series?seconds=60&opened").send().await;
    assert_eq!(series.json()["points"][0][1], 48_613);
    let mut stream = Stream::opened(&service.client, "pets", &cookie).await;
    assert_eq!(stream.event().await.0, "tally");
    for path in ["tally", "series"] {
        let unasked = with(&format!("/api/polls/pets/{path}")).send().await;
        assert_eq!(unasked.status, 403, "{path}");
        let without = get(&format!("/api/polls/pets/{path}?opened")).send().await;
        assert_eq!(without.status, 403, "{path}");
    }
    for path in ["/embed/pets", "/present/pets", "/api/polls", "/polls/songs"] {
        let text = with(path).send().await.text();
        assert!(!text.contains("48,613") && !text.contains("48611"), "{path}: {text}");
    }
    let picture = async |request: testkit::http::Request| request.send().await.body;
    let path = "/polls/pets/picture.png";
    assert!(picture(with(path)).await == picture(get(path)).await);

    // Cookies that are none: of another poll, ended, or the proof of an address.
    for value in [
        songs_key.prove(other, Carrier::Cookie, now_s),
        pets_key.prove(pets, Carrier::Cookie, now_s - IN_COOKIE_S),
        proof,
    ] {
        let cookie = format!("results_pets={value}");
        let reply = get("/api/polls/pets/tally?opened").cookie(&*cookie).send().await;
        assert_eq!(reply.status, 403, "{value}");
        let mut stream = Stream::opened(&service.client, "pets", &cookie).await;
        assert_eq!(stream.event().await.0, "hidden");
    }

    // Hidden by the operator, they are hidden from voters, too, and their streams end.
    let sql = "UPDATE polls SET visibility = 'admin', revision = revision + 1 WHERE id = $1";
    database.client.execute(sql, &[&pets.0]).await.unwrap();
    stream.end().await;
    assert!(!with("/polls/pets").send().await.text().contains("48,613"));
    let mut stream = Stream::opened(&service.client, "pets", &cookie).await;
    assert_eq!(stream.event().await.0, "hidden");
}

#[tokio::test]
async fn a_reader_who_has_not_voted_sees_the_turnout_and_the_way_to_the_ballot() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (database, pets, service) = start().await;
    let page = format!("http://localhost:{}/polls/pets", service.client.address.port());
    let browser = Browser::start(BrowserOptions { width: 390, ..Default::default() }).await;
    browser.goto(&page).await.unwrap();
    browser
        .until("#hidden-words", |words| words.starts_with("You see them once you have voted"))
        .await;
    browser.until("#hidden-voters", |voters| voters == "76,259").await;
    let vote = browser.find(testkit::fantoccini::Locator::Css("#hidden-vote a")).await.unwrap();
    let address = vote.attr("href").await.unwrap();
    assert_eq!(address.as_deref(), Some("http://v.example/polls/pets"));
    let mut flaws = browser.flaws("results-for-voters").await;
    // The turnout moves.
    database.count(pets, 76_300, &[48_650, 27_650]).await;
    browser.until("#hidden-voters", |voters| voters == "76,300").await;

    // After the vote the same browser, in another tab or in this one, follows the results.
    let proof = key(&database, "pets").await.prove(pets, Carrier::Address, now_ms() / 1_000);
    browser.goto(&format!("{page}?proof={proof}")).await.unwrap();
    assert_eq!(browser.current_url().await.unwrap().query(), None);
    browser.until("#voters", |voters| voters == "76,300").await;
    database.count(pets, 76_301, &[48_651, 27_650]).await;
    browser.until("#voters", |voters| voters == "76,301").await;
    flaws.extend(browser.flaws("results-opened").await);
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
}
