//! Voter cookies: which cookies identify a voter, and which are refused or ignored.

use std::time::Duration;

use serde_json::json;
use testkit::eventually;
use votestream_schema::VoterId;
use votestream_schema::poll::now_ms;
use votestream_schema::voter::{AGE_MAX_S, Identity, KeyRing};

use crate::harness::{COOKIE_KEY, Service, Setup};

const ROTATED_WITHIN: Duration = Duration::from_secs(30);
const OTHER_KEY: &str = "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5";

fn signed(keys: &str, scope: &str, issued_s: i64) -> String {
    let value = KeyRing::parse(keys).unwrap().sign(scope, VoterId::new(), issued_s);
    format!("voter={value}")
}

/// A ballot with this cookie is refused and the cookie removed; a page is shown, with a new one.
async fn expect_refused(service: &Service, cookie: &[u8]) {
    let shown = String::from_utf8_lossy(cookie).into_owned();
    let reply = service.ballot("pets", &["cats"]).header_bytes("cookie", cookie).send().await;
    assert_eq!((reply.status, reply.problem().as_str()), (400, "malformed"), "{shown}");
    assert_eq!(reply.cookie(), Some("voter="), "{shown}");
    assert!(reply.header("set-cookie").unwrap().contains("; Max-Age=0;"), "{shown}");

    let form = service.client.post("/").form("vote=a").header_bytes("cookie", cookie).send().await;
    assert_eq!((form.status, form.cookie()), (400, Some("voter=")), "{shown}");

    let page = service.client.get("/").header_bytes("cookie", cookie).send().await;
    let fresh = page.cookie().expect("a page makes a new voter");
    let reply = service.ballot("pets", &["cats"]).cookie(fresh).send().await;
    assert_eq!(reply.status, 202, "{shown}");
}

#[tokio::test]
async fn a_cookie_that_is_not_ours_is_refused_and_removed() {
    let service = Setup::new().start().await;
    let now_s = now_ms() / 1_000;
    let good = signed(COOKIE_KEY, "voter", now_s);
    let other_voter = {
        let (head, tail) = good.split_at("voter=v1.".len());
        format!("{head}{}{}", VoterId::new(), &tail[32..])
    };
    let forged = [
        good[..good.len() - 1].to_owned(),
        good[..good.len() / 2].to_owned(),
        format!("{good}0"),
        other_voter,
        signed(OTHER_KEY, "voter", now_s),
        signed(COOKIE_KEY, "voter-pets", now_s),
        signed(COOKIE_KEY, "voter", now_s - AGE_MAX_S - 1),
        signed(COOKIE_KEY, "voter", now_s + 3_600),
        "voter=".to_owned(),
        "voter=v1.0.0.0".to_owned(),
        format!("voter={}", "x".repeat(4_000)),
        "other=1; voter=nonsense".to_owned(),
    ];
    for cookie in &forged {
        expect_refused(&service, cookie.as_bytes()).await;
    }
    expect_refused(&service, b"voter=v1.\xff\xfe").await;
    assert_eq!(service.entries().await.len(), forged.len() + 1, "only the fresh ones count");
}

#[tokio::test]
async fn cookies_of_other_applications_do_no_harm() {
    let service = Setup::new().start().await;
    let first = service.ballot("pets", &["cats"]).header("cookie", "sid=1; theme").send().await;
    let ours = first.cookie().unwrap();
    let foreign: [&[u8]; 4] = [b"sid=1; ", b"=; ;;;", b"name=J\xc3\xbcrgen; ", b"raw=\xff\xfe; "];
    for before in foreign {
        let cookie = [before, ours.as_bytes()].concat();
        let reply = service.ballot("pets", &["dogs"]).header_bytes("cookie", &cookie).send().await;
        assert_eq!(reply.problem(), "already-voted", "{}", String::from_utf8_lossy(before));
        let new = service.ballot("pets", &["dogs"]).header_bytes("cookie", before).send().await;
        assert_eq!(new.status, 202, "{}", String::from_utf8_lossy(before));
    }
}

#[tokio::test]
async fn a_rotated_key_is_still_believed_until_it_is_dropped() {
    let before = Setup::new().start().await;
    let reply = before.ballot("pets", &["cats"]).send().await;
    let cookie = reply.cookie().unwrap();
    let both = before.setup.clone().cookie_keys(&format!("{OTHER_KEY},{COOKIE_KEY}"));
    let both = both.join().await;
    assert_eq!(both.standing("pets", cookie).await, json!(["cats"]));
    let new = both.ballot("pets", &["dogs"]).send().await;
    let dropped = before.setup.clone().cookie_keys(OTHER_KEY).join().await;
    assert_eq!(dropped.standing("pets", new.cookie().unwrap()).await, json!(["dogs"]));
    expect_refused(&dropped, cookie.as_bytes()).await;
}

