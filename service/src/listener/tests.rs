//! The listener on real sockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use warp::Filter;

use super::{Limits, Stop, TakeOver, bind, serve};
use crate::health::Health;
use crate::http::BasePath;

const SOON: Duration = Duration::from_secs(5);

fn limits(connections_max: usize) -> Limits {
    Limits {
        connections_max,
        memory_bytes: usize::MAX,
        header_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(10),
        lifetime: Duration::from_secs(60),
        proxies: Vec::new(),
        base_path: BasePath::default(),
        gate: None,
        hsts_max_age_s: 0,
        always_https: false,
        grace: Duration::from_secs(1),
        idle_grace: Duration::ZERO,
    }
}

/// Serves `/` at once, `/later` never, `/stream` on the bare socket, and at `/echo` the body that was sent.
fn start(limits: Limits) -> SocketAddr {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let at_once = warp::path::end().map(|| warp::reply::Reply::into_response("here"));
    let later = warp::path!("later").then(std::future::pending::<warp::reply::Response>);
    let stream = warp::path!("stream").map(|| {
        TakeOver::reply(|mut stream: TcpStream, lease| async move {
            let _ = stream.write_all(b"taken over").await;
            lease.ended().await;
        })
    });
    let echo = warp::path!("echo")
        .and(warp::body::bytes())
        .map(|body: bytes::Bytes| warp::reply::Reply::into_response(body.to_vec()));
    let filter = at_once.or(later).unify().or(stream).unify().or(echo).unify();
    let filter =
        filter.recover(|_| async { Ok::<_, Infallible>(warp::reply::Response::default()) });
    let token = CancellationToken::new();
    let stop = Stop { draining: token.clone(), closing: token };
    tokio::spawn(serve("test", listener, limits, filter.unify(), stop));
    address
}

async fn ask(connection: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
}

/// Reads until these words have come.
async fn expect(connection: &mut TcpStream, words: &str) {
    let mut got = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&got).contains(words) {
            assert_ne!(connection.read_buf(&mut got).await.unwrap(), 0, "closed too early");
        }
    };
    tokio::time::timeout(SOON, read).await.expect("a reply in time");
}

#[tokio::test]
async fn newcomers_take_the_places_of_connections_that_rest() {
    let address = start(limits(4));
    let mut resting = Vec::new();
    for _ in 0..12 {
        resting.push(TcpStream::connect(address).await.unwrap());
    }
    let mut newcomer = TcpStream::connect(address).await.unwrap();
    ask(&mut newcomer, "/").await;
    expect(&mut newcomer, "here").await;
}

#[tokio::test]
async fn a_connection_that_has_rested_is_served_again() {
    let address = start(limits(10));
    let mut connection = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        ask(&mut connection, "/").await;
        expect(&mut connection, "here").await;
        tokio::time::sleep(Duration::from_millis(1_000)).await;
    }
    ask(&mut connection, "/stream").await;
    expect(&mut connection, "taken over").await;
}

/// Bytes of a body are not those of a head that has begun, which may take five seconds at most.
#[tokio::test]
async fn a_connection_rests_after_a_body_that_came_after_its_head() {
    let address = start(limits(10));
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n";
    connection.write_all(head).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    connection.write_all(b"0123456789").await.unwrap();
    expect(&mut connection, "0123456789").await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    ask(&mut connection, "/").await;
    expect(&mut connection, "here").await;
}

#[tokio::test]
async fn a_pipelined_request_for_a_stream_waits_for_the_replies_before_it() {
    let address = start(limits(10));
    let mut connection = TcpStream::connect(address).await.unwrap();
    for path in ["/", "/", "/stream"] {
        ask(&mut connection, path).await;
    }
    let mut got = Vec::new();
    let read = async {
        while !got.ends_with(b"taken over") {
            assert_ne!(connection.read_buf(&mut got).await.unwrap(), 0);
        }
    };
    tokio::time::timeout(SOON, read).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&got).matches("here").count(), 2);
}

#[tokio::test]
async fn a_connection_ends_after_its_lifetime_and_never_in_the_middle_of_a_request() {
    let lifetime = Duration::from_millis(1_500);
    let address = start(Limits { lifetime, ..limits(10) });
    let since = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream, "/stream").await;
    let mut connection = TcpStream::connect(address).await.unwrap();
    let mut waiting = TcpStream::connect(address).await.unwrap();
    ask(&mut waiting, "/later").await;
    let ended = async {
        loop {
            connection.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await?;
            if connection.read(&mut [0; 4096]).await? == 0 {
                return Ok::<_, std::io::Error>(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let _ = tokio::time::timeout(SOON, ended).await.expect("closed in time");
    assert!(since.elapsed() > Duration::from_millis(1_200), "{:?}", since.elapsed());
    let mut rest = Vec::new();
    let _ =
        tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await.expect("closed in time");
    let answer = tokio::time::timeout(Duration::from_secs(1), waiting.read(&mut [0; 16])).await;
    assert!(answer.is_err(), "its request is still in hand");
}

#[tokio::test]
async fn a_service_without_room_for_newcomers_says_that_it_is_not_ready() {
    let health = Health::new();
    let gate = health.gate("room");
    gate.report(Ok::<(), Infallible>(()));
    let address = start(Limits { gate: Some(gate), ..limits(2) });
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        ask(&mut connection, "/later").await;
        busy.push(connection);
    }
    // Until the requests are in hand, their connections may be closed for the newcomer.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut newcomer = TcpStream::connect(address).await.unwrap();
    ask(&mut newcomer, "/").await;
    let until = |ready: bool| {
        let health = health.clone();
        async move {
            let since = Instant::now();
            while health.ready().is_ok() != ready {
                assert!(since.elapsed() < SOON, "{:?}", health.ready());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    until(false).await;
    assert!(health.ready().unwrap_err()["room"].contains("slots"));
    drop(busy.pop());
    until(true).await;
    expect(&mut newcomer, "here").await;
}

#[tokio::test]
async fn memory_is_not_spent_on_half_heads() {
    // Room for 42 connections that speak HTTP.
    let address = start(Limits { memory_bytes: 34 * 1024 * 1024, ..limits(1_000) });
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx: ").await.unwrap();
        slow.push(connection);
    }
    let mut voter = TcpStream::connect(address).await.unwrap();
    ask(&mut voter, "/").await;
    expect(&mut voter, "here").await;
    let mut closed = 0;
    for mut connection in slow {
        let mut buffer = [0; 16];
        let read = connection.read(&mut buffer);
        let outcome = tokio::time::timeout(Duration::from_millis(1), read).await;
        closed += usize::from(matches!(outcome, Ok(Ok(0) | Err(_))));
    }
    assert!(closed > 250, "{closed}");
}
