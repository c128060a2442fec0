//! A deployment in one process, which counts in memory and makes mistakes on request.
//!
//! It plays producer and dashboard on one port of 127.0.0.1. It has only the routes that the load
//! tester uses, and shares no code with it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use votestream_schema::submission::work::Challenge;

/// A mistake of the deployment. Most of them affect the fiftieth ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The ballot is acknowledged, but never counted.
    Drop,
    /// The votes of the ballot are counted twice, but its voter once.
    CountTwice,
    /// The ballot is counted again some time after everything else was counted.
    CountTwiceLate,
    /// Another vote that nobody cast is counted, too.
    Invent,
    /// The ballot is counted for the other option.
    Swap,
    /// From the fiftieth ballot on, no request is answered for this long.
    Stall(Duration),
    /// Ballots are processed one after the other, and each takes this long.
    Slow(Duration),
    /// The ballot is answered with "unavailable", but counted.
    UnavailableButCounted,
    /// Somebody else votes during the whole run.
    OthersVote,
    /// Others vote this often, once the run has cast fifty ballots.
    OthersVoteLater(u64),
    /// Others begin to vote with the fiftieth ballot of the run, and go on for ever.
    OthersKeepVoting,
    /// Every ballot is answered with this status, and none is counted.
    Answer(u16),
    /// From the fiftieth ballot on, ballots wait, and the tally says how many.
    Wait,
    /// The tally is always hidden.
    Hidden,
    /// Replies are as proxies write them: with interim replies, many fields, and `close` in a list.
    Proxy,
    /// New voters have to solve a proof of work of so many hashes first.
    Work(u32),
    /// New voters have to solve the challenge of another service first.
    Siteverify,
    /// A connection is closed once it was idle for this long.
    Idle(Duration),
}

/// Which of a voter's ballots counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    KeepFirst,
    Replace,
}

/// A running deployment. It ends when it is dropped.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    runtime: tokio::runtime::Runtime,
}

struct State {
    fault: Fault,
    policy: Policy,
    poll_state: &'static str,
    votes: [u64; 2],
    voters: u64,
    version: u64,
    ballots: u64,
    waiting: u64,
    next_voter: u128,
    register: HashMap<u128, usize>,
    stalled_until: Option<Instant>,
    busy_until: Instant,
    /// The number of requests by "METHOD path".
    requests: HashMap<String, u64>,
}

const OPTIONS: [&str; 2] = ["cats", "dogs"];

impl Fake {
    /// Starts a deployment with this mistake, in which the first ballot of a voter counts.
    pub(crate) fn with(fault: Fault) -> Self {
        Self::start(fault, Policy::KeepFirst, "open")
    }

    pub(crate) fn start(fault: Fault, policy: Policy, poll_state: &'static str) -> Self {
        let state = State {
            fault,
            policy,
            poll_state,
            votes: [7, 3],
            voters: 10,
            version: 10,
            ballots: 0,
            waiting: 0,
            next_voter: 1,
            register: HashMap::new(),
            stalled_until: None,
            busy_until: Instant::now(),
            requests: HashMap::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(4096).unwrap()
        });
        let address = listener.local_addr().unwrap();
        runtime.spawn(accept(listener, Arc::clone(&state), ""));
        if matches!(fault, Fault::OthersVote | Fault::OthersKeepVoting) {
            runtime.spawn(vote_on(Arc::clone(&state)));
        }
        Self { address, state, runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves another address, too, and returns it. Its requests are counted as `second: METHOD path`.
    pub(crate) fn also_listen(&self) -> String {
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        self.runtime.spawn(accept(listener, Arc::clone(&self.state), "second: "));
        format!("http://{address}")
    }

    /// Returns the number of requests that begin with `start`, such as `POST
    /// /api/polls/cats-vs-dogs/ballots`.
    pub(crate) fn requests(&self, start: &str) -> u64 {
        let state = self.state.lock().unwrap();
        state
            .requests
            .iter()
            .filter(|(line, _)| line.starts_with(start))
            .map(|(_, count)| count)
            .sum()
    }

    /// Returns the number of voters that are counted, without those from before the run.
    pub(crate) fn voters(&self) -> u64 {
        self.state.lock().unwrap().voters - 10
    }
}

async fn vote_on(state: Arc<Mutex<State>>) {
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut state = state.lock().unwrap();
        if state.fault == Fault::OthersVote || state.ballots >= 50 {
            state.count(0, 1, 1);
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>, place: &'static str) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        stream.set_nodelay(true).unwrap();
        tokio::spawn(serve(stream, Arc::clone(&state), place));
    }
}

/// A parsed request with its body.
struct Request {
    line: String,
    json: bool,
    voter: Option<u128>,
    body: Vec<u8>,
}

async fn serve(
    mut stream: TcpStream,
    state: Arc<Mutex<State>>,
    place: &'static str,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let patience = match state.lock().unwrap().fault {
            Fault::Idle(patience) => patience,
            _ => Duration::from_secs(3600),
        };
        let read = tokio::time::timeout(patience, read(&mut stream, &mut buffer)).await;
        let Ok(Some(request)) = read.unwrap_or(Ok(None)) else { return Ok(()) };
        let line = format!("{place}{}", request.line);
        *state.lock().unwrap().requests.entry(line).or_default() += 1;
        if request.line.ends_with("/events") {
            return events(stream, state).await;
        }
        let delay = state.lock().unwrap().delay(&request);
        tokio::time::sleep_until(delay.into()).await;
        let reply = answer(&mut state.lock().unwrap(), &request, &state);
        if state.lock().unwrap().fault == Fault::Proxy {
            return stream.write_all(through_a_proxy(&reply).as_bytes()).await;
        }
        stream.write_all(reply.as_bytes()).await?;
    }
}