#[tokio::test]
async fn a_key_is_rotated_in_its_file_without_a_restart() {
    let file = testkit::folder("cookie-keys").join("keys");
    std::fs::write(&file, COOKIE_KEY).unwrap();
    let service = Setup::new().cookie_keys_file(&file).start().await;
    let before = service.ballot("pets", &["cats"]).send().await;
    let new_key = KeyRing::parse(OTHER_KEY).unwrap();
    let signs_anew = async || {
        let page = service.client.get("/").send().await;
        let cookie = page.cookie().unwrap().to_owned();
        let read =
            new_key.identify([cookie.as_bytes()].into_iter(), "voter", "voter", now_ms() / 1_000);
        matches!(read, Identity::Known(_)).then_some(cookie)
    };
    // An unusable file changes nothing.
    std::fs::write(&file, "no key").unwrap();
    std::fs::write(&file, format!("{OTHER_KEY},{COOKIE_KEY}")).unwrap();
    let after = eventually(ROTATED_WITHIN, signs_anew).await;
    assert_eq!(service.standing("pets", before.cookie().unwrap()).await, json!(["cats"]));
    std::fs::remove_file(&file).unwrap();
    let reply = service.ballot("pets", &["dogs"]).cookie(after.as_str()).send().await;
    assert_eq!(reply.status, 202);
}

#[tokio::test]
async fn replicas_with_one_key_know_each_others_voters() {
    let one = Setup::new().start().await;
    let other = one.setup.clone().join().await;
    let reply = one.ballot("pets", &["cats"]).send().await;
    let again = other.ballot("pets", &["dogs"]).cookie(reply.cookie()).send().await;
    assert_eq!(again.problem(), "already-voted");
}

#[tokio::test]
async fn behind_tls_cookies_are_secure_and_bound_to_the_host() {
    let always = Setup::new().flag("cookie-secure", "true").start().await;
    let proxied = Setup::new().flag("trusted-proxies", "127.0.0.0/8").start().await;
    for service in [&always, &proxied] {
        let cast = |choice| service.ballot("pets", &[choice]).header("x-forwarded-proto", "https");
        let reply = cast("cats").send().await;
        let set = reply.header("set-cookie").unwrap();
        assert!(set.starts_with("__Host-voter=v1."), "{set}");
        assert!(
            set.ends_with("; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax; Secure"),
            "{set}"
        );
        let again = cast("dogs").cookie(reply.cookie()).send().await;
        assert_eq!(again.problem(), "already-voted");
        let forged = cast("dogs").cookie("__Host-voter=v1.x").send().await;
        assert_eq!((forged.status, forged.cookie()), (400, Some("__Host-voter=")));
    }
    let plain = proxied.ballot("pets", &["cats"]).send().await;
    assert!(plain.cookie().unwrap().starts_with("voter="));
    assert!(!plain.header("set-cookie").unwrap().contains("Secure"));
}

#[tokio::test]
async fn behind_tls_a_plain_cookie_is_not_believed() {
    let service = Setup::new().flag("trusted-proxies", "127.0.0.0/8").start().await;
    let over_plain = service.ballot("pets", &["cats"]).send().await;
    let planted = over_plain.cookie().unwrap();
    let over_tls = |request: testkit::http::Request| request.header("x-forwarded-proto", "https");

    let page = over_tls(service.client.get("/api/polls/pets")).cookie(planted).send().await;
    assert!(page.json()["your_choices"].is_null(), "shown as the voter of a planted cookie");
    assert!(page.cookie().unwrap().starts_with("__Host-voter=v1."), "a new voter");
    let cast = over_tls(service.ballot("pets", &["dogs"])).cookie(planted).send().await;
    assert_eq!(cast.status, 202, "{}", cast.text());

    // Beside the voter's own cookie, in either order, it changes nothing.
    let own = cast.cookie().unwrap();
    for both in [format!("{planted}; {own}"), format!("{own}; {planted}")] {
        let page = over_tls(service.client.get("/api/polls/pets")).cookie(both.as_str()).send();
        assert_eq!(page.await.json()["your_choices"], json!(["dogs"]), "{both}");
    }
    // A cookie that this service never believes is ignored, and not answered with 400.
    let cast = over_tls(service.ballot("pets", &["cats"])).cookie("voter=nonsense").send().await;
    assert_eq!(cast.status, 202, "{}", cast.text());
    // Without TLS the plain cookie counts, and a prefixed one is ignored.
    assert_eq!(service.standing("pets", planted).await, json!(["cats"]));
    let prefixed = service.ballot("pets", &["cats"]).cookie(own).send().await;
    assert_eq!(prefixed.status, 202, "{}", prefixed.text());
}

#[tokio::test]
async fn a_page_gives_a_cookie_once() {
    let service = Setup::new().start().await;
    for path in ["/", "/polls/pets", "/api/polls/pets"] {
        let first = service.client.get(path).send().await;
        let again = service.client.get(path).cookie(first.cookie()).send().await;
        assert!(first.cookie().is_some() && again.cookie().is_none(), "{path}");
    }
}
