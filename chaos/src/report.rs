//! The results of a run, and the judgement whether every promise was kept.

pub(crate) mod html;
pub(crate) mod markdown;
mod timeline;

use std::collections::BTreeMap;

use votestream_loadtest::{Findings, NamedFinding};

use crate::audit::ReceiptCheck;
use crate::overview::OverviewVerdict;
use crate::probe::Recovery;
use crate::sampler::{Memory, Outcomes, Sample};
use crate::schedule::Step;

/// The exit code of a run in which every promise was kept.
pub const EXIT_OK: u8 = 0;
/// The exit code of a run that could not be carried out.
pub const EXIT_FAILED: u8 = 1;
/// The exit code of a run in which a promise was broken.
pub const EXIT_BROKEN: u8 = 2;

/// The course of one step of the schedule. Times are in seconds since the load began.
#[derive(Debug)]
pub(crate) struct StepReport {
    pub(crate) step: Step,
    /// The time at which its faults were injected.
    pub(crate) struck_s: f64,
    /// The time at which its faults were healed.
    pub(crate) healed_s: f64,
    /// The time at which everything had recovered, or the wait for that was given up.
    pub(crate) over_s: f64,
    /// The answers from the injection until the step was over.
    pub(crate) outcomes: Outcomes,
    pub(crate) recovery: Recovery,
    /// Remarks of the injection and the healing.
    pub(crate) notes: Vec<String>,
    /// The reason why no fault of the step was injected.
    pub(crate) skipped: Option<String>,
}

/// The results of a whole run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) command: String,
    pub(crate) started_at: String,
    pub(crate) machine: String,
    /// The time from the first ballot to the last in seconds.
    pub(crate) load_s: f64,
    /// The time in seconds from the end of the load until all was counted; `None` if that did not happen.
    pub(crate) drain_s: Option<f64>,
    pub(crate) rate: f64,
    pub(crate) steps: Vec<StepReport>,
    /// The number of steps of the schedule for which there was no time.
    pub(crate) not_reached: usize,
    pub(crate) samples: Vec<Sample>,
    pub(crate) outcomes: Outcomes,
    pub(crate) findings: Findings,
    pub(crate) named: Vec<NamedFinding>,
    /// The number of voters whose ballot was acknowledged, those of the harness included.
    pub(crate) acknowledged: u64,
    /// The number of 503 answers without `Retry-After`.
    pub(crate) unexplained: u64,
    pub(crate) memory: BTreeMap<&'static str, Memory>,
    pub(crate) memory_max_bytes: u64,
    pub(crate) starts: BTreeMap<&'static str, u64>,
    /// Descriptions of services that ended though they should run.
    pub(crate) unexpected_exits: Vec<String>,
    /// Descriptions of wrong answers to the ballots of the harness.
    pub(crate) wrong: Vec<String>,
    /// The number of polls that closed during the run.
    pub(crate) polls_closed: u64,
    /// Descriptions of results that were called final without an acknowledged ballot.
    pub(crate) falsely_final: Vec<String>,
    /// Descriptions of polls that closed and were not called final everywhere.
    pub(crate) never_final: Vec<String>,
    /// What the looks at the overview dashboard have found.
    pub(crate) overview: OverviewVerdict,
    /// The first few replies to the load that no voter should get.
    pub(crate) replies: Vec<String>,
    pub(crate) dead_letters: u64,
    pub(crate) poisoned: u64,
    /// The output of `votectl audit`, if it fails.
    pub(crate) votectl_imbalance: Option<String>,
    /// The difference between the tally on the dashboard and that in Postgres.
    pub(crate) dashboard_mismatch: Option<String>,
    /// The receipts of voters, looked for in the public log.
    pub(crate) receipts: ReceiptCheck,
    /// The number of times that a viewer reconnected.
    pub(crate) reconnects: u64,
    /// The number of tallies that were lower than an earlier one at the same viewer.
    pub(crate) regressions: u64,
    pub(crate) verdict: RunVerdict,
}

/// The judgement of a run: its exit code, its headline, and the promises that were broken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RunVerdict {
    pub(crate) exit_code: u8,
    pub(crate) headline: String,
    pub(crate) reasons: Vec<String>,
}

