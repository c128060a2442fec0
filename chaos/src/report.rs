//! What a run came to; everything that the pages show.

use std::collections::BTreeMap;

use votestream_loadtest::{Findings, Named};

use crate::probe::Recovery;
use crate::sampler::{Memory, Outcomes, Sample};
use crate::schedule::Step;

/// Exit code: every promise was kept.
pub const EXIT_OK: u8 = 0;
/// Exit code: the run could not be made.
pub const EXIT_FAILED: u8 = 1;
/// Exit code: a promise was broken.
pub const EXIT_BROKEN: u8 = 2;

/// One step as it went.
#[derive(Debug)]
pub(crate) struct StepReport {
    pub(crate) step: Step,
    /// When it struck, since the load began, in seconds.
    pub(crate) struck_s: f64,
    /// When it was healed.
    pub(crate) healed_s: f64,
    /// When things were as before, or that was given up.
    pub(crate) over_s: f64,
    /// Answers from the strike until it was over.
    pub(crate) outcomes: Outcomes,
    pub(crate) recovery: Recovery,
    /// What there is to say of it.
    pub(crate) notes: Vec<String>,
    /// Why it was not done.
    pub(crate) skipped: Option<String>,
}

/// A whole run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) command: String,
    pub(crate) started_at: String,
    pub(crate) machine: String,
    /// From the first ballot to the last, in seconds.
    pub(crate) load_s: f64,
    /// From the end of the load until all was counted.
    pub(crate) drain_s: Option<f64>,
    pub(crate) rate: f64,
    pub(crate) steps: Vec<StepReport>,
    /// Steps of the schedule that the time did not suffice for.
    pub(crate) not_reached: usize,
    pub(crate) samples: Vec<Sample>,
    pub(crate) outcomes: Outcomes,
    pub(crate) findings: Findings,
    pub(crate) named: Vec<Named>,
    /// Voters who were told yes, those of the harness included.
    pub(crate) acknowledged: u64,
    /// 503s that did not say when to try again.
    pub(crate) unexplained: u64,
    pub(crate) memory: BTreeMap<&'static str, Memory>,
    pub(crate) memory_max_bytes: u64,
    pub(crate) starts: BTreeMap<&'static str, u64>,
    /// Services that ended though nobody wished it.
    pub(crate) deaths: Vec<String>,
    /// Wrong answers to the harness's own ballots.
    pub(crate) wrong: Vec<String>,
    /// Replies to the load that should not have been, as they came, the first few.
    pub(crate) replies: Vec<String>,
    pub(crate) dead_letters: u64,
    pub(crate) poisoned: u64,
    /// Why `votectl audit` does not balance.
    pub(crate) unbalanced: Option<String>,
    /// How the dashboard's tally differs from Postgres'.
    pub(crate) misshown: Option<String>,
    /// Reconnects of viewers.
    pub(crate) reconnects: u64,
    /// Tallies that a viewer saw go back.
    pub(crate) regressions: u64,
    pub(crate) verdict: Verdict,
}

/// The verdict and its reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) exit_code: u8,
    pub(crate) headline: String,
    pub(crate) reasons: Vec<String>,
}

