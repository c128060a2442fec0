//! Viewers, the crowd of the song contest, the journal, and an operator who ends a run.

use std::process::Stdio;
use std::time::{Duration, Instant};

use votestream_loadtest::Outcome;

use crate::fake::{Fake, Fault};
use crate::tool::{Folder, command, done, report, run};

#[test]
fn viewers_see_every_vote_and_how_late() {
    let fake = Fake::with(Fault::None);
    let load = "--rate 200 --duration 2s --warm-up 0s --viewers 300 --stalled-viewers 20 \
                --slo click_to_screen_p99<2s --slo first_state_p99<5s";
    let (done, report) = run(&fake.url(), load);
    assert_eq!(done.code, 0, "{}", done.stdout);
    let viewers = report.viewers.unwrap();
    assert_eq!((viewers.watching, viewers.with_state, viewers.stalled), (300, 300, 20));
    assert_eq!(
        (viewers.reconnects, viewers.regressions, viewers.gaps, viewers.connect_failures),
        (0, 0, 0, 0)
    );
    assert!(viewers.frames > 300 * 10, "{} frames", viewers.frames);
    let screen = report.screen.unwrap();
    assert_eq!((screen.from_click.count, screen.never_shown), (400, 0));
    // The deployment sends a frame every 100 ms at most, so ballots wait for about half of that.
    let median = screen.from_acknowledgement.named_us("p50");
    assert!((10_000..150_000).contains(&median), "{median}");
}

#[test]
fn ten_thousand_viewers_fit_into_64_mib() {
    let fake = Fake::with(Fault::None);
    let load = "--rate 20 --duration 1s --warm-up 0s --viewers 9000 --viewers-per-second 4000";
    let (done, report) = run(&fake.url(), load);
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    assert_eq!(report.viewers.unwrap().with_state, 9000, "{}", done.stdout);
    let mib = report.generator.resident_bytes_max as f64 / f64::from(1 << 20);
    assert!(mib / 9000.0 * 10_000.0 < 64.0, "{mib:.1} MiB");
}

#[test]
fn junior_eurovision_sends_its_whole_crowd() {
    let fake = Fake::with(Fault::None);
    let (done, report) = run(&fake.url(), "--profile junior-eurovision --voters 3000");
    assert_eq!(done.code, 0, "{}", done.stdout);
    assert_eq!(
        (report.schedule.intended, report.audit.acknowledged_voters, fake.voters()),
        (3000, 3000, 3000)
    );
}

#[test]
fn plan_of_ones_own_is_followed_phase_by_phase() {
    let fake = Fake::with(Fault::None);
    let folder = Folder::new();
    let plan = folder.join("plan.toml");
    let text = "name = 'two waves'\narrivals = 'constant'\n\
                [[phase]]\nname = 'first'\nseconds = 0.5\nrate = 200\n\
                [[phase]]\nname = 'pause'\nseconds = 0.5\nrate = 0\n\
                [[phase]]\nname = 'second'\nseconds = 0.5\nrate_from = 0\nrate_to = 400\n";
    std::fs::write(&plan, text).unwrap();
    let (done, report) = run(&fake.url(), &format!("--plan {}", plan.display()));
    assert_eq!((done.code, fake.voters()), (0, 200), "{}", done.stdout);
    let phases = report.phases.iter().map(|phase| (phase.name.as_str(), phase.acknowledged));
    assert_eq!(phases.collect::<Vec<_>>(), [("first", 100), ("pause", 0), ("second", 100)]);
    let sent = report.series.points.iter().map(|point| point.sent).collect::<Vec<_>>();
    assert_eq!(sent[6..9], [0, 0, 0], "{sent:?}");
}

#[test]
fn interrupt_ends_the_load_early_and_still_reports() {
    ended_by(rustix::process::Signal::INT);
}

#[test]
fn a_terminal_that_closes_ends_the_load_like_an_interrupt() {
    ended_by(rustix::process::Signal::HUP);
}

fn ended_by(signal: rustix::process::Signal) {
    let fake = Fake::with(Fault::None);
    let folder = Folder::new();
    let json = folder.join("report.json");
    let url = fake.url();
    let line = format!(
        "run --target {url} --results {url} --rate 200 --duration 24h --settle 200ms --json {}",
        json.display()
    );
    let child = command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while fake.voters() < 500 {
        assert!(Instant::now() < deadline, "no load came");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, signal).unwrap();
    let done = done(child.wait_with_output().unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let report = report(&json);
    assert!(report.setup.ended_early);
    // A long plan that was stopped after seconds still shows every second.
    assert_eq!(report.series.interval_seconds, 1.0);
    assert!(report.series.points.len() > 2, "{} intervals", report.series.points.len());
    assert_eq!(report.audit.acknowledged_voters, fake.voters());
}

#[test]
fn the_journal_has_every_ballot_as_it_is_answered() {
    let fake = Fake::with(Fault::UnavailableButCounted);
    let folder = Folder::new();
    let journal = folder.join("journal");
    let line = format!("--rate 100 --duration 1s --mix page=50% --journal {}", journal.display());
    let (_, report) = run(&fake.url(), &line);
    let text = std::fs::read_to_string(journal).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line["number"], at + 1, "in the order of their numbers");
    }
    let of = |outcome: &str| lines.iter().filter(|line| line["outcome"] == outcome).count() as u64;
    assert_eq!(of("acknowledged"), report.outcome(Outcome::Acknowledged));
    assert_eq!(of("unavailable"), report.outcome(Outcome::Unavailable));
    assert!(of("unavailable") > 0);
    let named = |line: &&serde_json::Value| line["outcome"] == "acknowledged";
    for line in lines.iter().filter(named) {
        assert_eq!(line["voter"].as_str().unwrap().len(), 32);
        assert!(matches!(line["choices"].as_u64(), Some(1 | 2)), "{line}");
    }
}
