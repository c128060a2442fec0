//! Keeps an event stream of the canary's poll open, and says what it shows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, Uri};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;
use votestream_service::CancellationToken;
use votestream_service::http::outbound::{Client, Error};

use crate::config::Config;
use crate::voter::on_server;

/// Wait before the stream is opened again.
const REOPEN_AFTER: Duration = Duration::from_millis(500);
/// Longest wait for a stream's head.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// A stream is given up after this time without a byte; the longest heartbeat interval is 60 s.
const SILENT_FOR: Duration = Duration::from_secs(75);
/// Larger events are no event of a dashboard.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// What an event stream shows at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// People who are counted.
    pub(crate) voters: i64,
    /// Slugs of the options, in their order.
    pub(crate) options: Vec<String>,
    /// Votes by the slug of their option.
    pub(crate) votes: HashMap<String, i64>,
    /// When this arrived.
    pub(crate) at: Instant,
}

/// What the canary sees of the results: the newest frame, or why there is none.
pub(crate) type Sight = Result<Arc<Shown>, Arc<Blind>>;

/// An event stream that is opened again whenever it ends.
#[derive(Debug)]
pub(crate) struct Screen {
    sight: watch::Receiver<Sight>,
    reopen: Arc<tokio::sync::Notify>,
}

/// Why a stream shows nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Blind {
    #[error("the stream has not begun yet")]
    NotYet,
    #[error(transparent)]
    Http(#[from] Error),
    #[error("the dashboard answered {0}")]
    Status(StatusCode),
    #[error("the stream did not begin within {HEAD_WITHIN:?}")]
    Late,
    #[error("the stream sent nothing for {SILENT_FOR:?}")]
    Silent,
    #[error("the dashboard ended the stream")]
    Ended,
    #[error("the stream is opened again, since it did not show a ballot")]
    Reopened,
    #[error("the stream sent an event that is too large")]
    TooLarge,
    #[error("the results of the poll are hidden")]
    Hidden,
    #[error("an event does not parse: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl Screen {
    /// Opens the stream, and keeps it open until `shutdown`.
    pub(crate) fn watch(client: Client, config: &Config, shutdown: CancellationToken) -> Self {
        let path = format!("/api/polls/{}/events", config.canary_poll);
        let address = on_server(&config.dashboard_url, &path);
        let (sender, sight) = watch::channel(Err(Arc::new(Blind::NotYet)));
        let reopen = Arc::new(tokio::sync::Notify::new());
        let asked = reopen.clone();
        tokio::spawn(async move {
            let reading = async {
                loop {
                    let ended = tokio::select! {
                        Err(blind) = read(&client, &address, &sender) => blind,
                        () = asked.notified() => Blind::Reopened,
                    };
                    sender.send_modify(|sight| *sight = Err(Arc::new(ended)));
                    tokio::time::sleep(REOPEN_AFTER).await;
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = reading => {}
            }
        });
        Self { sight, reopen }
    }

    /// Returns what is shown now.
    pub(crate) fn now(&mut self) -> Sight {
        self.sight.borrow_and_update().clone()
    }

    /// Waits until what is shown changes.
    pub(crate) async fn changed(&mut self) {
        // The sender lives until the process ends.
        let _ = self.sight.changed().await;
    }

    /// Opens the stream again: its server may be gone without a word.
    pub(crate) fn reopen(&self) {
        self.reopen.notify_one();
    }
}

/// Reads one stream until it ends, and passes on what it shows.
async fn read(
    client: &Client,
    address: &Uri,
    sight: &watch::Sender<Sight>,
) -> Result<std::convert::Infallible, Blind> {
    let request = Request::get(address.clone()).header("accept", "text/event-stream");
    let request = request.body(Full::new(Bytes::new())).map_err(Error::Request)?;
    let reply = tokio::time::timeout(HEAD_WITHIN, client.send(request)).await;
    let reply = reply.map_err(|_| Blind::Late)??;
    if reply.status() != StatusCode::OK {
        return Err(Blind::Status(reply.status()));
    }
    let mut body = reply.into_body();
    let mut events = Vec::new();
    loop {
        let chunk = tokio::time::timeout(SILENT_FOR, body.chunk()).await;
        let chunk = chunk.map_err(|_| Blind::Silent)??.ok_or(Blind::Ended)?;
        events.extend_from_slice(&chunk);
        while let Some(end) = events.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = events.drain(..end + 2).collect();
            if let Some(shown) = parse(&event)? {
                sight.send_modify(|sight| *sight = Ok(Arc::new(shown)));
            }
        }
        if events.len() > EVENT_BYTES_MAX {
            return Err(Blind::TooLarge);
        }
    }
}

/// The parts of an event `tally` that matter here.
#[derive(Deserialize)]
struct Tally {
    voters: i64,
    options: Vec<OptionTally>,
}

#[derive(Deserialize)]
struct OptionTally {
    slug: String,
    votes: i64,
}

/// Reads an event; other events than those with results show nothing new.
fn parse(event: &[u8]) -> Result<Option<Shown>, Blind> {
    let text = String::from_utf8_lossy(event);
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    match field("event:") {
        Some("tally") => {}
        Some("hidden") => return Err(Blind::Hidden),
        _ => return Ok(None),
    }
    let Tally { voters, options } = serde_json::from_str(field("data:").unwrap_or_default())?;
    Ok(Some(Shown {
        voters,
        options: options.iter().map(|option| option.slug.clone()).collect(),
        votes: options.into_iter().map(|option| (option.slug, option.votes)).collect(),
        at: Instant::now(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_event_with_results_shows_something() {
        let tally = b"event: tally\nid: 4\ndata: {\"voters\":2,\"options\":[{\"slug\":\"a\",\"label\":\"A\",\"votes\":2}]}\n\n";
        let shown = parse(tally).unwrap().unwrap();
        assert_eq!((shown.voters, shown.votes["a"], shown.options), (2, 2, vec!["a".to_owned()]));
        assert!(parse(b"event: alive\ndata: {}\n\n").unwrap().is_none());
        assert!(parse(b"retry: 700\n\n").unwrap().is_none());
        assert!(matches!(parse(b"event: hidden\ndata: {}\n\n"), Err(Blind::Hidden)));
        assert!(matches!(parse(b"event: tally\ndata: {\n\n"), Err(Blind::Unreadable(_))));
    }
}