impl Report {
    /// Every promise that was broken, the worst first.
    pub(crate) fn judge(&self) -> Verdict {
        let found = &self.findings;
        let mut reasons: Vec<String> = [
            (found.lost, "acknowledged ballots lost"),
            (found.duplicated, "votes counted more than once"),
            (found.phantom, "votes counted that nobody cast"),
            (found.wrong_choice, "votes counted for another choice than the one that stands"),
            (self.outcomes.server_errors, "answers 5xx other than 503"),
            (self.unexplained, "answers 503 without Retry-After"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        reasons.extend(self.wrong.iter().map(|wrong| format!("a wrong answer: {wrong}")));
        if self.drain_s.is_none() {
            reasons.push("what was acknowledged was not all counted in time".to_owned());
        }
        reasons.extend(self.steps.iter().filter_map(StepReport::unrecovered));
        reasons.extend(self.deaths.iter().cloned());
        let fat = self.memory.iter().filter(|(_, m)| m.max_bytes > self.memory_max_bytes);
        reasons.extend(fat.map(|(service, memory)| {
            let (most, allowed) = (mib(memory.max_bytes), mib(self.memory_max_bytes));
            format!("{service} kept {most} MiB resident, allowed are {allowed}")
        }));
        if self.dead_letters != self.poisoned {
            reasons.push(format!(
                "{} dead letters, though {} entries were no ballots",
                self.dead_letters, self.poisoned
            ));
        }
        if self.regressions > 0 {
            reasons.push(format!("viewers saw {} tallies go back", self.regressions));
        }
        reasons.extend(self.unbalanced.iter().map(|why| format!("votectl audit: {why}")));
        reasons.extend(self.misshown.iter().cloned());
        let struck = self.steps.iter().filter(|step| step.skipped.is_none()).count();
        let (exit_code, headline) = if reasons.is_empty() {
            let text = format!(
                "KEPT: {} ballots acknowledged under {struck} faults, every one counted once",
                self.acknowledged
            );
            (EXIT_OK, text)
        } else {
            (EXIT_BROKEN, format!("BROKEN: {}", reasons[0]))
        };
        Verdict { exit_code, headline, reasons }
    }
}

impl StepReport {
    fn unrecovered(&self) -> Option<String> {
        if self.skipped.is_some() || self.recovery.is_complete() {
            return None;
        }
        let Recovery { answered, counted, caught_up, ready } = self.recovery;
        let missing = match (answered, counted, caught_up, ready) {
            (None, ..) => "no ballot was acknowledged again",
            (_, None, ..) => "no new ballot was counted",
            (_, _, None, _) => "what had been taken before was not all counted",
            _ => "not every service was ready again",
        };
        let waited = self.over_s - self.healed_s;
        Some(format!("{waited:.0} s after {} was healed, {missing}", self.step.title()))
    }
}

/// Mebibytes, rounded.
pub(crate) fn mib(bytes: u64) -> u64 {
    (bytes + (1 << 19)) >> 20
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fault::Fault;
    use crate::schedule::Strike;

    /// A run in which everything was kept.
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
            deaths: Vec::new(),
            wrong: Vec::new(),
            replies: Vec::new(),
            dead_letters: 3,
            poisoned: 3,
            unbalanced: None,
            misshown: None,
            reconnects: 0,
            regressions: 0,
            verdict: Verdict::default(),
        }
    }

    /// Each promise, broken alone, is exit code 2 and is named.
    #[test]
    fn every_broken_promise_fails_the_run() {
        assert_eq!(kept().judge().exit_code, EXIT_OK, "{:?}", kept().judge().reasons);
        type Break = (fn(&mut Report), &'static str);
        let breaks: [Break; 14] = [
            (|r| r.findings.lost = 1, "lost"),
            (|r| r.findings.duplicated = 1, "more than once"),
            (|r| r.findings.phantom = 1, "nobody cast"),
            (|r| r.findings.wrong_choice = 1, "another choice"),
            (|r| r.outcomes.server_errors = 1, "5xx"),
            (|r| r.unexplained = 1, "Retry-After"),
            (|r| r.wrong.push("status 500".to_owned()), "status 500"),
            (|r| r.drain_s = None, "not all counted"),
            (|r| r.steps[0].recovery.caught_up = None, "taken before"),
            (|r| r.deaths.push("producer-1 ended by itself".to_owned()), "by itself"),
            (|r| r.memory.get_mut("producer-1").unwrap().max_bytes = 300 << 20, "300 MiB"),
            (|r| r.dead_letters = 4, "dead letters"),
            (|r| r.regressions = 1, "go back"),
            (|r| r.unbalanced = Some("DIFFERENT".to_owned()), "DIFFERENT"),
        ];
        for (break_it, word) in breaks {
            let mut report = kept();
            break_it(&mut report);
            let verdict = report.judge();
            assert_eq!(verdict.exit_code, EXIT_BROKEN, "{word}");
            assert!(verdict.reasons.iter().any(|reason| reason.contains(word)), "{verdict:?}");
        }
    }

    #[test]
    fn what_this_machine_does_not_allow_is_no_broken_promise() {
        let mut report = kept();
        report.steps[0].skipped = Some("mount: permission denied".to_owned());
        report.steps[0].recovery = Recovery::default();
        assert_eq!(report.judge().exit_code, EXIT_OK);
    }
}
