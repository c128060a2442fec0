//! Decides which new voters have to solve a challenge first, and whether they have.
//!
//! A challenge makes it costly for a program to vote many times. There are two kinds behind one trait ([`Challenge`]): a
//! proof of work, which needs nobody else, and the check of another service. Nothing is stored for either: a challenge is a
//! signed text, and its solution serves one voter, who has one vote however often it is sent.
//!
//! Absent on purpose: who has voted already, and is never asked; [`crate::voting`] knows it.

mod kind;
mod proof_of_work;
mod siteverify;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use votestream_schema::poll::now_ms;
use votestream_schema::submission::work;
use votestream_service::CancellationToken;
use votestream_service::metric::CounterHandle;

use crate::config::{ChallengeArgs, ChallengeMode, VerifierDown};
use crate::cookie_keys::CookieKeys;
use crate::metrics;
use crate::networks::{Allowance, Exempt, Place, Unchallenged};
use kind::{Challenge, Verdict};
use proof_of_work::ProofOfWork;
use siteverify::{Pass, Siteverify};

pub(crate) use kind::Challenged;

/// Why a voter was let in. It must be ended by [`Challenges::voted`] or [`Challenges::give_back`].
#[must_use]
pub(crate) enum Admission {
    /// No challenge was needed, or it is solved.
    Clear,
    /// Another service has checked the solution, and will not accept it again. The text does, if the ballot is not stored.
    Checked(String),
    /// The voter uses a part of the usual rate.
    Usual(Unchallenged),
}

/// Why a voter is not let in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refused {
    /// A challenge has to be solved first.
    Asked {
        /// The challenge, for programs.
        challenge: Value,
        /// Why the solution that came with the ballot was not accepted, if there was one.
        wrong: Option<String>,
    },
    /// Solutions cannot be checked at the moment.
    Unavailable,
}

/// All challenges of this replica.
pub(crate) struct Challenges {
    mode: ChallengeMode,
    allowance: Arc<Allowance>,
    work: ProofOfWork,
    other: Option<Siteverify>,
    cookie_keys: CookieKeys,
    when_down: VerifierDown,
    /// Origins from which the page may load scripts.
    script_origins: Option<String>,
}

impl Challenges {
    /// Creates the challenges that the settings name. The usual rates are kept in `place`.
    ///
    /// # Errors
    /// Returns an error that names a setting or file that cannot be used.
    pub(crate) fn new(
        args: &ChallengeArgs,
        exempt: Exempt,
        place: Place,
        cookie_keys: CookieKeys,
    ) -> anyhow::Result<Self> {
        let (network, poll) = (args.challenge_network_usual, args.challenge_poll_usual);
        let allowance = Allowance::new(network, poll, exempt, place, cookie_keys.clone());
        let verifier = args.verifier()?;
        let script_origins = verifier.as_ref().map(|verifier| verifier.origins.clone());
        let timeout = Duration::from_millis(args.challenge_verifier_timeout_ms);
        let other = verifier.map(|verifier| Siteverify::new(verifier, timeout)).transpose()?;
        Ok(Self {
            mode: args.challenge,
            allowance,
            work: ProofOfWork::new(args.challenge_work_hashes, cookie_keys.clone()),
            other,
            cookie_keys,
            when_down: args.challenge_verifier_down,
            script_origins,
        })
    }

    /// The origins from which the ballot page may load scripts and frames, if it needs any of another service.
    pub(crate) fn script_origins(&self) -> Option<&str> {
        self.script_origins.as_deref().filter(|_| self.mode != ChallengeMode::Off)
    }

    /// When voters are asked.
    pub(crate) fn mode(&self) -> ChallengeMode {
        self.mode
    }