impl Report {
    /// Judges the run. The reasons are the broken promises, with the worst first.
    pub(crate) fn judge(&self) -> RunVerdict {
        let found = &self.findings;
        // Numbers that must be zero.
        let mut reasons: Vec<String> = [
            (found.lost, "acknowledged ballots lost"),
            (found.duplicated, "votes counted more than once"),
            (found.phantom, "votes counted that nobody cast"),
            (
                found.wrong_choice,
                "votes counted for another choice than the one that the voter cast",
            ),
            (self.falsely_final.len() as u64, "results falsely called final"),
            (
                self.overview.falsely_well.len() as u64,
                "figures of the overview that looked well while their service was silent",
            ),
            (self.outcomes.server_errors, "answers 5xx other than 503"),
            (self.unexplained, "answers 503 without Retry-After"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
        reasons.extend(self.falsely_final.iter().cloned());
        reasons.extend(self.never_final.iter().cloned());
        reasons.extend(self.overview.falsely_well.iter().cloned());
        reasons.extend(self.wrong.iter().map(|wrong| format!("a wrong answer: {wrong}")));
        // Recoveries and resources.
        if self.drain_s.is_none() {
            reasons.push("not all acknowledged ballots were counted in time".to_owned());
        }
        reasons.extend(self.steps.iter().filter_map(StepReport::unrecovered));
        reasons.extend(self.unexpected_exits.iter().cloned());
        let fat = self.memory.iter().filter(|(_, m)| m.max_bytes > self.memory_max_bytes);
        reasons.extend(fat.map(|(service, memory)| {
            let (most, allowed) = (mib(memory.max_bytes), mib(self.memory_max_bytes));
            format!("{service} used {most} MiB of resident memory, allowed are {allowed} MiB")
        }));
        // Other records that must agree.
        if self.dead_letters != self.poisoned {
            reasons.push(format!(
                "{} dead letters, but {} malformed entries",
                self.dead_letters, self.poisoned
            ));
        }
        if self.regressions > 0 {
            reasons.push(format!("viewers saw {} tallies go back", self.regressions));
        }
        reasons.extend(self.votectl_imbalance.iter().map(|why| format!("votectl audit: {why}")));
        reasons.extend(self.dashboard_mismatch.iter().cloned());
        if !self.receipts.is_restored {
            reasons.extend(self.receipts.fault.iter().map(|why| format!("votectl verify: {why}")));
        }
        // The verdict follows from the reasons.
        let struck = self.steps.iter().filter(|step| step.skipped.is_none()).count();
        let (exit_code, headline) = if reasons.is_empty() {
            let text = format!(
                "KEPT: {} ballots acknowledged under {struck} faults, every one counted once, and {} polls closed, none of \
                 them falsely final",
                self.acknowledged, self.polls_closed
            );
            (EXIT_OK, text)
        } else {
            (EXIT_BROKEN, format!("BROKEN: {}", reasons[0]))
        };
        RunVerdict { exit_code, headline, reasons }
    }
}

impl StepReport {
    /// Describes the part that did not recover, if there is one.
    fn unrecovered(&self) -> Option<String> {
        if self.skipped.is_some() || self.recovery.is_complete() {
            return None;
        }
        let Recovery { answered, counted, caught_up, ready } = self.recovery;
        let missing = match (answered, counted, caught_up, ready) {
            (None, ..) => "no ballot was acknowledged again",
            (_, None, ..) => "no new ballot was counted",
            (_, _, None, _) => "not all ballots accepted before were counted",
            _ => "not every service was ready again",
        };
        let waited = self.over_s - self.healed_s;
        Some(format!("{waited:.0} s after {} was healed, {missing}", self.step.title()))
    }
}

/// Converts bytes to mebibytes, rounded to the nearest.
pub(crate) fn mib(bytes: u64) -> u64 {
    (bytes + (1 << 19)) >> 20
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fault::Fault;
    use crate::overview::Looks;
    use crate::schedule::Strike;

    /// A run in which every promise was kept.
    pub(crate) fn kept() -> Report {
        let soon = Some(Duration::from_millis(300));
        let step = Step {
            at: Duration::from_secs(2),
            strikes: vec![Strike { fault: Fault::KillConsumer, target: "consumer-1" }],
            hold: Duration::from_secs(2),
        };
        let outcomes = |n| Outcomes { acknowledged: n, unavailable: n / 50, ..Outcomes::default() };
        let sample = |n: u64| Sample {
            at_s: n as f64 / 2.0,
            outcomes: outcomes(100 * n),
            backlog: (n != 3).then_some(n),
        };
        Report {
            seed: 7,
            command: "make chaos SEED=7".to_owned(),
            started_at: "2026-01-02T03:04:05Z".to_owned(),
            machine: "2 cores".to_owned(),
            load_s: 10.0,
            drain_s: Some(0.5),
            rate: 200.0,
            steps: vec![StepReport {
                step,
                struck_s: 2.0,
                healed_s: 4.0,
                over_s: 4.5,
                outcomes: outcomes(400),
                recovery: Recovery { answered: soon, counted: soon, caught_up: soon, ready: soon },
                notes: vec!["a <note>".to_owned()],
                skipped: None,
            }],
            not_reached: 0,
            samples: (0..20).map(sample).collect(),
            outcomes: outcomes(1_900),
            findings: Findings::default(),
            named: Vec::new(),
            acknowledged: 1_901,
            unexplained: 0,
            memory: BTreeMap::from([("producer-1", Memory::default())]),
            memory_max_bytes: 256 << 20,
            starts: BTreeMap::from([("producer-1", 2)]),
            unexpected_exits: Vec::new(),
            wrong: Vec::new(),
            polls_closed: 4,
            falsely_final: Vec::new(),
            never_final: Vec::new(),
            overview: OverviewVerdict {
                looks: BTreeMap::from([(
                    "Viewers".to_owned(),
                    Looks { all: 10, well: 7, in_silence: 3 },
                )]),
                ..OverviewVerdict::default()
            },
            replies: Vec::new(),
            dead_letters: 3,
            poisoned: 3,
            votectl_imbalance: None,
            dashboard_mismatch: None,
            receipts: ReceiptCheck { kept: 1_700, fault: None, is_restored: false },
            reconnects: 0,
            regressions: 0,
            verdict: RunVerdict::default(),
        }
    }

    /// Each promise that is broken alone leads to exit code 2 and is named in the reasons.
    #[test]
    fn every_broken_promise_fails_the_run() {
        assert_eq!(kept().judge().exit_code, EXIT_OK, "{:?}", kept().judge().reasons);
        type Break = (fn(&mut Report), &'static str);
        let breaks: [Break; 18] = [
            (|r| r.overview.falsely_well.push("`Viewers` showed 3".to_owned()), "looked well"),
            (|r| r.findings.lost = 1, "lost"),
            (|r| r.findings.duplicated = 1, "more than once"),
            (|r| r.findings.phantom = 1, "nobody cast"),
            (|r| r.findings.wrong_choice = 1, "another choice"),
            (|r| r.falsely_final.push("the page said".to_owned()), "falsely called final"),
            (|r| r.never_final.push("poll p is not final".to_owned()), "not final"),
            (|r| r.outcomes.server_errors = 1, "5xx"),
            (|r| r.unexplained = 1, "Retry-After"),
            (|r| r.wrong.push("status 500".to_owned()), "status 500"),
            (|r| r.drain_s = None, "counted in time"),
            (|r| r.steps[0].recovery.caught_up = None, "accepted before"),
            (|r| r.unexpected_exits.push("producer-1 ended by itself".to_owned()), "by itself"),
            (|r| r.memory.get_mut("producer-1").unwrap().max_bytes = 300 << 20, "300 MiB"),
            (|r| r.dead_letters = 4, "dead letters"),
            (|r| r.regressions = 1, "go back"),
            (|r| r.votectl_imbalance = Some("DIFFERENT".to_owned()), "DIFFERENT"),
            (|r| r.receipts.fault = Some("EVIDENCE".to_owned()), "EVIDENCE"),
        ];
        for (break_it, word) in breaks {
            let mut report = kept();
            break_it(&mut report);
            let verdict = report.judge();
            assert_eq!(verdict.exit_code, EXIT_BROKEN, "{word}");
            assert!(verdict.reasons.iter().any(|reason| reason.contains(word)), "{verdict:?}");
        }
    }

    /// A restored database is one without the log of the last seconds, which receipts are made to show.
    #[test]
    fn receipts_that_show_a_restored_database_are_no_broken_promise() {
        let mut report = kept();
        report.receipts.fault = Some("EVIDENCE".to_owned());
        report.receipts.is_restored = true;
        assert_eq!(report.judge().exit_code, EXIT_OK);
    }

    #[test]
    fn a_fault_that_this_machine_does_not_allow_is_no_broken_promise() {
        let mut report = kept();
        report.steps[0].skipped = Some("mount: permission denied".to_owned());
        report.steps[0].recovery = Recovery::default();
        assert_eq!(report.judge().exit_code, EXIT_OK);
    }
}
