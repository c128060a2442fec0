//! Escaping, headers, methods and addresses, which all pages and files have in common.

mod language;
mod state;

use votestream_producer::pages::{ASSETS, FILES};
use votestream_schema::poll::results_key::{Carrier, ResultsKey};
use votestream_schema::poll::short_code::ShortCode;
use votestream_schema::poll::{Visibility, now_ms};
use votestream_schema::{Poll, PollId};

use crate::harness::{Setup, option, poll};

#[tokio::test]
async fn whatever_was_typed_is_shown_and_never_run() {
    let nasty = "<script>alert('1')</script>\"&";
    let mut typed = poll("pets");
    nasty.clone_into(&mut typed.title);
    typed.options = vec![option("cats", nasty), option("dogs", "<b>Dogs</b>")];
    typed.options[0].description = Some(nasty.to_owned());
    let service = Setup::new().polls([typed]).start().await;
    let vote = service.client.post("/").form("vote=a").send().await;
    let echo = "vote=%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let pages = [
        service.client.get("/").send().await,
        service.client.get("/").cookie(vote.cookie()).send().await,
        service.client.post("/").form("vote=b").cookie(vote.cookie()).send().await,
        service.client.post("/").form(echo).send().await,
    ];
    for page in pages {
        let text = page.text();
        assert!(!text.contains("<script>") && !text.contains("<b>"), "{text}");
        assert!(text.contains("&#60;script&#62;") || text.contains("&lt;script&gt;"), "{text}");
    }
    let page = service.client.get("/polls/\"onload=\"x").send().await;
    assert!(page.status == 404 && !page.text().contains("\"onload"), "{}", page.text());
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let service = Setup::new().start().await;
    let paths = ["/", "/polls/pets", "/polls/birds", "/api/polls/pets", "/api/polls/birds"];
    for path in paths.into_iter().chain(["/openapi.json", "/static/base.css", "/static/none"]) {
        let get = service.client.get(path).send().await;
        let head = service.client.request("HEAD", path).send().await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
    }
}

#[tokio::test]
async fn an_address_where_nothing_is_is_answered_with_a_problem() {
    let service = Setup::new().start().await;
    let paths = ["/nothing", "/polls", "/polls/", "/polls/pets/x", "/api", "/api/polls"];
    for path in paths.into_iter().chain(["/api/polls/pets/tally", "/static", "//", "/%2e%2e/etc"]) {
        let reply = service.client.get(path).send().await;
        assert_eq!((reply.status, reply.problem().as_str()), (404, "not-found"), "{path}");
    }
    for name in ["none", "..%2fsrc%2fmain.rs", "base.css%00"] {
        let reply = service.client.get(&format!("/static/{name}")).send().await;
        assert_eq!((reply.status, reply.problem().as_str()), (404, "not-found"), "{name}");
    }
}