    /// Lets a voter in who needs no challenge or sends the solution of one.
    ///
    /// # Errors
    /// Returns the challenge that has to be solved.
    pub(crate) async fn admit(
        &self,
        of: Challenged<'_>,
        solution: Option<&str>,
    ) -> Result<Admission, Refused> {
        // The canary measures how votes travel, in a poll that decides nothing.
        if self.mode == ChallengeMode::Off || of.poll.slug.is_canary() {
            return Ok(Admission::Clear);
        }
        let mut checked = None;
        if let Some(solution) = solution {
            match self.check(of, solution).await {
                (Verdict::Solved, admission) => {
                    static SOLVED: LazyLock<CounterHandle> =
                        LazyLock::new(|| metrics::CHALLENGES.with(["solved"]));
                    SOLVED.increment(1);
                    return Ok(admission);
                }
                (verdict, _) => checked = Some(verdict),
            }
        }
        match &checked {
            Some(Verdict::Wrong(_)) => metrics::CHALLENGES.with(["wrong"]).increment(1),
            Some(Verdict::Unknown) => metrics::CHALLENGES.with(["unchecked"]).increment(1),
            _ => {}
        }
        if self.mode == ChallengeMode::Auto
            && let Ok(unchallenged) = self.allowance.take(of.poll, of.source).await
        {
            return Ok(Admission::Usual(unchallenged));
        }
        Err(self.refusal(of, checked))
    }

    /// Counts a voter who is asked. One who has voted already is not.
    pub(crate) fn count_asked(&self) {
        metrics::CHALLENGES.with(["asked"]).increment(1);
    }

    async fn check(&self, of: Challenged<'_>, solution: &str) -> (Verdict, Admission) {
        let Some(other) = &self.other else {
            return (self.work.check(of, solution).await, Admission::Clear);
        };
        let (keys, now_s) = (self.cookie_keys.ring(), now_ms() / 1_000);
        if solution.starts_with(work::PREFIX) {
            // It was asked for while the other service was away.
            (self.work.check(of, solution).await, Admission::Clear)
        } else if solution.starts_with(Pass::PREFIX)
            && Pass::is_good(&keys, of.poll, of.voter, solution, now_s)
        {
            (Verdict::Solved, Admission::Clear)
        } else {
            let pass = Pass::make(&keys, of.poll, of.voter, now_s);
            (other.check(of, solution).await, Admission::Checked(pass))
        }
    }

    /// The refusal of a voter without a solution, or with one that has this verdict.
    fn refusal(&self, of: Challenged<'_>, checked: Option<Verdict>) -> Refused {
        let is_unchecked = matches!(checked, Some(Verdict::Unknown));
        let kind: &dyn Challenge = match (&self.other, self.when_down) {
            (Some(other), _) if other.is_up() && !is_unchecked => other,
            (Some(_), VerifierDown::Refuse) => return Refused::Unavailable,
            (Some(_), VerifierDown::Work) | (None, _) => &self.work,
        };
        let wrong = match checked {
            Some(Verdict::Wrong(reason)) => Some(reason),
            _ => None,
        };
        Refused::Asked { challenge: kind.describe(of), wrong }
    }

    /// Ends an admission: the voter's ballot is accepted, and it is the first one.
    pub(crate) fn voted(&self, admission: Admission) {
        if let Admission::Usual(unchallenged) = admission {
            self.allowance.voted(unchallenged);
        }
    }

    /// Ends an admission: the ballot was refused, or made no new voter. Returns the text that takes the place of a solution
    /// that would not be accepted again.
    pub(crate) fn give_back(&self, admission: Admission) -> Option<String> {
        match admission {
            Admission::Usual(unchallenged) => self.allowance.give_back(unchallenged),
            Admission::Checked(pass) => return Some(pass),
            Admission::Clear => {}
        }
        None
    }

    /// Reads the secret for the other service again; call it every few seconds.
    pub(crate) fn refresh(&self) {
        if let Some(other) = &self.other {
            other.refresh();
        }
    }

    /// Reports to Redis every second how much of the usual rates is used, until `shutdown`.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        if self.mode == ChallengeMode::Auto {
            self.allowance.clone().run(shutdown).await;
        }
    }

    /// Gives back what is not used, when the service stops.
    pub(crate) async fn settle(&self) {
        self.allowance.settle().await;
    }
}
