//! Very many viewers, slow ones, ones that disappear, and a replica that stops.

use std::time::{Duration, Instant};

use testkit::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use votestream_schema::poll::Definition;

use crate::harness::{Database, Service, Setup, option, poll};
use crate::stream::{Stream, WAYS, Way};

const SOON: Duration = Duration::from_secs(5);
/// The most frames of 50 KiB that a slow viewer may receive: those in the buffers on the way, one that was being written,
/// and the newest.
const FRAMES_KEPT_MAX: usize = 6;

#[tokio::test]
async fn when_all_seats_are_taken_a_viewer_is_asked_to_come_back() {
    let service = Setup::new().flag("viewers-max", "4").start().await;
    let mut seated = Vec::new();
    for way in [Way::Fresh, Way::KeptAlive, Way::Fresh, Way::KeptAlive] {
        let mut stream = Stream::open(&service.client, "pets", way).await;
        stream.event().await;
        seated.push(stream);
    }
    let refused = service.client.get("/api/polls/pets/events").send().await;
    assert_eq!((refused.status, refused.problem().as_str()), (503, "unavailable"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(service.client.get("/api/polls/pets/tally").send().await.status, 200);
    assert_eq!(service.client.get("/").send().await.status, 200);
    for _ in 0..4 {
        seated.remove(0);
        eventually(SOON, async || {
            let head = service.client.request("HEAD", "/api/polls/pets/events").send().await;
            head.status == 200
        })
        .await;
        let mut stream = Stream::open(&service.client, "pets", Way::Fresh).await;
        stream.event().await;
        seated.push(stream);
    }
}

/// Opens the stream of a viewer at this address of the machine.
async fn open_from(service: &Service, address: [u8; 4], way: Way) -> Stream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    let connection = socket.connect(service.client.address).await.unwrap();
    let mut stream = Stream::open_on(connection, "pets", way).await;
    stream.event().await;
    stream
}

/// The status that a viewer at this address would get.
async fn status_from(service: &Service, address: [u8; 4]) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    let mut connection = socket.connect(service.client.address).await.unwrap();
    let request = "GET /api/polls/pets/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    while !reply.windows(2).any(|two| two == b"\r\n") {
        assert_ne!(connection.read_buf(&mut reply).await.unwrap(), 0);
    }
    String::from_utf8_lossy(&reply)["HTTP/1.1 ".len()..][..3].to_owned()
}

#[tokio::test]
async fn a_network_that_holds_more_than_a_tenth_of_all_seats_gives_them_up_to_others() {
    // A tenth of 200 is 20.
    let service = Setup::new().flag("viewers-max", "200").start().await;
    let mut crowd = Vec::new();
    for n in 0..200 {
        crowd.push(open_from(&service, [127, 9, 9, n % 250 + 1], WAYS[usize::from(n) % 2]).await);
    }
    assert_eq!(status_from(&service, [127, 9, 9, 7]).await, "503", "its own network is full");
    let mut others = Vec::new();
    for n in 0..180 {
        others.push(open_from(&service, [127, 10, n, 1], WAYS[usize::from(n) % 2]).await);
    }
    // The crowd is down to its share, and nobody else has more. Its oldest viewers went first.
    assert_eq!(status_from(&service, [127, 11, 1, 1]).await, "503");
    for (n, viewer) in crowd.iter_mut().enumerate() {
        let stays = n >= 180;
        eventually(SOON, async || viewer.is_open().await == stays).await;
    }
    for other in &mut others {
        assert!(other.is_open().await);
    }
    assert!(service.metric("votestream_http_connections_closed_total{reason=\"share\"}") >= 180.0);
    drop(others);
    eventually(SOON, async || status_from(&service, [127, 9, 9, 7]).await == "200").await;
}

#[tokio::test]
async fn viewers_behind_a_trusted_proxy_keep_their_seats() {
    let setup = Setup::new().flag("viewers-max", "40").flag("trusted-proxies", "127.9.9.0/24");
    let service = setup.start().await;
    let mut proxied = Vec::new();
    for _ in 0..40 {
        proxied.push(open_from(&service, [127, 9, 9, 9], Way::KeptAlive).await);
    }
    assert_eq!(status_from(&service, [127, 10, 1, 1]).await, "503");
    for viewer in &mut proxied {
        assert!(viewer.is_open().await);
    }
}

#[tokio::test]
async fn a_viewer_that_does_not_read_holds_up_nobody_and_skips_frames() {
    expect_frames_skipped(Way::Fresh).await;
}

