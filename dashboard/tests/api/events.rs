//! Event streams, on fresh connections and on those that were kept alive.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use votestream_schema::poll::{Definition, now_ms};

use crate::harness::{Database, Setup, in_ms, poll};
use crate::stream::{Block, Stream, WAYS, Way};

#[tokio::test]
async fn a_viewer_is_told_when_to_come_back_and_the_whole_state_at_once() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    database.count(pets, 99, &[60, 39]).await;
    let now_s = now_ms() / 1_000;
    database.add_second(pets, now_s - 3, 7).await;
    database.add_second(pets, now_s - 60, 8).await;
    let service = Setup::on(&database.url).start().await;
    for way in WAYS {
        let mut stream = Stream::open(&service.client, "pets", way).await;
        let Some(Block::Retry(retry_ms)) = stream.block().await else { panic!("no retry") };
        assert!((500..3_000).contains(&retry_ms), "{retry_ms}");
        let Some(Block::Event { name, id, data }) = stream.block().await else { panic!() };
        assert_eq!((name.as_str(), id), ("tally", Some(1)), "{way:?}");
        assert_eq!(data["version"], 1);
        assert_eq!(data["voters"], 99);
        assert_eq!(data["options"][0]["votes"], 60);
        assert_eq!(data["recent"], serde_json::json!([[now_s - 3, 7]]), "the last seconds only");
    }
}

#[tokio::test]
async fn viewers_come_back_at_different_times() {
    let service = Setup::new().start().await;
    let mut retries = std::collections::HashSet::new();
    for _ in 0..10 {
        let mut stream = Stream::open(&service.client, "pets", Way::Fresh).await;
        if let Some(Block::Retry(retry_ms)) = stream.block().await {
            retries.insert(retry_ms);
        }
    }
    assert!(retries.len() > 5, "{retries:?}");
}

#[tokio::test]
async fn every_change_is_told_within_a_few_ticks() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    let service = Setup::on(&database.url).start().await;
    let mut streams = Vec::new();
    for way in WAYS {
        streams.push(Stream::open(&service.client, "pets", way).await);
    }
    for stream in &mut streams {
        assert_eq!(stream.event().await.1, Some(0));
    }
    for version in 1..=10 {
        database.count(pets, version, &[version, 0]).await;
        let since = Instant::now();
        for stream in &mut streams {
            let (name, id, data) = stream.event().await;
            assert_eq!((name.as_str(), id), ("tally", Some(version)));
            assert_eq!(data["options"][0]["votes"], version);
        }
        // A tick takes 20 ms, but the machine may be busy.
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
}

#[tokio::test]
async fn changes_within_a_tick_are_one_frame() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    let service = Setup::on(&database.url).flag("tick-ms", "500").start().await;
    let mut stream = Stream::open(&service.client, "pets", Way::Fresh).await;
    stream.event().await;
    let since = Instant::now();
    for version in 1..=200 {
        database.count(pets, version, &[version, 0]).await;
    }
    let (mut frames, mut newest) = (0, 0);
    while newest < 200 {
        newest = stream.event().await.1.unwrap();
        frames += 1;
    }
    let ticks = since.elapsed().as_millis() / 500 + 1;
    assert!(frames <= ticks, "{frames} frames in {ticks} ticks");
}

