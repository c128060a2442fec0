//! Voter cookies: which cookies identify a voter, and which are refused or ignored.

use std::time::Duration;

use serde_json::json;
use testkit::eventually;
use votestream_schema::VoterId;
use votestream_schema::poll::now_ms;
use votestream_schema::voter::{AGE_MAX_S, CookieKind, Identity, KeyRing};

use crate::harness::{COOKIE_KEY, Service, Setup};

const ROTATED_WITHIN: Duration = Duration::from_secs(30);
const OTHER_KEY: &str = "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5";

fn signed(keys: &str, scope: &str, issued_s: i64) -> String {
    let value = KeyRing::parse(keys).unwrap().sign(scope, VoterId::new(), issued_s);
    format!("{}={value}", name())
}

/// The name of this deployment's cookie, in polls that are open to all.
fn name() -> String {
    KeyRing::parse(COOKIE_KEY).unwrap().cookie_name("voter", CookieKind::Plain)
}

/// A ballot with this cookie is refused and the cookie removed; a page is shown, with a new one.
async fn expect_refused(service: &Service, cookie: &[u8]) {
    let shown = String::from_utf8_lossy(cookie).into_owned();
    let reply = service.ballot("pets", &["cats"]).header_bytes("cookie", cookie).send().await;
    assert_eq!((reply.status, reply.problem().as_str()), (400, "malformed"), "{shown}");
    assert_eq!(reply.cookie(), Some(&*format!("{}=", name())), "{shown}");
    assert!(reply.header("set-cookie").unwrap().contains("; Max-Age=0;"), "{shown}");

    let form = service.client.post("/").form("vote=a").header_bytes("cookie", cookie).send().await;
    assert_eq!((form.status, form.cookie()), (400, Some(&*format!("{}=", name()))), "{shown}");

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
        let (head, tail) = good.split_at(name().len() + "=v1.".len());
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
        format!("{}=", name()),
        format!("{}=v1.0.0.0", name()),
        format!("{}={}", name(), "x".repeat(4_000)),
        format!("other=1; {}=nonsense", name()),
    ];
    for cookie in &forged {
        expect_refused(&service, cookie.as_bytes()).await;
    }
    expect_refused(&service, &[name().as_bytes(), b"=v1.\xff\xfe"].concat()).await;
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
    // Nobody here knows the key any more: the cookie is like that of another deployment.
    assert_eq!(dropped.standing("pets", cookie).await, json!(null));
    let reply = dropped.ballot("pets", &["dogs"]).cookie(cookie).send().await;
    assert_eq!(reply.status, 202);
    assert_ne!(reply.cookie().unwrap().split('=').next(), cookie.split('=').next());
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
        let lines = [cookie.as_bytes()].into_iter();
        let read = new_key.identify(lines, "voter", CookieKind::Plain, now_ms() / 1_000);
        matches!(read, Identity::Known { .. }).then_some(cookie)
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
        assert!(set.starts_with(&format!("__Host-{}=v1.", name())), "{set}");
        assert!(
            set.ends_with("; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax; Secure"),
            "{set}"
        );
        let again = cast("dogs").cookie(reply.cookie()).send().await;
        assert_eq!(again.problem(), "already-voted");
        let prefixed = format!("__Host-{}", name());
        let forged = cast("dogs").cookie(&*format!("{prefixed}=v1.x")).send().await;
        assert_eq!((forged.status, forged.cookie()), (400, Some(&*format!("{prefixed}="))));
    }
    let plain = proxied.ballot("pets", &["cats"]).send().await;
    assert!(plain.cookie().unwrap().starts_with(&format!("{}=", name())));
    assert!(!plain.header("set-cookie").unwrap().contains("Secure"));
}

