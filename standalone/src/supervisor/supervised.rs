//! A child process that is restarted when it ends.

use std::time::{Duration, Instant};

use super::error::Error;
use super::terminal::say;
use crate::servers::{PostgresServer, Process, RedisServer, log_tail};

const BACK_OFF_MIN: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(30);
/// After a run of this length, the pause before a restart is short again.
const STEADY_AFTER: Duration = Duration::from_secs(60);
const LINES_SHOWN: usize = 5;

/// A server or a service that can be restarted.
pub(super) trait Child {
    fn process(&mut self) -> &mut Process;

    /// Starts the process again, and does not wait until it is ready.
    fn restart(&mut self) -> Result<(), Error>;
}

impl Child for RedisServer {
    fn process(&mut self) -> &mut Process {
        self.process()
    }

    fn restart(&mut self) -> Result<(), Error> {
        Ok(self.respawn()?)
    }
}

impl Child for PostgresServer {
    fn process(&mut self) -> &mut Process {
        self.process()
    }

    fn restart(&mut self) -> Result<(), Error> {
        Ok(self.respawn()?)
    }
}

/// A child process with the times of its last and its next start.
#[derive(Debug)]
pub(super) struct Supervised<C> {
    pub(super) child: C,
    back_off: BackOff,
}

impl<C: Child> Supervised<C> {
    /// Supervises a child that has just been started.
    pub(super) fn new(child: C) -> Self {
        Self { child, back_off: BackOff::new() }
    }

    /// Reports that the child has ended, and restarts it once the pause is over. Returns the time of the next restart,
    /// or `None` while the child runs.
    pub(super) fn restart_if_ended(&mut self) -> Option<Instant> {
        let process = self.child.process();
        let status = process.exit_status()?;
        let name = process.name().to_owned();
        if let Some(pause) = self.back_off.record_end() {
            say(&format!(
                "{name} ended with {status}; it is restarted in {} s, and these are its last log lines:",
                pause.as_secs()
            ));
            for line in log_tail(process.log(), LINES_SHOWN).lines() {
                say(&format!("  {name}: {line}"));
            }
        }
        if self.back_off.due.is_some_and(|due| due <= Instant::now()) {
            self.back_off.record_start();
            match self.child.restart() {
                Ok(()) => say(&format!("{name} is started again")),
                Err(error) => {
                    say(&format!("{name} cannot be restarted: {error}"));
                    self.back_off.record_end();
                }
            }
        }
        self.back_off.due
    }
}

/// The pause before a restart: 1 s, 2 s, 4 s and so on, at most 30 s.
#[derive(Debug)]
struct BackOff {
    started: Instant,
    next: Duration,
    /// The time of the restart; `None` while the child runs.
    due: Option<Instant>,
}

impl BackOff {
    fn new() -> Self {
        Self { started: Instant::now(), next: BACK_OFF_MIN, due: None }
    }

    /// Records that the child has ended. Returns the pause before the restart, or `None` if the end was recorded before.
    fn record_end(&mut self) -> Option<Duration> {
        if self.due.is_some() {
            return None;
        }
        if self.started.elapsed() >= STEADY_AFTER {
            self.next = BACK_OFF_MIN;
        }
        let pause = self.next;
        self.next = (self.next * 2).min(BACK_OFF_MAX);
        self.due = Some(Instant::now() + pause);
        Some(pause)
    }

    /// Records an attempt to restart.
    fn record_start(&mut self) {
        self.started = Instant::now();
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_between_restarts_double_up_to_a_bound() {
        let mut back_off = BackOff::new();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            pauses.push(back_off.record_end().expect("the first record of this end").as_secs());
            assert_eq!(back_off.record_end(), None, "one end is recorded once");
            back_off.record_start();
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
    }
}