#[tokio::test]
async fn a_quiet_stream_gives_signs_of_life_and_no_frames() {
    let service = Setup::new().flag("heartbeat-ms", "150").start().await;
    for way in WAYS {
        let mut stream = Stream::open(&service.client, "pets", way).await;
        stream.event().await;
        for _ in 0..3 {
            assert_eq!(stream.block().await, Some(Block::Heartbeat), "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_poll_that_opens_and_closes_by_itself_says_so() {
    let mut database = Database::new().await;
    let definition =
        Definition { opens_at: Some(in_ms(1_000)), closes_at: Some(in_ms(2_000)), ..poll("pets") };
    database.create(&definition).await;
    let service = Setup::on(&database.url).start().await;
    let mut stream = Stream::open(&service.client, "pets", Way::Fresh).await;
    let mut states = Vec::new();
    while states.last().map(String::as_str) != Some("closed") {
        let (_, _, data) = stream.event().await;
        states.push(data["state"].as_str().unwrap().to_owned());
    }
    assert_eq!(states, ["scheduled", "open", "closed"]);
}

#[tokio::test]
async fn a_closed_poll_is_final_once_its_last_ballot_is_counted() {
    let mut database = Database::new().await;
    let closes_at = in_ms(-1_000);
    let pets = database.create(&Definition { closes_at: Some(closes_at), ..poll("pets") }).await;
    database.count(pets, 10, &[10, 0]).await;
    let service = Setup::on(&database.url).start().await;
    let mut stream = Stream::open(&service.client, "pets", Way::Fresh).await;
    let before = closes_at - jiff::SignedDuration::from_millis(1);
    database.complete_to(before, 40, pets).await;
    let closed = stream.event_where(|_, data| data["waiting"] == 40).await;
    assert_eq!((&closed["final"], &closed["voters"]), (&false.into(), &10.into()));
    assert_eq!(closed["state"], "closed");
    assert_eq!(closed["closes_at"], votestream_schema::poll::rfc3339(closes_at.as_millisecond()));
    let page = service.client.get("/").send().await.text();
    assert!(page.contains("Closed: counting the last 40") && !page.contains("Final"), "{page}");

    // The consumers have stopped: what waits is not known any more.
    let unknown = stream.event_where(|_, data| data["waiting"].is_null()).await;
    assert_eq!(unknown["final"], false);
    database.count(pets, 50, &[10, 40]).await;
    database.complete_to(closes_at, 0, pets).await;
    // The two are written one after the other, so a frame may come in between.
    let is_last = |data: &Value| data["final"] == true && !data["waiting"].is_null();
    let last = stream.event_where(|_, data| is_last(data)).await;
    assert_eq!((&last["voters"], &last["waiting"]), (&50.into(), &0.into()));
    for path in ["tally", "series"] {
        let reply = service.client.get(&format!("/api/polls/pets/{path}")).send().await.json();
        assert_eq!((&reply["final"], &reply["waiting"]), (&true.into(), &0.into()), "{path}");
    }
    let page = service.client.get("/").send().await.text();
    assert!(page.contains("Final: voting has closed"), "{page}");
}

#[tokio::test]
async fn a_partition_without_a_watermark_keeps_a_poll_from_being_final() {
    let mut database = Database::new().await;
    let pets =
        database.create(&Definition { closes_at: Some(in_ms(-1_000)), ..poll("pets") }).await;
    let service = Setup::on(&database.url).start().await;
    database.complete_to(in_ms(0), 0, pets).await;
    let mut stream = Stream::open(&service.client, "pets", Way::Fresh).await;
    stream.event_where(|_, data| data["final"] == true).await;
    database.client.execute("DELETE FROM watermarks WHERE partition = 1", &[]).await.unwrap();
    let unknown = stream.event_where(|_, data| data["complete_to"].is_null()).await;
    assert_eq!(unknown["final"], false);
}

#[tokio::test]
async fn a_request_that_comes_in_pieces_is_served_all_the_same() {
    let service = Setup::new().start().await;
    let mut connection = service.client.connect().await;
    connection.write_all(b"GET /api/polls/pets/ev").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    connection.write_all(b"ents HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("event: tally") {
        use tokio::io::AsyncReadExt;
        let read = connection.read_buf(&mut answer);
        let read = tokio::time::timeout(Duration::from_secs(5), read).await.expect("in time");
        assert_ne!(read.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn head_tells_of_a_stream_without_opening_it() {
    let service = Setup::new().start().await;
    let reply = service.client.request("HEAD", "/api/polls/pets/events").send().await;
    assert_eq!((reply.status, reply.media_type()), (200, "text/event-stream"));
    assert!(reply.body.is_empty());
}
