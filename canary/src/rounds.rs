//! The rounds: each casts one ballot and waits until it is on screen.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use votestream_service::CancellationToken;
use votestream_service::health::Gate;
use votestream_service::metric::UNKNOWN;

use crate::config::Config;
use crate::metrics;
use crate::screen::{Screen, Shown, Sight};
use crate::voter::{Reply, Voter};

/// Casts ballots, one after the other.
#[derive(Debug)]
pub(crate) struct Rounds {
    voter: Voter,
    screen: Screen,
    interval: Duration,
    screen_timeout: Duration,
}

/// What became of a ballot.
#[derive(Debug)]
enum Outcome {
    /// It was on screen after this time.
    Shown(Duration),
    /// The producer refused it.
    Refused(String),
    /// There was no reply.
    Unanswered(String),
    /// It was accepted, and did not come onto the screen.
    NotShown(String),
    /// The results could not be read, so it was not cast.
    NoResults(String),
}

impl Outcome {
    /// Returns the label of the metric, and what the log says.
    fn told(&self) -> (&'static str, String) {
        match self {
            Self::Shown(after) => {
                ("shown", format!("it was on screen after {} ms", after.as_millis()))
            }
            Self::Refused(why) => ("refused", format!("the producer refused it: {why}")),
            Self::Unanswered(why) => ("unanswered", format!("the producer did not reply: {why}")),
            Self::NotShown(why) => {
                ("not-shown", format!("it was accepted and is not on screen: {why}"))
            }
            Self::NoResults(why) => (
                "no-results",
                format!("it was not cast, because the results cannot be read: {why}"),
            ),
        }
    }
}

impl Rounds {
    /// Prepares the rounds of this voter before this screen.
    pub(crate) fn new(voter: Voter, screen: Screen, config: &Config) -> Self {
        let (interval, screen_timeout) = (config.interval(), config.screen_timeout());
        Self { voter, screen, interval, screen_timeout }
    }

    /// Casts ballots until `shutdown`. Opens the gate after the first round, whatever its outcome: a canary that finds a
    /// fault works.
    pub(crate) async fn run(mut self, gate: &Gate, shutdown: CancellationToken) {
        let mut rounds = tokio::time::interval(self.interval);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = "";
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = rounds.tick() => {}
            }
            let outcome = tokio::select! {
                () = shutdown.cancelled() => return,
                outcome = self.round() => outcome,
            };
            record(&outcome, &mut last);
            gate.report(Ok::<(), String>(()));
        }
    }

    /// Casts one ballot, and waits until it is on screen.
    async fn round(&mut self) -> Outcome {
        let began = Instant::now();
        let within = began + self.screen_timeout;
        let before = match self.results(within).await {
            Ok(before) => before,
            Err(why) => return Outcome::NoResults(why.to_string()),
        };
        let Some((is_first, option)) = self.voter.next(&before.options) else {
            return Outcome::NoResults("the poll has fewer than two options".to_owned());
        };

        let clicked = Instant::now();
        let within = clicked + self.screen_timeout;
        match tokio::time::timeout_at(within, self.voter.cast(&option)).await {
            Ok(Ok(Reply::Accepted)) => {}
            Ok(Ok(Reply::Refused(why))) => return Outcome::Refused(why),
            failed => {
                // It may be stored all the same, and be counted at any time.
                self.voter.start_again();
                let why = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => format!("none within {} ms", self.screen_timeout.as_millis()),
                };
                return Outcome::Unanswered(why);
            }
        }

        // The first ballot of a voter adds a voter, and a later one adds a vote to its option.
        let is_on = |shown: &Shown| match is_first {
            true => shown.voters > before.voters,
            false => shown.votes.get(&option) > before.votes.get(&option),
        };
        let mut why =
            format!("the stream did not show it within {} ms", self.screen_timeout.as_millis());
        loop {
            match self.screen.now() {
                Ok(shown) if is_on(&shown) => return Outcome::Shown(shown.at - clicked),
                Ok(_) => {}
                Err(blind) => why = blind.to_string(),
            }
            if tokio::time::timeout_at(within, self.screen.changed()).await.is_err() {
                // Its stream may lead to a server that is gone.
                self.screen.reopen();
                self.voter.start_again();
                return Outcome::NotShown(why);
            }
        }
    }

    /// Returns what is shown, waiting for it if the stream has just been opened.
    async fn results(&mut self, within: Instant) -> Sight {
        loop {
            let why = match self.screen.now() {
                Ok(shown) => return Ok(shown),
                Err(why) => why,
            };
            if tokio::time::timeout_at(within, self.screen.changed()).await.is_err() {
                return Err(why);
            }
        }
    }
}

/// Counts a ballot, and logs it if its outcome is another one than that of the ballot before.
fn record(outcome: &Outcome, last: &mut &'static str) {
    let (label, words) = outcome.told();
    metrics::BALLOTS.with([label]).increment(1);
    if let Outcome::Shown(after) = outcome {
        metrics::SCREEN_SECONDS.record(after.as_secs_f64());
        metrics::LAST_SCREEN_SECONDS.set(after.as_secs_f64());
    } else {
        metrics::LAST_SCREEN_SECONDS.set(UNKNOWN);
    }
    if *last != label {
        match outcome {
            Outcome::Shown(_) => tracing::info!(outcome = label, "a ballot of the canary: {words}"),
            _ => tracing::warn!(outcome = label, "a ballot of the canary: {words}"),
        }
        *last = label;
    }
}
