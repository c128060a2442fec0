//! One ballot, followed by traces and logs from its request to its commit. Neither may reveal the voter or the vote.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

use std::convert::Infallible;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use testkit::{Pipeline, binary, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::NoTls;

const SOON: Duration = Duration::from_secs(30);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A trace collector, which keeps each span with the name of the service that sent it.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

impl Collector {
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let collector = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let collector = collector.clone();
                let service = service_fn(move |request| collector.clone().take(request));
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        format!("http://{address}")
    }

    async fn take(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        assert_eq!(request.uri().path(), "/v1/traces");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        for of_resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
            let attributes = of_resource.resource.unwrap_or_default().attributes;
            let service = attributes.iter().find(|attribute| attribute.key == "service.name");
            let service = format!("{:?}", service.and_then(|service| service.value.clone()));
            assert!(attributes.iter().any(|attribute| attribute.key == "service.instance.id"));
            let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let spans = spans.map(|span| (service.clone(), span));
            self.0.lock().unwrap().extend(spans);
        }
        Ok(Response::default())
    }

    /// Waits for a span of this service, name and trace.
    async fn span(&self, service: &str, name: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        eventually(SOON, async || {
            let spans = self.0.lock().unwrap();
            let mut ours =
                spans.iter().filter(|(of, span)| of.contains(service) && span.name == name);
            let found = ours.find(|(_, span)| is_it(span)).map(|(_, span)| span.clone());
            found.ok_or_else(|| {
                let seen: Vec<_> = spans.iter().map(|(of, span)| (of, &span.name)).collect();
                format!("{service} {name}: {seen:?}")
            })
        })
        .await
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == name);
    format!("{:?}", found.and_then(|attribute| attribute.value.clone()))
}

async fn cast(vote: &str) -> String {
    let body = r#"{"choices":["zanzibar"]}"#;
    let rest =
        format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    send(vote, "POST /api/polls/journey/ballots", &rest).await
}

async fn ask(results: &str, path: &str) -> String {
    send(results, &format!("GET {path}"), "\r\n").await
}

/// Sends a request within the trace of the test, and returns the whole reply.
async fn send(url: &str, request: &str, rest: &str) -> String {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         traceparent: 00-{TRACE}-{CALLER}-01\r\n{rest}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

fn logs(pipeline: &Pipeline) -> String {
    let files = std::fs::read_dir(pipeline.data_dir.join("log")).unwrap().flatten();
    files.map(|file| std::fs::read_to_string(file.path()).unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_is_followed_to_its_commit_and_its_voter_stays_unknown() {
    let collector = Collector::default();
    let endpoint = collector.listen().await;
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
        ("LOG_LEVEL", "trace"),
        ("LOG_FORMAT", "json"),
    ];
    let pipeline = tokio::task::block_in_place(|| Pipeline::start(&variables));
    let made = Command::new(binary("votectl"))
        .args(["poll", "create", "--slug", "journey", "--title", "Where to?", "--open"])
        .args(["--option", "zanzibar=Zanzibar", "--option", "quito=Quito"])
        .env("REDIS_URL", pipeline.variable("REDIS_URL"))
        .env("DATABASE_URL", pipeline.variable("DATABASE_URL"))
        .status();
    assert!(made.unwrap().success());
    let reply = eventually(SOON, async || {
        let reply = cast(&pipeline.vote).await;
        if reply.starts_with("HTTP/1.1 202") { Ok(reply) } else { Err(reply) }
    })
    .await;
    let after = |text: &str, end: char| {
        let rest = reply.split_once(text).unwrap().1;
        rest.split(end).next().unwrap().to_owned()
    };
    // The cookie's name ends with an id of its key, and its value is the secret.
    let (entry, cookie) = (after("\"entry\":\"", '"'), after("voter_", ';'));
    let cookie = cookie.split_once('=').unwrap().1.to_owned();

    // The span of the request continues its caller's trace.
    let is_ours = |span: &Span| hex(&span.trace_id) == TRACE;
    let request = collector.span("votestream-producer", "cast ballot", is_ours).await;
    assert_eq!(hex(&request.parent_span_id), CALLER);
    assert!(attribute(&request, "votestream.entry").contains(&entry));
    // The span of the commit is a child of the request's, though the ballot travelled through the stream.
    let commit = collector.span("votestream-consumer", "count ballot", is_ours).await;
    assert_eq!(commit.parent_span_id, request.span_id);
    assert!(attribute(&commit, "votestream.entry").contains(&entry));
    assert!(commit.end_time_unix_nano > request.start_time_unix_nano);
    // The span of the batch has a trace of its own, and links to the traces of its ballots.
    let links = |span: &Span| span.links.iter().any(|link| link.span_id == request.span_id);
    let batch = collector.span("votestream-consumer", "count batch", links).await;
    assert_ne!(batch.trace_id, commit.trace_id);
    assert!(commit.links.iter().any(|link| link.span_id == batch.span_id));

    // The dashboard reads the vote, and its reply is in the trace of whoever asked for it.
    let has_news = |span: &Span| attribute(span, "votestream.polls_changed").contains('1');
    let read = collector.span("votestream-dashboard", "read results", has_news).await;
    assert!(read.end_time_unix_nano > read.start_time_unix_nano);
    eventually(SOON, async || {
        let shown = ask(&pipeline.results, "/api/polls/journey/tally").await;
        if shown.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(shown) }
    })
    .await;
    let is_shown =
        |span: &Span| is_ours(span) && attribute(span, "http.response.status_code").contains("200");
    let show = collector.span("votestream-dashboard", "show tally", is_shown).await;
    assert_eq!(hex(&show.parent_span_id), CALLER);
    assert!(attribute(&show, "votestream.slug").contains("journey"));

    // Even at the finest log level, no log line and no span names the voter or the option.
    let (sql, connection) =
        tokio_postgres::connect(&pipeline.variable("DATABASE_URL"), NoTls).await.unwrap();
    tokio::spawn(connection);
    let voter: String = sql.query_one("SELECT voter::text FROM votes", &[]).await.unwrap().get(0);
    let logs = logs(&pipeline);
    for wanted in ["ballot accepted", "ballot committed"] {
        let line = logs.lines().find(|line| line.contains(wanted) && line.contains(&entry));
        let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
        assert!(!line["poll"].is_null() && line["version"].is_string(), "{line}");
        assert_eq!(line["trace_id"], TRACE, "{line}");
    }
    for service in ["producer", "consumer", "dashboard"] {
        let own = format!("{{\"service\":\"{service}\",\"version\":\"");
        assert!(logs.lines().any(|line| line.starts_with(&own)), "no line names the {service}");
    }
    for secret in [&voter, &voter.replace('-', ""), &cookie, "zanzibar"] {
        let line = logs.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} is logged: {line:?}");
    }
    let spans = format!("{:?}", collector.0.lock().unwrap());
    for secret in [&voter, &voter.replace('-', ""), &cookie, "zanzibar"] {
        assert!(!spans.contains(secret), "{secret} is in a span");
    }
}
