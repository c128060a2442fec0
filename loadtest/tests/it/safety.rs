//! Targets and arguments that must be refused before any load, with exit code 3.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::fake::{Fake, Fault, Policy};
use crate::tool::loadtest;

#[track_caller]
fn refused(line: &str, why: &str) {
    let done = loadtest(line);
    assert_eq!(done.code, 3, "{line}\n{}\n{}", done.stdout, done.stderr);
    assert!(done.stderr.contains(why), "{line}\n{}", done.stderr);
}

#[test]
fn public_targets_are_refused_before_a_single_packet() {
    // 192.0.2.0/24 is reserved for documentation, so no host answers there.
    refused("run --target http://192.0.2.7", "refusing to load 192.0.2.7");
    refused("run --target http://192.0.2.7", "--yes-really-load http://192.0.2.7");
    refused("run --target http://192.0.2.7 --yes-really-load http://192.0.2.8", "refusing");
    let fake = Fake::with(Fault::None);
    refused(
        &format!("run --target {} --results http://192.0.2.7", fake.url()),
        "refusing to load 192.0.2.7",
    );
    refused(
        &format!("run --target {} --metrics http://192.0.2.7", fake.url()),
        "refusing to load 192.0.2.7",
    );
    assert_eq!(fake.requests(""), 0);
}

#[test]
fn bad_arguments_are_exit_code_3() {
    for (line, why) in [
        ("run", "--target"),
        ("run --target localhost:8080", "must start with http"),
        ("run --target http://localhost:1 --rate fast", "--rate"),
        ("run --target http://localhost:1 --slo p99", "has no comparison"),
        ("run --target http://localhost:1 --mix nice=5%", "there is no kind of voter 'nice'"),
        ("run --target http://localhost:1 --duration 5", "not a duration"),
        ("run --target http://localhost:1 --rate 0", "no ballot"),
        ("run --target http://localhost:1 --plan /nowhere.toml", "cannot read the plan"),
        ("run --target http://localhost:1 --html /nowhere/at/all.html", "there is no folder"),
        ("run --target http://localhost:1 --viewers 5", "--results"),
        ("merge /nowhere.json", "cannot read"),
        ("dance", "dance"),
    ] {
        refused(line, why);
    }
}

#[test]
fn targets_that_cannot_be_loaded_are_exit_code_3() {
    let closed = Fake::start(Fault::None, Policy::KeepFirst, "closed");
    refused(&format!("run --target {}", closed.url()), "is closed, not open");
    let fake = Fake::with(Fault::None);
    refused(&format!("run --target {} --poll tea", fake.url()), "no poll 'tea'");
    refused(&format!("run --target {} --options birds=5", fake.url()), "no option 'birds'");
    assert_eq!(fake.voters(), 0);
    // Nobody listens on this port. It was free a moment ago.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    refused(&format!("run --target http://{gone}"), "cannot connect");
}

#[test]
fn who_does_not_answer_yet_is_waited_for() {
    let fake = Fake::with(Fault::None);
    let late = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let begun = Instant::now();
    refused(&format!("run --target http://{late} --wait 600ms"), "cannot connect");
    assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
    let address = fake.address;
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(600));
        for client in TcpListener::bind(late).unwrap().incoming() {
            forward(client.unwrap(), TcpStream::connect(address).unwrap());
        }
    });
    let line = "--wait 20s --rate 100 --duration 1s --warm-up 0s --no-audit";
    let done = loadtest(&format!("run --target http://{late} {line}"));
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    assert!(done.stderr.contains("waiting up to 20s"), "{}", done.stderr);
    // A server that answers is not asked again, because the poll will not exist in a moment.
    let begun = Instant::now();
    refused(&format!("run --target {} --poll tea --wait 20s", fake.url()), "no poll 'tea'");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// Copies bytes in both directions until either side closes.
fn forward(client: TcpStream, server: TcpStream) {
    for (mut from, mut to) in
        [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
    {
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    }
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let done = loadtest("--help");
    assert_eq!(done.code, 0);
    for part in [
        "junior-eurovision",
        "--slo 'p99<50ms'",
        "loadtest merge",
        "Exit codes:",
        "3  bad arguments",
    ] {
        assert!(done.stdout.contains(part), "{part}");
    }
    let run = loadtest("run --help").stdout;
    for part in [
        "--yes-really-load",
        "--shard",
        "--stalled-viewers",
        "--database-url",
        "Deployment:",
        "Examples:",
    ] {
        assert!(run.contains(part), "{part}");
    }
}
