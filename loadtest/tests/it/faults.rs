//! The audit finds every planted mistake, names it, and exits with code 2.

use std::time::Duration;

use votestream_loadtest::{AuditVerdict, Findings};

use crate::fake::{Fake, Fault, Policy};
use crate::tool::run;

const LOAD: &str = "--rate 200 --duration 1s --warm-up 0s";

fn found(fault: Fault) -> (i32, String, Findings) {
    let fake = Fake::with(fault);
    let (done, report) = run(&fake.url(), LOAD);
    assert_eq!(report.verdict.exit_code, u8::try_from(done.code).unwrap());
    (done.code, done.stdout, report.audit.findings)
}

#[test]
fn honest_target_is_balanced() {
    let fake = Fake::with(Fault::None);
    let (done, report) = run(&fake.url(), LOAD);
    assert_eq!((done.code, report.audit.verdict), (0, AuditVerdict::Balanced), "{}", done.stdout);
    assert_eq!(report.audit.findings, Findings::default());
    assert_eq!((report.audit.acknowledged_voters, fake.voters()), (200, 200));
    let headline = "OK: 200 acknowledged voters, and the tally gained their votes (sums over HTTP)";
    assert!(done.stdout.contains(headline), "{}", done.stdout);
    assert!(done.stdout.contains("The tally was watched for"), "{}", done.stdout);
}

#[test]
fn dropped_ballot_is_lost() {
    let (code, text, findings) = found(Fault::Drop);
    assert_eq!((code, findings), (2, Findings { lost: 1, ..Findings::default() }), "{text}");
    assert!(text.contains("1 lost: acknowledged, not counted"), "{text}");
}

#[test]
fn ballot_counted_twice_is_duplicated() {
    let (code, text, findings) = found(Fault::CountTwice);
    assert_eq!((code, findings), (2, Findings { duplicated: 1, ..Findings::default() }), "{text}");
    assert!(text.contains("1 duplicated: counted more than once"), "{text}");
}

#[test]
fn ballot_counted_again_after_the_drain_is_duplicated() {
    let fake = Fake::with(Fault::CountTwiceLate);
    let (done, report) = run(&fake.url(), &format!("{LOAD} --settle 4s"));
    assert_eq!((done.code, report.audit.findings.duplicated), (2, 1), "{}", done.stdout);
}

#[test]
fn invented_ballot_may_be_somebody_elses_over_http() {
    let (code, text, findings) = found(Fault::Invent);
    assert_eq!((code, findings), (1, Findings::default()), "{text}");
    assert!(text.contains("Others voted: 1 vote is counted more"), "{text}");
}

#[test]
fn swapped_choice_is_a_wrong_choice() {
    let (code, text, findings) = found(Fault::Swap);
    assert_eq!(
        (code, findings),
        (2, Findings { wrong_choice: 1, ..Findings::default() }),
        "{text}"
    );
    assert!(text.contains("1 wrong choice"), "{text}");
}

#[test]
fn unavailable_but_counted_is_indeterminate_and_no_fault() {
    let fake = Fake::with(Fault::UnavailableButCounted);
    let (done, report) = run(&fake.url(), LOAD);
    let expected = Findings { indeterminate_counted: 1, ..Findings::default() };
    assert_eq!((done.code, report.audit.findings), (0, expected), "{}", done.stdout);
    assert_eq!(report.audit.indeterminate_voters, 1);
}

#[test]
fn other_peoples_votes_make_the_audit_void() {
    let fake = Fake::with(Fault::OthersVote);
    let (done, report) = run(&fake.url(), LOAD);
    assert_eq!((done.code, report.audit.verdict), (1, AuditVerdict::Void), "{}", done.stdout);
    assert!(done.stdout.contains("somebody else votes"), "{}", done.stdout);
}

#[test]
fn others_who_vote_during_the_load_are_no_phantoms() {
    let fake = Fake::with(Fault::OthersVoteLater(31));
    let (done, report) = run(&fake.url(), LOAD);
    assert_eq!((done.code, report.audit.verdict), (1, AuditVerdict::Void), "{}", done.stdout);
    assert_eq!((report.audit.findings, report.audit.surplus), (Findings::default(), 31));
    assert!(done.stdout.contains("VOID: audit void"), "{}", done.stdout);
}

#[test]
fn a_tally_that_never_stands_still_is_void() {
    let fake = Fake::with(Fault::OthersKeepVoting);
    let (done, report) = run(&fake.url(), LOAD);
    assert_eq!((done.code, report.audit.verdict), (1, AuditVerdict::Void), "{}", done.stdout);
    assert!(done.stdout.contains("has not stood still"), "{}", done.stdout);
}

