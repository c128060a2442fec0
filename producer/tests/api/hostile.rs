//! Hostile clients: a clear 4xx or a closed connection, and no harm to anybody else.

use std::time::{Duration, Instant};

use testkit::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Service, Setup, entry_of};

const SOON: Duration = Duration::from_secs(5);

/// A service with short time-outs.
async fn start() -> Service {
    Setup::new().flag("header-timeout-ms", "400").flag("body-timeout-ms", "400").start().await
}

async fn expect_others_vote(service: &Service) {
    let cast = service.ballot("pets", &["cats"]).send();
    entry_of(&tokio::time::timeout(SOON, cast).await.expect("others vote"));
}

/// Sends one byte every 20 ms and reads the reply, until the service closes.
async fn drip(mut connection: TcpStream, bytes: &[u8]) -> String {
    let mut answer = Vec::new();
    for byte in bytes.iter().cycle() {
        if connection.write_all(&[*byte]).await.is_err() {
            break;
        }
        let pause =
            tokio::time::timeout(Duration::from_millis(20), connection.read_buf(&mut answer));
        match pause.await {
            Err(_) | Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_head_that_drips_in_is_cut_off() {
    let service = start().await;
    let since = Instant::now();
    let slow = (0..20).map(async |_| {
        let mut connection = service.client.connect().await;
        connection.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
        drip(connection, b"y").await
    });
    let slow: Vec<_> = slow.collect();
    let cut_off = async {
        let mut answers = Vec::new();
        for slow in slow {
            answers.push(tokio::time::timeout(SOON, slow).await.expect("cut off in time"));
        }
        answers
    };
    let (answers, ()) = tokio::join!(cut_off, expect_others_vote(&service));
    assert!(answers.iter().all(|answer| !answer.contains("200 OK")), "{answers:?}");
    assert!(since.elapsed() > Duration::from_millis(300));
}

#[tokio::test]
async fn a_body_that_drips_in_is_too_slow() {
    let service = start().await;
    let request = service.ballot("pets", &["cats"]).bytes();
    let head_bytes = request.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    for chunk in [&request[..head_bytes], &request[..head_bytes + 3]] {
        let mut connection = service.client.connect().await;
        connection.write_all(chunk).await.unwrap();
        let slow = async {
            let mut answer = String::new();
            let read = connection.read_to_string(&mut answer);
            tokio::time::timeout(SOON, read).await.expect("an answer in time").unwrap();
            answer
        };
        let (answer, ()) = tokio::join!(slow, expect_others_vote(&service));
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("/problems/too-slow"), "{answer}");
    }
    let mut connection = service.client.connect().await;
    let endless =
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n\
        transfer-encoding: chunked\r\n\r\n";
    connection.write_all(endless).await.unwrap();
    let answer = tokio::time::timeout(SOON, drip(connection, b"1\r\nv\r\n")).await;
    let answer = answer.expect("cut off in time");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn two_thousand_idle_connections_hold_up_nobody() {
    let service = Setup::new().start().await;
    let mut idle = Vec::new();
    for _ in 0..2_000 {
        idle.push(service.client.connect().await);
    }
    let since = Instant::now();
    for _ in 0..20 {
        expect_others_vote(&service).await;
    }
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    drop(idle);
}

#[tokio::test]
async fn idle_connections_give_way_when_there_are_as_many_as_may_be() {
    let setup = Setup::new().flag("connections-max", "20").flag("header-timeout-ms", "400");
    let service = setup.start().await;
    let mut idle = Vec::new();
    for _ in 0..60 {
        idle.push(service.client.connect().await);
    }
    expect_others_vote(&service).await;
}

#[tokio::test]
async fn a_connection_kept_alive_is_closed_when_it_stays_idle() {
    let service = start().await;
    let mut connection = service.client.connect().await;
    let request = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    connection.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let read = connection.read_to_end(&mut answer);
    tokio::time::timeout(SOON, read).await.expect("closed in time").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn who_asks_and_asks_and_reads_no_answer_gives_way() {
    let setup = Setup::new().flag("connections-max", "4").flag("write-timeout-ms", "500");
    let service = setup.start().await;
    let mut greedy = Vec::new();
    for _ in 0..4 {
        let mut connection = service.client.connect().await;
        greedy.push(tokio::spawn(async move {
            let request = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
            while connection.write_all(request).await.is_ok() {}
        }));
    }
    let since = Instant::now();
    for greedy in greedy {
        tokio::time::timeout(SOON, greedy).await.expect("cut off in time").unwrap();
    }
    assert!(since.elapsed() > Duration::from_millis(400), "{:?}", since.elapsed());
    expect_others_vote(&service).await;
}

#[tokio::test]
async fn a_head_of_64_kib_is_refused() {
    let service = Setup::new().start().await;
    let long = "y".repeat(64 * 1024);
    let many: String = (0..4_000).map(|n| format!("x-{n}: yyyyyyyy\r\n")).collect();
    let heads = [
        format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\ncookie: voter={long}\r\n\r\n"),
        format!("GET /polls/{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
    ];
    for head in heads {
        let reply = service.client.exchange(head.as_bytes()).await;
        let status = reply.map(|reply| reply.status);
        assert!(matches!(status, None | Some(400..=499)), "{status:?}: {}", &head[..60]);
        expect_others_vote(&service).await;
    }
}

#[tokio::test]
async fn rubbish_is_refused() {
    let service = start().await;
    let rubbish: [&[u8]; 10] = [
        b"\r\n\r\n\r\n",
        b"\0\0\0\0\0\0\0\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: a\0b\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\nconnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n",
    ];
    for bytes in rubbish {
        let reply = service.client.exchange(bytes).await;
        let status = reply.map(|reply| reply.status);
        let shown = String::from_utf8_lossy(bytes);
        assert!(matches!(status, None | Some(400..=499)), "{status:?}: {shown:?}");
    }
    expect_others_vote(&service).await;
}

#[tokio::test]
async fn a_form_may_hold_any_bytes() {
    let service = Setup::new().start().await;
    let long = format!("vote={}", "x".repeat(300));
    let forms: [&[u8]; 8] = [
        b"vote=cats%00",
        b"vote=\0",
        b"vote=%ff%fe",
        b"vote=\xff\xfe",
        b"vote=%F0%9F%90%B1",
        b"\xff\xfe\xfd",
        b"vote=%zz",
        long.as_bytes(),
    ];
    for form in forms {
        let reply = service.client.post("/").form(form).send().await;
        assert_eq!(reply.status, 422, "{}", String::from_utf8_lossy(form));
        assert!(!reply.body.contains(&0));
        assert!(!reply.text().contains(&"x".repeat(65)), "a long option is not sent back whole");
    }
    let fields = format!("{}vote=a", "x=y&".repeat(4_000));
    assert_eq!(service.client.post("/").form(fields).send().await.status, 303);
}

#[tokio::test]
async fn a_voter_who_leaves_midway_is_counted_or_not_but_harms_nobody() {
    let service = Setup::new().start().await;
    let request = service.ballot("pets", &["cats"]).bytes();
    for bytes in [request.len() - 1, request.len()] {
        let mut connection = service.client.connect().await;
        connection.write_all(&request[..bytes]).await.unwrap();
        connection.set_zero_linger().unwrap();
        drop(connection);
    }
    expect_others_vote(&service).await;
    eventually(SOON, async || (1..=2).contains(&service.entries().await.len())).await;
}

/// A proxy in front might take another one of them for the host.
#[tokio::test]
async fn a_request_without_a_host_or_with_two_is_refused() {
    let service = start().await;
    let status = async |head: &str| {
        let request = format!("{head}connection: close\r\n\r\n");
        service.client.exchange(request.as_bytes()).await.unwrap().status
    };
    for path in ["/", "/api/polls/pets", "/nowhere"] {
        assert_eq!(status(&format!("GET {path} HTTP/1.1\r\n")).await, 400);
        assert_eq!(status(&format!("GET {path} HTTP/1.1\r\nhost: a\r\nHost: a\r\n")).await, 400);
    }
    assert_eq!(status("GET / HTTP/1.1\r\nhost: a\r\n").await, 200);
    assert_eq!(status("GET / HTTP/1.0\r\n").await, 200, "HTTP/1.0 needs none");
}

#[tokio::test]
async fn browsers_behind_tls_are_told_to_stay_there() {
    let service = start().await;
    let told = async |service: &Service, proto: &str| {
        let page = service.client.get("/").header("x-forwarded-proto", proto).send().await;
        page.header("strict-transport-security").map(str::to_owned)
    };
    assert_eq!(told(&service, "https, http").await.as_deref(), Some("max-age=31536000"));
    assert_eq!(told(&service, "http").await, None);
    let silent = Setup::new().flag("hsts-max-age-s", "0").start().await;
    assert_eq!(told(&silent, "https").await, None);
    let always = Setup::new().flag("cookie-secure", "true").start().await;
    assert_eq!(told(&always, "http").await.as_deref(), Some("max-age=31536000"));
}