#[tokio::test]
async fn a_method_that_an_address_does_not_take_is_answered_with_a_problem() {
    let service = Setup::new().start().await;
    for (method, path) in [
        ("PUT", "/"),
        ("DELETE", "/polls/pets"),
        ("OPTIONS", "/"),
        ("TRACE", "/"),
        ("POST", "/api/polls/pets"),
        ("GET", "/api/polls/pets/ballots"),
        ("PATCH", "/api/polls/pets/ballots"),
        ("POST", "/openapi.json"),
        ("POST", "/static/base.css"),
    ] {
        let reply = service.client.request(method, path).send().await;
        let outcome = (reply.status, reply.problem());
        assert_eq!(outcome, (405, "method-not-allowed".to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn every_file_is_served_with_its_type_compressed_and_for_good_under_its_hash() {
    let service = Setup::new().start().await;
    testkit::check_static_files(&service.client, ASSETS, |name| FILES.path(name)).await;
}

#[tokio::test]
async fn the_page_says_the_state_of_its_poll() {
    let now = now_ms();
    let polls = [
        poll("pets"),
        Poll { opens_at_ms: Some(now + 600_000), ..poll("later") },
        Poll { closes_at_ms: Some(now - 1_000), ..poll("over") },
    ];
    let service = Setup::new().polls(polls).flag("results-url", "http://r.example/").start().await;
    for (path, words, has_form) in [
        ("/", "Voting is open", true),
        ("/polls/later", "Voting has not started", false),
        ("/polls/over", "Voting has closed", false),
    ] {
        let page = service.client.get(path).send().await.text();
        assert!(page.contains(words), "{path}");
        assert_eq!(page.contains("<form"), has_form, "{path}");
    }
    let page = service.client.get("/polls/over").send().await.text();
    assert!(page.contains("href=\"http://r.example/polls/over\""), "{page}");
}

#[tokio::test]
async fn a_short_code_leads_to_the_ballot_however_it_is_typed() {
    let codes = [1, 2].map(|number| ShortCode::of(PollId(number)).to_string());
    let service = Setup::new().polls([poll("pets"), poll("songs")]).start().await;
    for (code, slug) in codes.iter().zip(["pets", "songs"]) {
        let spaced = format!("{}-{}", &code[..2], &code[2..]);
        for typed in [code.clone(), code.to_lowercase(), spaced] {
            let reply = service.client.get(&format!("/v/{typed}")).send().await;
            let ballot = format!("/polls/{slug}");
            assert_eq!((reply.status, reply.header("location")), (303, Some(&*ballot)), "{typed}");
        }
    }
    // That of a draft leads to the page that waits, and tells no more than its slug.
    let draft = Poll { opens_at_ms: None, ..poll("finale") };
    let drafts = Setup::new().polls([poll("pets"), draft]).start().await;
    let reply = drafts.client.get(&format!("/v/{}", codes[1])).send().await;
    assert_eq!((reply.status, reply.header("location")), (303, Some("/polls/finale")));
    let waiting = drafts.client.get("/polls/finale").send().await.text();
    assert!(waiting.contains("data-state=\"draft\""), "{waiting}");
    for note in ["2:finale", "2%3Afinale"] {
        assert_eq!(drafts.client.get(&format!("/polls/{note}")).send().await.status, 404, "{note}");
    }
    let unknown = ShortCode::of(PollId(99)).to_string();
    for typed in [&unknown, "no", "%3Cscript%3E", &"B".repeat(300)] {
        let reply = service.client.get(&format!("/v/{typed}")).send().await;
        let text = reply.text();
        assert_eq!(reply.status, 404, "{typed}");
        assert!(text.contains("look at the screen again") && !text.contains("<script>"), "{text}");
    }
}

#[tokio::test]
async fn a_link_to_the_ballot_has_a_preview_and_unlisted_polls_ask_not_to_be_found() {
    let polls = [poll("pets"), Poll { listed: Some(false), ..poll("quiet") }];
    let service = Setup::new().polls(polls).flag("results-url", "https://r.example/").start().await;
    for path in ["/", "/polls/pets"] {
        let page = service.client.get(path).send().await.text();
        for line in [
            "<title>Cats vs Dogs · Votestream</title>",
            "<meta property=\"og:title\" content=\"Cats vs Dogs\">",
            "<meta property=\"og:image\" content=\"https://r.example/polls/pets/picture.png?v=1\">",
        ] {
            assert!(page.contains(line), "{path}: {line}: {page}");
        }
        assert!(!page.contains("noindex"), "{path}");
    }
    let page = service.client.get("/polls/quiet").send().await.text();
    assert!(page.contains("<meta name=\"robots\" content=\"noindex\">"), "{page}");
}

#[tokio::test]
async fn the_way_to_the_results_has_a_proof_for_those_alone_who_have_voted() {
    let key = ResultsKey::read(&[9; 32]).unwrap();
    let mut pets = Poll { visibility: Visibility::AfterVote, ..poll("pets") };
    pets.secrecy.results_key = Some(key.clone());
    let setup = Setup::new().polls([pets, poll("songs")]);
    let service = setup.flag("results-url", "https://r.example/").start().await;
    let page = service.client.get("/").send().await;
    assert!(page.text().contains("href=\"/polls/pets/results\""), "{}", page.text());
    let way = async |slug: &str, cookie: Option<&str>| {
        let reply =
            service.client.get(&format!("/polls/{slug}/results")).cookie(cookie).send().await;
        assert_eq!((reply.status, reply.header("set-cookie")), (303, None), "{slug}");
        reply.header("location").unwrap().to_owned()
    };
    let visitor = page.cookie();
    for cookie in [None, visitor] {
        assert_eq!(way("pets", cookie).await, "https://r.example/polls/pets", "{cookie:?}");
    }
    let voted = service.ballot("pets", &["cats"]).cookie(visitor).send().await;
    assert_eq!(voted.status, 202);
    let proven = way("pets", visitor).await;
    let proof = proven.strip_prefix("https://r.example/polls/pets?proof=").unwrap();
    let now_s = now_ms() / 1_000;
    assert!(key.accepts(PollId(1), Carrier::Address, proof, now_s), "{proven}");
    assert!(!key.accepts(PollId(1), Carrier::Address, proof, now_s + 300), "{proven}");
    // Another poll needs none, and an unknown one has no results.
    assert_eq!(way("songs", visitor).await, "https://r.example/polls/songs");
    assert_eq!(service.client.get("/polls/nobody/results").send().await.status, 404);
}

/// A build without optimisation compresses less: the same page weighs less in a release.
#[tokio::test]
async fn a_ballot_weighs_no_more_than_a_slow_network_brings_in_half_a_second() {
    let service = Setup::new().start().await;
    let bytes = testkit::page_bytes(&service.client, "/").await;
    assert!((10_000..=25_000).contains(&bytes), "{bytes} bytes");
}

/// The length of compressed text says whether two parts of it are alike, and the page has a secret token.
#[tokio::test]
async fn a_page_that_repeats_what_it_was_sent_is_not_compressed() {
    let service = Setup::new().start().await;
    let gzip = "gzip, deflate, br";
    let page = service.client.get("/").header("accept-encoding", gzip).send().await;
    assert_eq!(page.header("content-encoding"), Some("gzip"));
    assert!(page.headers("vary").any(|value| value == "accept-encoding"));
    let plain = service.client.get("/").header("accept-encoding", "gzip;q=0").send().await;
    assert!(plain.header("content-encoding").is_none() && plain.text().contains("</html>"));
    // Nothing in the address of a page comes back with it.
    let typed = "option=qzqzqz&lang=qzqzqz&qzqzqz=qzqzqz&token=qzqzqz&code=qzqzqz&vote=qzqzqz";
    let page = service.client.get(&format!("/polls/pets?{typed}")).send().await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("qzqzqz"));
    let refused = service.client.post("/").header("accept-encoding", gzip).form("vote=qzqzqz");
    let refused = refused.send().await;
    assert_eq!(refused.header("content-encoding"), None);
    assert!(refused.text().contains("</html>"));
}
