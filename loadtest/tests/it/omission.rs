//! The load tester does not wait for the target: if the target stalls, the waiting time shows in
//! the quantiles.

use std::time::Duration;

use crate::fake::{Fake, Fault};
use crate::tool::run;

#[test]
fn stall_of_a_second_shows_in_the_quantiles() {
    assert_shows_stall(512);
}

#[test]
fn stall_of_a_second_shows_however_few_the_connections() {
    assert_shows_stall(4);
}

fn assert_shows_stall(connections: usize) {
    let fake = Fake::with(Fault::Stall(Duration::from_secs(1)));
    let load = format!("--rate 200 --duration 3s --warm-up 0s --connections-max {connections}");
    let (done, report) = run(&fake.url(), &load);
    assert_eq!(done.code, 0, "{}", done.stdout);
    let latency = &report.ballots.latency;
    // A third of the voters arrive during the stall and wait from 0 to 1 s. A load tester that
    // waits for replies would have seen at most one slow ballot per connection.
    assert_eq!(latency.count, 600);
    let [p50, p90, p99] = ["p50", "p90", "p99"].map(|name| latency.named_us(name));
    assert!(p50 < 150_000, "{:?}", latency.quantiles_us);
    assert!((500_000..950_000).contains(&p90), "{:?}", latency.quantiles_us);
    assert!((850_000..1_500_000).contains(&p99), "{:?}", latency.quantiles_us);
}

#[test]
fn schedule_that_cannot_be_kept_voids_the_run() {
    let fake = Fake::with(Fault::Slow(Duration::from_millis(20)));
    let (done, report) =
        run(&fake.url(), "--rate 200 --duration 1s --warm-up 0s --connections-max 1");
    assert_eq!((done.code, report.schedule.void), (1, true), "{}", done.stdout);
    assert!(report.schedule.achieved_ratio.unwrap() < 0.5);
    assert!(done.stdout.contains("VOID") && done.stdout.contains("connections"), "{}", done.stdout);
    // The latencies are still right: the last voters waited for all voters before them.
    assert!(
        report.ballots.latency.named_us("max") > 1_500_000,
        "{:?}",
        report.ballots.latency.quantiles_us
    );
}

#[test]
fn missed_threshold_is_exit_code_1() {
    let fake = Fake::with(Fault::Slow(Duration::from_millis(3)));
    let load = "--rate 120 --duration 1s --warm-up 0s --slo p99<1ms --slo p50<1s --slo errors<0.1%";
    let (done, report) = run(&fake.url(), load);
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert_eq!(report.slos.iter().map(|slo| slo.kept).collect::<Vec<_>>(), [false, true, true]);
    assert!(done.stdout.contains("p99<1ms missed: measured"), "{}", done.stdout);
}

#[test]
fn steps_find_the_knee_and_stop_behind_it() {
    // One ballot takes 2 ms, so there are at most 500 a second.
    let fake = Fake::with(Fault::Slow(Duration::from_millis(2)));
    let load = "--profile step --rate 1500 --steps 10 --duration 10s --warm-up 0s --slo p99<100ms --timeout 3s";
    let (done, report) = run(&fake.url(), load);
    let knee = report.knee.unwrap();
    let rate = knee.rate_per_second.unwrap();
    assert!(knee.found && (150.0..=500.0).contains(&rate), "{knee:?}\n{}", done.stdout);
    assert_eq!(done.code, 0, "the limit is the steps', not the run's: {}", done.stdout);
    assert!(report.phases.len() < 8, "the load went on to step {}", report.phases.len());
    assert!(!report.setup.ended_early);
}

#[test]
fn closed_model_keeps_its_connections_busy() {
    let fake = Fake::with(Fault::Slow(Duration::from_millis(1)));
    let (done, report) = run(&fake.url(), "--connections 4 --duration 1s --warm-up 0s");
    assert_eq!(done.code, 0, "{}", done.stdout);
    assert_eq!(report.schedule.achieved_ratio, None);
    let rate = report.ballots.acknowledged_per_second;
    assert!((200.0..1100.0).contains(&rate), "{rate}");
}
