//! Where a ballot comes from: pages of other sites here, proxies and networks with very many new voters below.

mod browser;
mod challenge;
mod forwarded;
mod networks;
mod nginx;

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
