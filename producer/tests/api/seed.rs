//! The seed data of the well-known voting app, which `ab` posts: HTTP/1.0, no keep-alive, no
//! cookie, `vote=a`.

use std::path::PathBuf;
use std::process::Stdio;

use crate::harness::{Service, Setup};
use testkit::http::Reply;

/// The request that `ab -p posta -T application/x-www-form-urlencoded http://vote/` sends.
async fn post_like_ab(service: &Service, body: &str) -> Option<Reply> {
    let head = format!(
        "POST / HTTP/1.0\r\nContent-length: {}\r\n\
         Content-type: application/x-www-form-urlencoded\r\nHost: {}\r\n\
         User-Agent: ApacheBench/2.3\r\nAccept: */*\r\n\r\n",
        body.len(),
        service.client.address,
    );
    service.client.exchange(format!("{head}{body}").as_bytes()).await
}

#[tokio::test]
async fn each_post_without_a_cookie_is_a_new_voter() {
    let service = Setup::new().start().await;
    for _ in 0..20 {
        let reply = post_like_ab(&service, "vote=a").await.unwrap();
        assert_eq!((reply.status, reply.header("location")), (303, Some("/")));
        assert!(reply.cookie().is_some());
    }
    let entries = service.entries().await;
    let voters: std::collections::HashSet<_> = entries.iter().map(|e| e.ballot.voter).collect();
    assert_eq!((entries.len(), voters.len()), (20, 20));
}

/// Where `ab` is installed, it is run as the voting app's documentation says.
#[tokio::test]
async fn ab_itself_seeds_a_thousand_votes() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found: Option<PathBuf> =
        std::env::split_paths(&path).map(|folder| folder.join("ab")).find(|ab| ab.is_file());
    let Some(ab) = found else {
        eprintln!("ab is not installed: its requests were imitated by the test above only");
        return;
    };
    let service = Setup::new().start().await;
    let posta = testkit::folder("seed").join("posta");
    std::fs::write(&posta, "vote=a").unwrap();
    let output = tokio::process::Command::new(ab)
        .args(["-n", "1000", "-c", "50", "-p"])
        .arg(posta)
        .args(["-T", "application/x-www-form-urlencoded"])
        .arg(format!("http://{}/", service.client.address))
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let figure = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse::<usize>().ok())
    };
    assert_eq!(figure("Complete requests:"), Some(1_000), "{said}");
    assert_eq!(figure("Failed requests:"), Some(0), "{said}");
    let entries = service.entries().await;
    assert_eq!(entries.len(), 1_000);
    assert!(entries.iter().all(|entry| entry.ballot.choices.mask() == 1));
}
