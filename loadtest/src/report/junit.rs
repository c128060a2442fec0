//! The verdict as a JUnit file, which CI systems show beside other tests: one case for the audit, the
//! schedule, the share of errors and each threshold.

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use crate::audit::result::AuditVerdict;
use crate::report::data::Report;
use crate::report::verdict::{EXIT_OK, errors_reason, schedule_reason};

/// Formats the verdict of a report.
///
/// # Errors
/// Returns an error if the text cannot be made.
pub(crate) fn to_junit(report: &Report) -> anyhow::Result<String> {
    let mut suite = TestSuite::new("loadtest");
    suite.add_test_case(match report.audit.verdict {
        AuditVerdict::Balanced | AuditVerdict::Partial => case("audit", None),
        AuditVerdict::Skipped => TestCase::new("audit", TestCaseStatus::skipped()),
        AuditVerdict::Violated => case("audit", Some(report.verdict.reasons.join("; "))),
        // The audit could not be made, which is no fault of the deployment.
        AuditVerdict::Void | AuditVerdict::Incomplete => {
            failed("audit", NonSuccessKind::Error, &report.audit.notes.join(" "))
        }
    });
    let schedule = report.schedule.void.then(|| schedule_reason(report));
    for (name, reason) in [("schedule", schedule), ("errors", errors_reason(report))] {
        suite.add_test_case(case(name, reason));
    }
    for slo in &report.slos {
        let measured = slo.measured.as_deref().unwrap_or("nothing");
        let why = slo.not_judged.clone().unwrap_or_else(|| format!("measured {measured}"));
        suite.add_test_case(case(&slo.slo, (!slo.kept).then_some(why)));
    }
    // Whatever else speaks against the run is in its reasons.
    let other = (report.verdict.exit_code != EXIT_OK).then(|| report.verdict.reasons.join("; "));
    suite.add_test_case(case("verdict", other));
    let mut document = Document::new("votestream loadtest");
    document.add_test_suite(suite);
    Ok(document.to_string()?)
}

fn case(name: &str, failure: Option<String>) -> TestCase {
    match failure {
        None => TestCase::new(name, TestCaseStatus::success()),
        Some(why) => failed(name, NonSuccessKind::Failure, &why),
    }
}

fn failed(name: &str, kind: NonSuccessKind, why: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(why);
    TestCase::new(name, status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::data::SloResult;

    #[test]
    fn a_missed_threshold_is_a_failure() {
        let mut report = Report::default();
        let slo = |slo: &str, kept| SloResult { slo: slo.to_owned(), kept, ..SloResult::default() };
        report.slos = vec![slo("p99<50ms", false), slo("rate>5/s", true)];
        report.verdict.exit_code = 1;
        report.verdict.reasons = vec!["p99<50ms missed".to_owned()];
        let text = to_junit(&report).unwrap();
        assert!(text.contains(r#"tests="6" skipped="1" failures="2" errors="0""#), "{text}");
        assert!(text.contains("p99&lt;50ms"), "{text}");
    }
}
