//! The page of a voter whose network is over its limit.

use std::time::Duration;

use testkit::{Browser, BrowserOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use votestream_schema::Poll;
use votestream_schema::poll::network_limit::NetworkLimit;
use votestream_schema::poll::now_ms;

use super::super::browser::{ONE_AT_A_TIME, SOON, ballot};
use super::super::harness::{Service, Setup, poll};

const ADDRESS: &str = "203.0.113.1";

/// A proxy in front of `to` that names [`ADDRESS`] as the client of every request.
async fn proxy(to: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 65_536];
                while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
                    let text = String::from_utf8_lossy(&bytes[..length]);
                    let line = format!(" HTTP/1.1\r\nX-Forwarded-For: {ADDRESS}\r\n");
                    let text = text.replacen(" HTTP/1.1\r\n", &line, 1);
                    if to_server.write_all(text.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    port
}

/// A service whose poll lets in one new voter, and one more after so many seconds. The first one has voted.
async fn full(seconds: u32, closes_at_ms: Option<i64>) -> Service {
    let network_limit = Some(NetworkLimit::new(1, 60 / seconds).unwrap());
    let pets = Poll { network_limit, closes_at_ms, ..poll("pets") };
    let setup = Setup::new().polls([pets]).flag("trusted-proxies", "127.0.0.0/8");
    let service = setup.start().await;
    let first = service.ballot("pets", &["dogs"]).header("x-forwarded-for", ADDRESS);
    assert_eq!(first.send().await.status, 202);
    service
}

async fn vote(service: &Service) -> Browser {
    let browser = Browser::start(BrowserOptions::default()).await;
    let port = proxy(service.client.address.port()).await;
    browser.goto(&ballot(port, "pets")).await.unwrap();
    browser.click("label[for=option-cats]").await;
    browser.click("#send").await;
    browser
}

#[tokio::test]
async fn the_page_says_that_the_network_is_over_its_limit_and_votes_when_it_may() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = full(15, None).await;
    let browser = vote(&service).await;
    browser
        .until("#status", |words| {
            words.contains("very many new voters come from your network")
                && words.contains("next one in about")
                && !words.contains("busy")
                && !words.contains("close")
        })
        .await;
    let flaws = browser.flaws("ballot-network-limit").await;
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    let wait = Duration::from_secs(60);
    browser.until_within(wait, "#standing-choices", |choices| choices == "Cats").await;
}

#[tokio::test]
async fn the_page_does_not_wait_past_the_closing_time_without_saying_so() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let service = full(60, Some(now_ms() + 25_000)).await;
    let browser = vote(&service).await;
    browser
        .until_within(SOON, "#status", |words| {
            words.contains("closes before that") && words.contains("The poll is about to close")
        })
        .await;
    let wait = Duration::from_secs(90);
    browser
        .until_within(wait, "#closed", |words| words.contains("No vote of yours is recorded"))
        .await;
    assert_eq!(service.entries().await.len(), 1);
}
