//! The audit finds every planted mistake, names it, and exits with code 2.

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
    assert!(
        done.stdout.contains("OK: 200 acknowledged voters, every one counted once"),
        "{}",
        done.stdout
    );
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
fn invented_ballot_is_a_phantom() {
    let (code, text, findings) = found(Fault::Invent);
    assert_eq!((code, findings), (2, Findings { phantom: 1, ..Findings::default() }), "{text}");
    assert!(text.contains("1 phantom: counted, never cast"), "{text}");
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