/// The HTTP server has the connection first, and must not queue frames either.
#[tokio::test]
async fn the_same_holds_for_a_connection_kept_alive() {
    expect_frames_skipped(Way::KeptAlive).await;
}

/// Defines a poll whose frames are about 50 KiB.
fn large_poll() -> Definition {
    let long = "🐈".repeat(200);
    let options = (0..63).map(|n| option(&format!("o{n}"), &long)).collect();
    Definition { options, ..poll("pets") }
}

/// Opens the stream of a viewer with a small receive buffer.
async fn open_narrow(service: &Service, way: Way) -> Stream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let connection = socket.connect(service.client.address).await.unwrap();
    Stream::open_on(connection, "pets", way).await
}

async fn expect_frames_skipped(way: Way) {
    const CHANGES: i64 = 40;
    let mut database = Database::new().await;
    let pets = database.create(&large_poll()).await;
    let service = Setup::on(&database.url).flag("tick-ms", "10").start().await;
    let mut asleep = open_narrow(&service, way).await;
    let mut awake = Stream::open(&service.client, "pets", Way::Fresh).await;
    awake.event().await;
    let measured = || service.metric("votestream_delivery_seconds_count");
    let measured_before = measured();
    for version in 1..=CHANGES {
        database.count(pets, version, &[version]).await;
        let since = Instant::now();
        assert_eq!(awake.event().await.1, Some(version), "who reads is told every one");
        assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    }
    assert!(measured() - measured_before >= CHANGES as f64, "how late each came is measured");
    let (mut frames, mut newest) = (0, -1);
    while newest < CHANGES {
        let (_, id, _) = asleep.event().await;
        assert!(id.unwrap() > newest, "never an older one after a newer");
        newest = id.unwrap();
        frames += 1;
    }
    assert!(frames <= FRAMES_KEPT_MAX, "{frames} frames were kept for who did not read");
    assert!(service.metric("votestream_frames_skipped_total") > 0.0);
}

#[tokio::test]
async fn a_viewer_that_does_not_take_a_frame_in_time_gives_its_seat_back() {
    let mut database = Database::new().await;
    let pets = database.create(&large_poll()).await;
    let setup = Setup::on(&database.url).flag("tick-ms", "10").flag("viewers-max", "1");
    let service = setup.flag("write-timeout-ms", "1000").start().await;
    let status =
        async || service.client.request("HEAD", "/api/polls/pets/events").send().await.status;
    let mut version = 0;
    // Its receive window stays closed, or opens a little from time to time.
    for (way, drowsy) in [(Way::Fresh, false), (Way::KeptAlive, false), (Way::Fresh, true)] {
        let mut stream = open_narrow(&service, way).await;
        assert_eq!(status().await, 503, "the only seat is taken");
        let since = Instant::now();
        let sipping = async {
            while drowsy && stream.sip(512).await {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            std::future::pending::<()>().await;
        };
        let given_back = eventually(SOON, async || {
            version += 1;
            database.count(pets, version, &[version]).await;
            status().await == 200
        });
        tokio::select! {
            () = sipping => {}
            () = given_back => {}
        }
        assert!(since.elapsed() > Duration::from_millis(900), "{way:?}: too soon");
    }
}

#[tokio::test]
async fn a_viewer_that_vanishes_gives_its_seat_back() {
    let service = Setup::new().flag("viewers-max", "10").start().await;
    for round in 0..5 {
        let mut streams = Vec::new();
        for n in 0..10 {
            let way = WAYS[n % 2];
            eventually(SOON, async || {
                let head = service.client.request("HEAD", "/api/polls/pets/events").send().await;
                head.status == 200
            })
            .await;
            streams.push(Stream::open(&service.client, "pets", way).await);
        }
        assert_eq!(streams.len(), 10, "{round}");
    }
}

#[tokio::test]
async fn a_replica_that_stops_sends_its_viewers_away_in_time() {
    let service = Setup::new().flag("shutdown-grace-ms", "5000").start().await;
    let mut streams = Vec::new();
    for n in 0..50 {
        let mut stream = Stream::open(&service.client, "pets", WAYS[n % 2]).await;
        stream.event().await;
        streams.push(stream);
    }
    // Browsers open connections in advance and may never use them.
    let idle = service.client.connect().await;
    let mut kept_alive = service.client.connect().await;
    kept_alive.write_all(b"GET /api/polls HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    kept_alive.readable().await.unwrap();
    let since = Instant::now();
    service.shutdown.cancel();
    for stream in &mut streams {
        stream.end().await;
    }
    assert!(service.task.await.unwrap().unwrap(), "drained within the grace period");
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    drop((idle, kept_alive));
}
