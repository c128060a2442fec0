//! Options that users of other load testers expect.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use votestream_loadtest::AuditVerdict;

use crate::fake::{Fake, Fault};
use crate::tool::{Folder, command, done, loadtest, report, run};

#[test]
fn several_targets_share_the_voters() {
    let fake = Fake::with(Fault::None);
    let second = fake.also_listen();
    let (done, report) =
        run(&fake.url(), &format!("--target {second} --rate 200 --duration 1s --warm-up 0s"));
    assert_eq!((done.code, report.audit.verdict), (0, AuditVerdict::Balanced), "{}", done.stdout);
    let there = fake.requests("second: POST");
    assert!((60..140).contains(&there), "{there} of 200");
    assert_eq!(fake.requests("POST") + there, 200);
    assert!(report.setup.target.contains(&second), "{}", report.setup.target);
}

#[test]
fn a_name_can_be_given_an_address() {
    let fake = Fake::with(Fault::None);
    let port = fake.address.port();
    let url = format!("http://vote.example:{port}");
    let load = "--rate 50 --duration 1s --warm-up 0s --viewers 2 --header x-team:one";
    let (done, report) = run(&url, &format!("{load} --resolve vote.example:{port}:127.0.0.1"));
    assert_eq!((done.code, fake.voters()), (0, 50), "{}", done.stdout);
    let command = report.setup.command_line.unwrap();
    assert!(command.contains("--header *** --resolve vote.example"), "{command}");
}

#[test]
fn all_shards_can_begin_at_one_time() {
    let fake = Fake::with(Fault::None);
    let start = jiff::Timestamp::now() + Duration::from_secs(3);
    let load = "--rate 50 --duration 1s --warm-up 0s";
    let (done, report) = run(&fake.url(), &format!("{load} --start-at {start}"));
    assert_eq!((done.code, fake.voters()), (0, 50), "{}", done.stdout);
    let began: jiff::Timestamp = report.setup.started_at.parse().unwrap();
    let late = began.duration_since(start).as_secs_f64();
    assert!((-0.01..0.5).contains(&late), "{late}");
    let done = loadtest(&format!("run --target {} --start-at 2020-01-01T00:00:00Z", fake.url()));
    assert_eq!(done.code, 3, "{}", done.stdout);
    assert!(done.stderr.contains("has passed"), "{}", done.stderr);
}

#[test]
fn few_samples_are_not_judged() {
    let fake = Fake::with(Fault::None);
    let load = "--rate 50 --duration 1s --warm-up 0s --slo p99<10s --slo max<10s";
    let (done, report) = run(&fake.url(), load);
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert_eq!(report.slos.iter().map(|slo| slo.kept).collect::<Vec<_>>(), [false, true]);
    assert!(done.stdout.contains("p99<10s not judged: 50 samples"), "{}", done.stdout);
    assert!(done.stdout.contains("(only 50 samples)"), "{}", done.stdout);
}

#[test]
fn rates_and_times_of_short_runs_are_exact() {
    let fake = Fake::with(Fault::None);
    let (done, report) = run(&fake.url(), "--rate 200 --duration 1s --warm-up 0s");
    assert_eq!(done.code, 0, "{}", done.stdout);
    let rate = report.ballots.acknowledged_per_second;
    assert!((195.0..=200.5).contains(&rate), "{rate}");
    let drained = report.audit.drained_after_seconds.unwrap();
    assert!(drained < 0.5, "{drained}");
}

#[test]
fn a_few_voters_of_the_closed_model_are_measured() {
    let fake = Fake::with(Fault::None);
    let (done, report) = run(&fake.url(), "--connections 8 --voters 100");
    assert_eq!((done.code, fake.voters()), (0, 100), "{}", done.stdout);
    assert_eq!((report.ballots.measured, report.ballots.latency.count), (100, 100));
    assert!(report.ballots.acknowledged_per_second > 100.0, "{}", done.stdout);
    // Each connection was opened once.
    assert_eq!(report.ballots.connect_time.count, 8, "{}", done.stdout);
    assert_eq!(report.ballots.latency_by_outcome["acknowledged"].count, 100);
}

#[test]
fn times_beyond_every_clock_are_refused() {
    let fake = Fake::with(Fault::None);
    for option in ["--timeout 99999999999999999999h", "--drain-timeout 99999999h", "--wait 400d"] {
        let done = loadtest(&format!("run --target {} {option}", fake.url()));
        assert_eq!(done.code, 3, "{option}: {}", done.stderr);
        assert!(done.stderr.contains("longer than a year"), "{option}: {}", done.stderr);
    }
}

