//! The state of a poll, which open pages follow.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use votestream_schema::Poll;
use votestream_schema::poll::{now_ms, rfc3339};

use crate::harness::{Service, Setup, contract, poll};

const SOON: Duration = Duration::from_secs(60);
/// The longest time after which an open page knows of a change.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(2);

/// What a host does to a poll, by its name, and whether a state shows it.
type Change = (&'static str, Box<dyn FnOnce(&mut Poll)>, fn(&Value) -> bool);

fn draft() -> Poll {
    let title = "Who wins the finale?".to_owned();
    Poll { title, opens_at_ms: None, ..poll("finale") }
}

/// The stream of a poll's state, as a browser reads it.
struct Stream {
    connection: TcpStream,
    received: Vec<u8>,
}

impl Stream {
    async fn open(service: &Service, slug: &str) -> Self {
        let mut connection = service.client.connect().await;
        let request = format!("GET /api/polls/{slug}/state/events HTTP/1.1\r\nhost: x\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Self { connection, received: Vec::new() };
        let head = stream.block("\r\n\r\n").await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/event-stream"), "{head}");
        let retry = stream.block("\n\n").await.unwrap();
        assert!(retry.starts_with("retry: "), "{retry}");
        stream
    }

    /// Reads up to this mark; `None` when the stream has ended.
    async fn block(&mut self, mark: &str) -> Option<String> {
        let read = async {
            loop {
                let found = self.received.windows(mark.len()).position(|at| at == mark.as_bytes());
                if let Some(end) = found {
                    let block = self.received.drain(..end + mark.len()).collect();
                    return Some(String::from_utf8(block).unwrap());
                }
                if !matches!(self.connection.read_buf(&mut self.received).await, Ok(1..)) {
                    return None;
                }
            }
        };
        tokio::time::timeout(SOON, read).await.expect("a block in time")
    }

    /// The next event: its name and its data, which fits the OpenAPI document.
    async fn event(&mut self) -> (String, Value) {
        let block = self.block("\n\n").await.expect("the stream goes on");
        let (name, data) = block.trim().split_once("\ndata: ").unwrap();
        let (name, data) = (name.strip_prefix("event: ").unwrap(), data.parse::<Value>().unwrap());
        let schema = if name == "state" { "PollState" } else { "Alive" };
        contract().validate(name, &format!("/components/schemas/{schema}"), &data);
        (name.to_owned(), data)
    }

    async fn state(&mut self) -> Value {
        loop {
            let (name, data) = self.event().await;
            if name == "state" {
                return data;
            }
        }
    }
}

/// Milliseconds between a time that the server has sent and now.
fn age_ms(data: &Value) -> i64 {
    let sent: jiff::Timestamp = data["now"].as_str().unwrap().parse().unwrap();
    now_ms() - sent.as_millisecond()
}

#[tokio::test]
async fn the_state_of_a_poll_names_its_times_its_words_and_the_servers_clock() {
    let closes_at_ms = now_ms() + 600_000;
    let closing = Poll { closes_at_ms: Some(closes_at_ms), ..poll("pets") };
    let service = Setup::new().polls([closing]).start().await;
    let mut streamed = Stream::open(&service, "pets").await.state().await;
    let mut asked = service.client.get("/api/polls/pets/state").send().await.json();
    for state in [&mut asked, &mut streamed] {
        assert!((0..1_000).contains(&age_ms(state)), "{state}");
        state.as_object_mut().unwrap().remove("now");
        let option = |slug: &str, label: &str| json!({"slug": slug, "label": label, "description": null, "colour": null});
        let opens_at = rfc3339(service.poll("pets").opens_at_ms.unwrap());
        assert_eq!(
            *state,
            json!({
                "slug": "pets", "state": "open", "title": "Cats vs Dogs",
                "options": [option("cats", "Cats"), option("dogs", "Dogs")],
                "opens_at": opens_at, "closes_at": rfc3339(closes_at_ms),
            })
        );
    }
    for path in ["/api/polls/birds/state", "/api/polls/birds/state/events"] {
        let reply = service.client.get(path).send().await;
        assert_eq!((reply.status, reply.problem().as_str()), (404, "unknown-poll"), "{path}");
        assert_eq!(service.client.request("HEAD", path).send().await.status, 404, "{path}");
    }
    let head = service.client.request("HEAD", "/api/polls/pets/state/events").send().await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
}

#[tokio::test]
async fn whatever_the_host_changes_is_on_the_stream_within_two_seconds() {
    let service = Setup::new().polls([poll("pets"), draft()]).start().await;
    let mut stream = Stream::open(&service, "pets").await;
    stream.state().await;
    let soon = now_ms() + 600_000;
    let changes: [Change; 6] = [
        ("title", Box::new(|poll| poll.title = "Dogs vs Cats".into()), |data| {
            data["title"] == "Dogs vs Cats"
        }),
        ("label", Box::new(|poll| poll.options[0].label = "Kittens".into()), |data| {
            data["options"][0]["label"] == "Kittens"
        }),
        ("closing time", Box::new(move |poll| poll.closes_at_ms = Some(soon)), |data| {
            data["closes_at"].is_string() && data["state"] == "open"
        }),
        ("closed", Box::new(|poll| poll.closes_at_ms = Some(now_ms())), |data| {
            data["state"] == "closed"
        }),
        ("put off", Box::new(move |poll| poll.opens_at_ms = Some(soon)), |data| {
            data["state"] == "scheduled"
        }),
        ("cancelled", Box::new(|poll| poll.opens_at_ms = None), |data| {
            data["state"] == "draft" && data["title"].is_null() && data["options"] == json!([])
        }),
    ];
    for (what, change, fits) in changes {
        service.change("pets", change).await;
        let since = Instant::now();
        while !fits(&stream.state().await) {}
        assert!(since.elapsed() < FOLLOWED_WITHIN, "{what}: {:?}", since.elapsed());
    }
}

#[tokio::test]
async fn a_poll_opens_and_closes_on_the_stream_by_the_clock() {
    let (opens_at_ms, closes_at_ms) = (now_ms() + 3_000, now_ms() + 5_000);
    let times =
        Poll { opens_at_ms: Some(opens_at_ms), closes_at_ms: Some(closes_at_ms), ..poll("pets") };
    let service = Setup::new().polls([times]).start().await;
    let mut stream = Stream::open(&service, "pets").await;
    assert_eq!(stream.state().await["state"], "scheduled");
    for (state, at_ms) in [("open", opens_at_ms), ("closed", closes_at_ms)] {
        assert_eq!(stream.state().await["state"], state);
        let late_ms = now_ms() - at_ms;
        assert!((0..1_000).contains(&late_ms), "{state} {late_ms} ms late");
    }
}

#[tokio::test]
async fn a_link_to_a_draft_is_a_page_that_waits_and_reveals_nothing() {
    let service = Setup::new().polls([poll("pets"), draft()]).start().await;
    let page = service.client.get("/polls/finale?option=cats").send().await;
    let text = page.text();
    assert_eq!((page.status, page.cookie()), (200, None));
    assert!(text.contains("data-state=\"draft\"") && !text.contains("<form"), "{text}");
    for secret in ["Who wins", "Cats", "Dogs"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let state = service.client.get("/api/polls/finale/state").send().await.json();
    assert_eq!((&state["state"], &state["title"]), (&json!("draft"), &Value::Null));
    // Nothing else exists of it.
    assert_eq!(service.client.get("/api/polls/finale").send().await.status, 404);
    assert_eq!(service.client.post("/polls/finale").form("vote=a").send().await.status, 404);
    assert_eq!(service.client.get("/polls/none-such").send().await.status, 404);

    let mut stream = Stream::open(&service, "finale").await;
    assert_eq!(stream.state().await["state"], "draft");
    service.change("finale", |poll| poll.opens_at_ms = Some(now_ms())).await;
    let since = Instant::now();
    assert_eq!(stream.state().await["title"], "Who wins the finale?");
    assert!(since.elapsed() < FOLLOWED_WITHIN, "{:?}", since.elapsed());
    assert!(service.client.get("/polls/finale").send().await.text().contains("<form"));
}

#[tokio::test]
async fn when_all_streams_are_taken_a_page_may_still_ask() {
    let setup = Setup::new().flag("state-streams-max", "1").flag("state-heartbeat-ms", "200");
    let service = setup.start().await;
    let mut stream = Stream::open(&service, "pets").await;
    stream.state().await;
    let path = "/api/polls/pets/state/events";
    let refused = service.client.get(path).send().await;
    assert_eq!((refused.status, refused.problem().as_str()), (503, "unavailable"));
    assert_eq!(refused.header("retry-after"), Some("15"));
    assert_eq!(service.client.get("/api/polls/pets/state").send().await.status, 200);
    assert_eq!(service.ballot("pets", &["cats"]).send().await.status, 202);
    // The stream that there is shows that it lives, and what time it is.
    let (name, alive) = stream.event().await;
    assert!(name == "alive" && (0..1_000).contains(&age_ms(&alive)), "{alive}");
    drop(stream);
    eventually(SOON, async || service.client.request("HEAD", path).send().await.status == 200)
        .await;
}

#[tokio::test]
async fn a_replica_that_stops_ends_its_streams() {
    let service = Setup::new().start().await;
    let mut stream = Stream::open(&service, "pets").await;
    stream.state().await;
    let since = Instant::now();
    service.shutdown.cancel();
    while stream.block("\n\n").await.is_some() {}
    assert!(service.task.await.unwrap().unwrap() && since.elapsed() < Duration::from_secs(3));
}
