//! Where a ballot comes from: pages of other sites, proxies, networks with very many new voters.

use crate::harness::{Service, Setup};

async fn cast_with(service: &Service, headers: &[(&str, &str)]) -> (u16, String) {
    let cast = service.ballot("pets", &["cats"]);
    let reply = headers.iter().fold(cast, |cast, (name, value)| cast.header(name, value));
    let reply = reply.send().await;
    (reply.status, if reply.status >= 400 { reply.problem() } else { String::new() })
}

#[tokio::test]
async fn a_page_of_another_site_cannot_vote() {
    let service = Setup::new().start().await;
    let refused: [&[(&str, &str)]; 7] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "rubbish")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
    ];
    for headers in refused {
        let outcome = cast_with(&service, headers).await;
        assert_eq!(outcome, (403, "cross-site".to_owned()), "{headers:?}");
    }
    let form = service.client.post("/").form("vote=a").header("sec-fetch-site", "cross-site");
    assert_eq!(form.send().await.status, 403);
    assert!(service.entries().await.is_empty());
}

#[tokio::test]
async fn our_own_pages_and_plain_clients_can_vote() {
    let allowed = "https://tv.example";
    let service = Setup::new().flag("allowed-origins", allowed).start().await;
    let own = format!("http://{}", service.client.address);
    let taken: [&[(&str, &str)]; 5] = [
        &[],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("origin", &own)],
        &[("origin", &own), ("sec-fetch-site", "same-origin")],
    ];
    for headers in taken {
        assert_eq!(cast_with(&service, headers).await.0, 202, "{headers:?}");
    }
}

#[tokio::test]
async fn a_network_that_brings_too_many_new_voters_is_asked_to_wait() {
    let setup = Setup::new().flag("trusted-proxies", "127.0.0.0/8");
    let service = setup.flag("new-voters-per-minute", "3").start().await;
    let from = |address: &str| service.ballot("pets", &["cats"]).header("x-forwarded-for", address);
    let mut cookie = String::new();
    for host in 1..=3 {
        let reply = from(&format!("203.0.113.{host}")).send().await;
        assert_eq!(reply.status, 202);
        reply.cookie().unwrap().clone_into(&mut cookie);
    }
    let refused = from("203.0.113.4").send().await;
    assert_eq!((refused.status, refused.problem().as_str()), (429, "too-many-new-voters"));
    assert!(refused.header("retry-after").is_some());
    let page = service.client.post("/").form("vote=a").header("x-forwarded-for", "203.0.113.5");
    assert_eq!(page.send().await.status, 429);

    let shown = service.client.get("/").header("x-forwarded-for", "203.0.113.6").send().await;
    assert_eq!((shown.status, shown.cookie()), (200, None), "the page is shown all the same");
    let known = from("203.0.113.7").cookie(cookie.as_str()).send().await;
    assert_eq!(known.problem(), "already-voted", "a known voter is not a new one");
    assert_eq!(from("203.0.114.1").send().await.status, 202, "another network");
    assert_eq!(service.ballot("pets", &["cats"]).send().await.status, 202, "loopback");
    let invented = from("198.51.100.1, 203.0.113.8").send().await;
    assert_eq!(invented.status, 429, "the left of the list may be invented");
}

#[tokio::test]
async fn without_a_trusted_proxy_forwarded_addresses_are_not_believed() {
    let service = Setup::new().flag("new-voters-per-minute", "1").start().await;
    for _ in 0..5 {
        let cast = service.ballot("pets", &["cats"]).header("x-forwarded-for", "203.0.113.1");
        assert_eq!(cast.send().await.status, 202);
    }
}