fn through_a_proxy(reply: &str) -> String {
    let fields: String = (0..60).map(|n| format!("x-h-{n}: v\r\n")).collect();
    let (status, rest) = reply.split_once("\r\n").unwrap();
    format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n\
         {status}\r\n{fields}connection: close, X-Foo\r\n{rest}"
    )
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<Request>> {
    loop {
        if let Some((request, used)) = parse(buffer) {
            buffer.drain(..used);
            return Ok(Some(request));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

fn parse(buffer: &[u8]) -> Option<(Request, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(buffer).unwrap() {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return None,
    };
    let header = |name: &str| {
        let found = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| std::str::from_utf8(header.value).unwrap())
    };
    let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
    if buffer.len() < head + length {
        return None;
    }
    let voter = header("cookie").and_then(|cookie| {
        let id = cookie.strip_prefix("voter_0badc0de=v1.")?.split('.').next()?;
        u128::from_str_radix(id, 16).ok()
    });
    let request = Request {
        line: format!("{} {}", parsed.method.unwrap(), parsed.path.unwrap()),
        json: header("content-type") == Some("application/json"),
        voter,
        body: buffer[head..head + length].to_vec(),
    };
    Some((request, head + length))
}

fn reply(status: &str, cookie: Option<u128>, body: &str) -> String {
    let cookie = cookie.map_or_else(String::new, |id| {
        format!("set-cookie: voter_0badc0de=v1.{id:032x}.68000000.00ff; Path=/; HttpOnly\r\n")
    });
    format!(
        "HTTP/1.1 {status}\r\n{cookie}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn answer(state: &mut State, request: &Request, shared: &Arc<Mutex<State>>) -> String {
    // A proxy is asked for the whole address.
    match request.line.replace(" http://vote.example", " ").as_str() {
        "GET /api/polls/cats-vs-dogs" => reply("200 OK", None, &state.poll()),
        "GET /api/polls/cats-vs-dogs/tally" if state.fault == Fault::Hidden => {
            reply("403 Forbidden", None, "{}")
        }
        "GET /api/polls/cats-vs-dogs/tally" => reply("200 OK", None, &state.tally()),
        "GET /polls/cats-vs-dogs" => {
            let id = state.new_voter();
            reply("200 OK", Some(id), "<!doctype html><title>Cats vs Dogs</title>")
        }
        "POST /api/polls/cats-vs-dogs/ballots" | "POST /polls/cats-vs-dogs" => {
            state.ballot(request, shared)
        }
        _ => reply("404 Not Found", None, "{}"),
    }
}

impl State {
    fn poll(&self) -> String {
        let policy = match self.policy {
            Policy::KeepFirst => "keep_first",
            Policy::Replace => "replace",
        };
        format!(
            r##"{{"slug":"cats-vs-dogs","title":"Cats vs Dogs","state":"{}","options":[{{"slug":"cats","label":"Cats","description":null,"colour":"#aa3377"}},{{"slug":"dogs","label":"Dogs","description":null,"colour":null}}],"choices_min":1,"choices_max":1,"vote_policy":"{policy}","voter_policy":"open","visibility":"always","opens_at":null,"closes_at":null,"your_choices":null}}"##,
            self.poll_state
        )
    }

    fn tally(&self) -> String {
        let [cats, dogs] = self.votes;
        let progress = match self.fault {
            Fault::Wait => format!(
                r#""final":false,"complete_to":"2025-01-01T00:00:00Z","waiting":{},"#,
                self.waiting
            ),
            _ => String::new(),
        };
        format!(
            r#"{{"poll":"cats-vs-dogs","state":"open","version":{},"voters":{},"options":[{{"slug":"cats","label":"Cats","votes":{cats}}},{{"slug":"dogs","label":"Dogs","votes":{dogs}}}],{progress}"as_of":"2025-01-01T00:00:00Z","stale":false,"stale_since":null}}"#,
            self.version, self.voters
        )
    }

    /// Returns the time at which this request may be answered.
    fn delay(&mut self, request: &Request) -> Instant {
        let now = Instant::now();
        if !request.line.starts_with("POST") {
            return now;
        }
        match self.fault {
            Fault::Slow(each) => {
                self.busy_until = self.busy_until.max(now) + each;
                self.busy_until
            }
            Fault::Stall(length) => {
                if self.ballots >= 50 && self.stalled_until.is_none() {
                    self.stalled_until = Some(now + length);
                }
                self.stalled_until.map_or(now, |until| until.max(now))
            }
            _ => now,
        }
    }

    fn new_voter(&mut self) -> u128 {
        self.next_voter += 1;
        self.next_voter
    }

    fn count(&mut self, option: usize, votes: u64, voters: u64) {
        self.votes[option] += votes;
        self.voters += voters;
        self.version += 1;
    }

    /// Returns the challenge that the voter has to solve first, if there is one.
    fn challenge(&self, request: &Request) -> Option<String> {
        match self.fault {
            Fault::Work(hashes) => {
                let text = format!("w1.{hashes:x}.ffffffff.{:032x}", request.voter.unwrap_or(0));
                let work = Challenge { text, hashes };
                let ballot = serde_json::from_slice::<serde_json::Value>(&request.body).ok();
                // The solution names the voter, so a ballot without one has none.
                let is_solved = request.voter.is_some()
                    && ballot.is_some_and(|ballot| ballot["solution"] == work.solve().as_str());
                let asked = format!(
                    r#"{{"kind":"work","text":"w1.{hashes:x}.ffffffff.{:032x}","hashes":{hashes}}}"#,
                    request.voter.unwrap_or(self.next_voter)
                );
                (!is_solved).then_some(asked)
            }
            Fault::Siteverify => Some(r#"{"kind":"siteverify","site_key":"k"}"#.to_owned()),
            _ => None,
        }
    }

    fn ballot(&mut self, request: &Request, shared: &Arc<Mutex<Self>>) -> String {
        if let Fault::Answer(status) = self.fault {
            return reply(&format!("{status} No\r\nlocation: https://vote.example/x"), None, "{}");
        }
        let Some(option) = chosen(request) else {
            return reply("422 Unprocessable Content", None, "{}");
        };
        let voter = request.voter.unwrap_or_else(|| self.new_voter());
        if let Some(former) = self.register.get(&voter).copied() {
            if self.policy == Policy::KeepFirst {
                let body =
                    format!(r#"{{"type":"x","status":409,"choices":["{}"]}}"#, OPTIONS[former]);
                return reply("409 Conflict", None, &body);
            }
            self.votes[former] -= 1;
            self.count(option, 1, 0);
            self.register.insert(voter, option);
            return accepted(request, voter);
        }
        if let Some(challenge) = self.challenge(request) {
            let cookie = request.voter.is_none().then_some(voter);
            let body =
                format!(r#"{{"type":"/problems/challenge-required","challenge":{challenge}}}"#);
            return reply("403 Forbidden", cookie, &body);
        }
        self.register.insert(voter, option);
        self.ballots += 1;
        let planted = self.ballots == 50;
        match self.fault {
            Fault::Drop if planted => {}
            Fault::CountTwice if planted => self.count(option, 2, 1),
            Fault::CountTwiceLate if planted => {
                self.count(option, 1, 1);
                let shared = Arc::clone(shared);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(3000)).await;
                    shared.lock().unwrap().count(option, 1, 0);
                });
            }
            Fault::Invent if planted => self.count(option, 2, 2),
            Fault::Swap if planted => self.count(1 - option, 1, 1),
            Fault::Wait if self.ballots >= 50 => self.waiting += 1,
            Fault::OthersVoteLater(others) if planted => {
                self.count(option, 1, 1);
                self.count(0, others, others);
            }
            Fault::UnavailableButCounted if planted => {
                self.count(option, 1, 1);
                return reply("503 Service Unavailable", None, "{}");
            }
            _ => self.count(option, 1, 1),
        }
        accepted(request, voter)
    }
}

fn accepted(request: &Request, voter: u128) -> String {
    let cookie = request.voter.is_none().then_some(voter);
    if request.json {
        reply(
            "202 Accepted",
            cookie,
            r#"{"status":"accepted","entry":"1763912345678-0","choices":[]}"#,
        )
    } else {
        reply("303 See Other", cookie, "")
    }
}

fn chosen(request: &Request) -> Option<usize> {
    let slug = if request.json {
        let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
        body.get("choices")?.get(0)?.as_str()?.to_owned()
    } else {
        std::str::from_utf8(&request.body).ok()?.strip_prefix("vote=")?.to_owned()
    };
    OPTIONS.iter().position(|option| *option == slug)
}

/// Sends the event stream, in chunks that end in the middle of events.
async fn events(mut stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(b"E\r\nretry: 1000\n\nd\r\n3\r\nata\r\n").await?;
    stream.write_all(b"5\r\n: x\n\n\r\n").await?;
    let mut sent = 0;
    loop {
        let (version, tally) = {
            let state = state.lock().unwrap();
            (state.version, state.tally())
        };
        if version != sent {
            sent = version;
            let frame = format!("event: tally\nid: {version}\ndata: {tally}\n\n");
            stream.write_all(format!("{:x}\r\n{frame}\r\n", frame.len()).as_bytes()).await?;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
