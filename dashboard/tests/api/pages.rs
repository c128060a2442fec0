//! Properties that all pages and files share: escaping, headers, methods, addresses.

use votestream_dashboard::pages::{ASSETS, FILES};
use votestream_schema::poll::Definition;

use crate::harness::{Database, Setup, option, poll};

#[tokio::test]
async fn figures_stand_in_the_page_without_javascript() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    database.create(&poll("more-pets")).await;
    database.count(pets, 4_321, &[2_987, 1_334]).await;
    let setup = Setup::on(&database.url).flag("vote-url", "https://vote.example/");
    let service = setup.start().await;
    for (path, vote_url) in
        [("/", "https://vote.example/"), ("/polls/pets", "https://vote.example/polls/pets")]
    {
        let page = service.client.get(path).send().await.text();
        for words in ["2,987 votes", "1,334 votes", "69.1%", "4,321", "Leading", "Voting is open"] {
            assert!(page.contains(words), "{path}: {words}");
        }
        assert!(page.contains(&format!("href=\"{vote_url}\"")), "{path}");
        assert!(page.contains("href=\"/polls/more-pets\""), "{path}: other polls are linked");
    }
}

#[tokio::test]
async fn whatever_was_typed_is_shown_and_never_run() {
    let nasty = "<script>alert('1')</script>\"&";
    let mut database = Database::new().await;
    let options = vec![option("cats", nasty), option("dogs", "<b>Dogs</b>")];
    database.create(&Definition { title: nasty.to_owned(), options, ..poll("pets") }).await;
    database.create(&Definition { title: nasty.to_owned(), ..poll("more") }).await;
    let service = Setup::on(&database.url).start().await;
    for path in ["/", "/polls/more"] {
        let text = service.client.get(path).send().await.text();
        assert!(!text.contains("<script>") && !text.contains("<b>"), "{text}");
        assert!(text.contains("&#60;script&#62;") || text.contains("&lt;script&gt;"), "{text}");
    }
    let page = service.client.get("/polls/\"onload=\"x").send().await;
    assert!(page.status == 404 && !page.text().contains("\"onload"), "{}", page.text());
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let service = Setup::new().start().await;
    let api = ["/api/polls", "/api/polls/birds/tally", "/api/polls/pets/series"];
    let paths = ["/", "/polls/pets", "/polls/birds", "/openapi.json", "/static/base.css"];
    for path in paths.into_iter().chain(api) {
        let get = service.client.get(path).send().await;
        let head = service.client.request("HEAD", path).send().await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn what_is_nowhere_is_told_as_a_problem() {
    let service = Setup::new().start().await;
    let paths = ["/nothing", "/polls", "/polls/", "/polls/pets/x", "/api", "/api/polls/pets"];
    for path in paths.into_iter().chain(["/api/polls/pets/ballots", "//", "/static/..%2fx"]) {
        let reply = service.client.get(path).send().await;
        assert_eq!((reply.status, reply.problem().as_str()), (404, "not-found"), "{path}");
    }
}

#[tokio::test]
async fn a_method_that_an_address_does_not_take_is_told_as_a_problem() {
    let service = Setup::new().start().await;
    let paths = ["/", "/polls/pets", "/api/polls", "/api/polls/pets/tally"];
    for path in paths.into_iter().chain(["/api/polls/pets/events", "/static/base.css"]) {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let reply = service.client.request(method, path).form("x=y").send().await;
            let told = (reply.status, reply.problem());
            assert_eq!(told, (405, "method-not-allowed".to_owned()), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_file_is_served_with_its_type_compressed_and_for_good_under_its_hash() {
    let service = Setup::new().start().await;
    testkit::check_static_files(&service.client, ASSETS, |name| FILES.path(name)).await;
}

/// A build without optimisation compresses less: the same page weighs less in a release.
#[tokio::test]
async fn results_weigh_no_more_than_a_slow_network_brings_in_half_a_second() {
    let service = Setup::new().start().await;
    let bytes = testkit::page_bytes(&service.client, "/").await;
    assert!((10_000..=25_000).contains(&bytes), "{bytes} bytes");
}