#[test]
fn a_proxy_gets_the_whole_address() {
    // The deployment plays the proxy. It knows the paths of the requests with the address in front.
    let fake = Fake::with(Fault::None);
    let folder = Folder::new();
    let json = folder.join("report.json");
    let line = format!(
        "run --target http://vote.example --results http://vote.example --resolve vote.example:80:10.0.0.9 \
         --rate 50 --duration 1s --warm-up 0s --settle 200ms --json {}",
        json.display()
    );
    let done = done(command(&line).env("http_proxy", fake.url()).output().unwrap());
    assert_eq!((done.code, fake.voters()), (0, 50), "{}\n{}", done.stdout, done.stderr);
    assert_eq!(fake.requests("POST http://vote.example/api/polls/cats-vs-dogs/ballots"), 50);
    assert_eq!(report(&json).audit.acknowledged_voters, 50);
}

#[test]
fn an_empty_address_of_a_database_is_none() {
    let fake = Fake::with(Fault::None);
    for url in ["", "  "] {
        let line = format!(
            "run --target {url} --results {url} --rate 50 --duration 1s --warm-up 0s --settle 200ms",
            url = fake.url()
        );
        let done = done(command(&line).env("DATABASE_URL", url).output().unwrap());
        assert_eq!(done.code, 0, "{url:?}: {}\n{}", done.stdout, done.stderr);
    }
}

/// Serves metrics of producers who accept this many ballots between two readings.
fn metrics(accepted_each: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicU64::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), accepted) = (stream, accepted.clone()) else { continue };
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while stream.read(&mut request).is_ok_and(|read| read > 0) {
                    let accepted = accepted.fetch_add(accepted_each, Ordering::Relaxed);
                    let page = format!(
                        "votestream_stream_lag{{partition=\"0\"}} 0\n\
                         votestream_ballots_total{{outcome=\"accepted\"}} {accepted}\n"
                    );
                    let length = page.len();
                    let reply =
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{page}");
                    if stream.write_all(reply.as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

#[test]
fn ballots_of_others_are_counted_and_are_no_fault_of_the_target() {
    let fake = Fake::with(Fault::None);
    let load = "--rate 50 --duration 1s --warm-up 0s";
    // Others vote in another poll of the deployment: this poll's tally balances all the same.
    let (done, report) = run(&fake.url(), &format!("{load} --metrics {}", metrics(1_000)));
    assert!(report.metrics.unwrap().foreign_ballots.unwrap() > 500, "{}", done.stdout);
    assert_eq!((done.code, report.audit.verdict), (0, AuditVerdict::Balanced), "{}", done.stdout);
    // Without others there are none.
    let (done, report) = run(&fake.url(), &format!("{load} --metrics {}", metrics(0)));
    assert_eq!(report.metrics.unwrap().foreign_ballots, Some(0), "{}", done.stdout);
    assert_eq!(done.code, 0, "{}", done.stdout);
}

#[test]
fn a_proof_of_work_is_solved_and_its_cost_is_told() {
    let fake = Fake::with(Fault::Work(2_000));
    let (done, report) = run(&fake.url(), "--rate 40 --duration 1s --warm-up 0s --mix twice=50%");
    assert_eq!((done.code, fake.voters()), (0, 40), "{}", done.stdout);
    let challenges = report.challenges.unwrap();
    assert_eq!((challenges.asked, challenges.solved), (40, 40), "whoever has voted is not asked");
    assert_eq!((challenges.hashes, challenges.impossible), (80_000, 0));
    assert!(challenges.cpu_us > 0);
    assert!(done.stdout.contains("40 solved with 2,000 hashes"), "{}", done.stdout);
}

#[test]
fn a_challenge_of_another_service_is_named_as_impossible() {
    let fake = Fake::with(Fault::Siteverify);
    let (done, report) = run(&fake.url(), "--rate 40 --duration 1s --warm-up 0s");
    assert_eq!((done.code, fake.voters()), (1, 0), "{}", done.stdout);
    let challenges = report.challenges.unwrap();
    assert_eq!((challenges.impossible, challenges.solved), (40, 0));
    let named =
        "40 ballots were refused, because the target asks for a challenge of the kind `siteverify`";
    assert!(done.stdout.contains(named), "{}", done.stdout);
}