#[test]
fn ballots_that_still_wait_are_incomplete_and_not_lost() {
    let fake = Fake::with(Fault::Wait);
    let (done, report) = run(&fake.url(), LOAD);
    assert_eq!((done.code, report.audit.verdict), (5, AuditVerdict::Incomplete), "{}", done.stdout);
    assert_eq!((report.audit.findings, report.audit.missing), (Findings::default(), 151));
    let waiting = report.audit.after.unwrap().waiting;
    assert_eq!(waiting, Some(151), "{}", done.stdout);
    for part in
        ["INCOMPLETE: 200 acknowledged voters, 151 not counted yet", "151 accepted ballots wait"]
    {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
}

#[test]
fn a_target_that_accepts_nothing_is_not_ok() {
    for (status, word) in [
        (503, "200 unavailable (503)"),
        (403, "200 refused: forbidden (403)"),
        (301, "200 redirected (3xx), to https://vote.example/x"),
    ] {
        let fake = Fake::with(Fault::Answer(status));
        let (done, report) = run(&fake.url(), LOAD);
        assert_eq!((done.code, report.verdict.exit_code), (1, 1), "{status}: {}", done.stdout);
        let headline = "VOID: nothing was acknowledged; 200 wrong outcomes (100.000%)";
        assert_eq!(report.verdict.headline, headline, "{status}");
        assert!(done.stdout.contains(word), "{status}: {}", done.stdout);
        assert!(!done.stdout.contains("no reply in time"), "{status}: {}", done.stdout);
    }
}

#[test]
fn more_wrong_outcomes_than_allowed_are_missed() {
    let fake = Fake::with(Fault::UnavailableButCounted);
    let (done, _) = run(&fake.url(), &format!("{LOAD} --errors-max 0.1%"));
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert!(
        done.stdout.contains("0.500% of the outcomes were wrong, 0.100% are allowed"),
        "{}",
        done.stdout
    );
}

#[test]
fn an_audit_that_could_not_be_made_is_not_ok() {
    let fake = Fake::with(Fault::Hidden);
    let (done, report) = run(&fake.url(), LOAD);
    assert_eq!((done.code, report.audit.verdict), (1, AuditVerdict::Void), "{}", done.stdout);
    assert!(done.stdout.contains("There is no tally to compare"), "{}", done.stdout);
    let blind = format!("run --target {} {LOAD}", fake.url());
    assert_eq!(crate::tool::loadtest(&blind).code, 1);
    let done = crate::tool::loadtest(&format!("{blind} --no-audit"));
    assert_eq!(done.code, 0, "{}", done.stdout);
    assert!(done.stdout.contains("OK: not audited"), "{}", done.stdout);
}

#[test]
fn replies_of_proxies_are_read() {
    let fake = Fake::with(Fault::Proxy);
    let (done, report) = run(&fake.url(), "--rate 50 --duration 1s --warm-up 0s --mix form=30%");
    assert_eq!((done.code, report.audit.verdict), (0, AuditVerdict::Balanced), "{}", done.stdout);
    assert_eq!((report.ballots.errors, fake.voters()), (0, 50));
}

#[test]
fn connections_that_the_server_closes_when_idle_are_opened_again() {
    let fake = Fake::with(Fault::Idle(Duration::from_millis(100)));
    let (done, report) =
        run(&fake.url(), "--rate 5 --duration 2s --warm-up 0s --arrivals constant");
    assert_eq!((done.code, report.ballots.errors), (0, 0), "{}", done.stdout);
}

#[test]
fn unusual_voters_are_audited_under_both_policies() {
    let mix = "--mix twice=20%,change=20%,other-connection=20%,rubbish=10%,hang-up=10%,page=30%,form=30%,fresh=20%";
    for policy in [Policy::KeepFirst, Policy::Replace] {
        let fake = Fake::start(Fault::None, policy, "open");
        let (done, report) = run(
            &fake.url(),
            &format!("--rate 400 --duration 1s --warm-up 0s {mix} --slo errors<=0%"),
        );
        assert_eq!(
            (done.code, report.audit.verdict),
            (0, AuditVerdict::Balanced),
            "{policy:?}\n{}",
            done.stdout
        );
        assert!(
            report.audit.indeterminate_voters > 10,
            "{policy:?}: hung up {}",
            report.audit.indeterminate_voters
        );
        let counted =
            report.audit.acknowledged_voters + report.audit.findings.indeterminate_counted;
        assert_eq!(counted, fake.voters());
        let second = report.ballots.outcomes.get("refused_already_voted").copied().unwrap_or(0);
        assert_eq!(second > 100, policy == Policy::KeepFirst, "{policy:?}: {second} refused");
        assert!(fake.requests("GET /polls/") > 100 && fake.requests("POST /polls/") > 50);
    }
}
