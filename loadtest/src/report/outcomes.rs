//! Counts requests by the class of their outcome.

use crate::report::data::Report;
use crate::voters::outcome::{Outcome, OutcomeClass};

/// Returns the number of requests of each class, with the name of the class.
pub(crate) fn by_class(report: &Report) -> [(&'static str, u64); 4] {
    let sum = |class: OutcomeClass| {
        Outcome::ALL.into_iter().filter(|o| o.class() == class).map(|o| report.outcome(o)).sum()
    };
    [
        ("acknowledged", sum(OutcomeClass::Acknowledged)),
        ("refused", sum(OutcomeClass::Refused)),
        ("indeterminate", sum(OutcomeClass::Indeterminate)),
        ("not sent", sum(OutcomeClass::Unsent)),
    ]
}