/// A deployment gets TLS, and browsers that have voted come back.
#[tokio::test]
async fn behind_tls_a_plain_cookie_moves_up_once_and_never_replaces_the_voters_own() {
    let service = Setup::new().flag("trusted-proxies", "127.0.0.0/8").start().await;
    let over_plain = service.ballot("pets", &["cats"]).send().await;
    let plain = over_plain.cookie().unwrap();
    let over_tls = |request: testkit::http::Request| request.header("x-forwarded-proto", "https");

    // The same browser is the same voter, and gets a cookie that only TLS carries.
    let page = over_tls(service.client.get("/api/polls/pets")).cookie(plain).send().await;
    assert_eq!(page.json()["your_choices"], json!(["cats"]));
    let moved = page.cookie().unwrap();
    assert!(moved.starts_with(&format!("__Host-{}=v1.", name())), "{moved}");
    let again = over_tls(service.ballot("pets", &["dogs"])).cookie(plain).send().await;
    assert_eq!(again.problem(), "already-voted", "one browser, one vote");
    assert!(again.cookie().unwrap().starts_with("__Host-"));

    // Once the browser has it, a plain cookie that somebody planted changes nothing, in either order.
    let planted = service.ballot("pets", &["dogs"]).send().await;
    let planted = planted.cookie().unwrap();
    for both in [format!("{planted}; {moved}"), format!("{moved}; {planted}")] {
        let page = over_tls(service.client.get("/api/polls/pets")).cookie(both.as_str()).send();
        let page = page.await;
        assert_eq!(page.json()["your_choices"], json!(["cats"]), "{both}");
        assert_eq!(page.cookie(), None, "it has moved up already");
    }
    // An unusable plain cookie is ignored there, and not answered with 400.
    let broken = format!("{}=nonsense", name());
    let cast = over_tls(service.ballot("pets", &["cats"])).cookie(broken.as_str()).send().await;
    assert_eq!(cast.status, 202, "{}", cast.text());
    // Without TLS the plain cookie counts, and a prefixed one is ignored.
    assert_eq!(service.standing("pets", plain).await, json!(["cats"]));
    let prefixed = service.ballot("pets", &["cats"]).cookie(moved).send().await;
    assert_eq!(prefixed.status, 202, "{}", prefixed.text());
}

/// Browsers send the cookies of a host to all of its ports.
#[tokio::test]
async fn two_deployments_on_one_host_know_their_own_voters() {
    let one = Setup::new().start().await;
    let other = Setup::new().cookie_keys(OTHER_KEY).start().await;
    let first = one.ballot("pets", &["cats"]).send().await;
    let second = other.ballot("pets", &["dogs"]).cookie(first.cookie()).send().await;
    assert_eq!(second.status, 202, "{}", second.text());
    let both = format!("{}; {}", first.cookie().unwrap(), second.cookie().unwrap());
    assert_ne!(
        first.cookie().unwrap().split('=').next(),
        second.cookie().unwrap().split('=').next()
    );
    assert_eq!(one.standing("pets", &both).await, json!(["cats"]));
    assert_eq!(other.standing("pets", &both).await, json!(["dogs"]));
}

#[tokio::test]
async fn a_cookie_of_an_earlier_release_names_its_voter_and_is_renewed() {
    let service = Setup::new().start().await;
    let before = signed(COOKIE_KEY, "voter", now_ms() / 1_000).replace(&name(), "voter");
    let voted = service.ballot("pets", &["cats"]).cookie(before.as_str()).send().await;
    assert_eq!(voted.status, 202, "{}", voted.text());
    let renewed = voted.cookie().unwrap();
    assert!(renewed.starts_with(&name()), "{renewed}");
    for cookie in [before.as_str(), renewed] {
        assert_eq!(service.standing("pets", cookie).await, json!(["cats"]));
    }
    // Another deployment's cookie of that name is nobody here.
    let foreign = signed(OTHER_KEY, "voter", now_ms() / 1_000).replace(&name(), "voter");
    assert_eq!(service.ballot("pets", &["dogs"]).cookie(foreign.as_str()).send().await.status, 202);
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
