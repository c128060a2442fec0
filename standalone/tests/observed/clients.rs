//! Clients that ask for what a browser would not: ballots without a code, requests that never end, streams that nobody
//! reads.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Loads the page of the service at this address, and fails unless it is answered without an error.
pub async fn page(service: &str) {
    let address = address(service);
    let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let reply = answer(address, &request).await;
    assert!(["HTTP/1.1 2", "HTTP/1.1 3"].iter().any(|start| reply.starts_with(start)), "{reply}");
}

/// Casts ballots without a voting code in the poll that needs one, and returns how many were refused for that.
pub async fn ballots_without_a_code(vote: &str) -> usize {
    let address = address(vote);
    let body = r#"{"choices":["o0"]}"#;
    let request = format!(
        "POST /api/polls/codes/ballots HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut refused = 0;
    for _ in 0..800 {
        let reply = answer(address, &request).await;
        refused += usize::from(reply.contains("/problems/bad-code"));
    }
    refused
}

/// Casts ballots with a solution that another service has to check, and returns how many were given a proof of work
/// because that service is away.
pub async fn ballots_with_solutions(vote: &str, ballots: usize) -> usize {
    let address = address(vote);
    let body = r#"{"choices":["a"],"solution":"a token"}"#;
    let request = format!(
        "POST /api/polls/cats-vs-dogs/ballots HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut given = 0;
    for _ in 0..ballots {
        given += usize::from(answer(address, &request).await.contains(r#""kind":"work""#));
    }
    given
}

/// Casts the ballots of so many new voters who seem to share one address, and returns how many were accepted.
pub async fn ballots_of_one_network(vote: &str, voters: usize) -> usize {
    let address = address(vote);
    let body = r#"{"choices":["a"]}"#;
    // A loopback address is exempt from the limit, unless a header of a proxy says that others are behind it.
    let request = format!(
        "POST /api/polls/cats-vs-dogs/ballots HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         x-forwarded-for: 203.0.113.9\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut accepted = 0;
    for _ in 0..voters {
        accepted += usize::from(answer(address, &request).await.starts_with("HTTP/1.1 202"));
    }
    accepted
}

/// Requests the series of the poll 40 times at once, and returns how many requests were answered with 503.
pub async fn failing_requests(results: &str) -> usize {
    let address = address(results);
    let request = format!(
        "GET /api/polls/cats-vs-dogs/series?seconds=99 HTTP/1.1\r\nhost: {address}\r\n\
         connection: close\r\n\r\n"
    );
    let mut requests = JoinSet::new();
    for _ in 0..40 {
        let (address, request) = (address.to_owned(), request.clone());
        requests.spawn(async move { answer(&address, &request).await });
    }
    let replies = requests.join_all().await;
    replies.iter().filter(|reply| reply.starts_with("HTTP/1.1 503")).count()
}

/// Opens a connection with a request whose body never comes.
pub async fn unfinished_request(vote: &str) -> TcpStream {
    let address = address(vote);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/polls/cats-vs-dogs/ballots HTTP/1.1\r\nhost: {address}\r\n\
         content-type: application/json\r\ncontent-length: 20\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Opens an event stream that nobody reads.
pub async fn viewer(results: &str) -> TcpStream {
    let address = address(results);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api/polls/cats-vs-dogs/events HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    stream
}

/// Returns the reply; nothing if the service closes the connection instead, as one does that has no room.
async fn answer(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut reply = String::new();
    if stream.write_all(request.as_bytes()).await.is_err()
        || stream.read_to_string(&mut reply).await.is_err()
    {
        reply.clear();
    }
    reply
}

fn address(url: &str) -> &str {
    url.trim_start_matches("http://").trim_end_matches('/')
}
