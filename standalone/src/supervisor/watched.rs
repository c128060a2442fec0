//! A child that is started again when it dies.

use std::time::{Duration, Instant};

use super::{Error, say};
use crate::servers::{PostgresServer, Process, RedisServer, log_tail};

const BACK_OFF_MIN: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(30);
/// A child that ran this long has earned a quick restart again.
const STEADY_AFTER: Duration = Duration::from_secs(60);
const LINES_SHOWN: usize = 5;

/// A server or a service.
pub(super) trait Child {
    fn process(&mut self) -> &mut Process;

    /// Starts it again, without waiting until it is ready.
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

/// A child, and when it was and will be started.
#[derive(Debug)]
pub(super) struct Watched<C> {
    pub(super) child: C,
    back_off: BackOff,
}

impl<C: Child> Watched<C> {
    /// Watches over a child that has just been started.
    pub(super) fn new(child: C) -> Self {
        Self { child, back_off: BackOff::new() }
    }

    /// Tells of its death, and starts it again once that is due. Returns when it will be due.
    pub(super) fn look_after(&mut self) -> Option<Instant> {
        let process = self.child.process();
        let status = process.exit_status()?;
        let name = process.name().to_owned();
        if let Some(pause) = self.back_off.note_death() {
            say(&format!("{name} ended with {status}; it starts again in {} s", pause.as_secs()));
            for line in log_tail(process.log(), LINES_SHOWN).lines() {
                say(&format!("  {name}: {line}"));
            }
        }
        if self.back_off.due.is_some_and(|due| due <= Instant::now()) {
            self.back_off.note_start();
            match self.child.restart() {
                Ok(()) => say(&format!("{name} is started again")),
                Err(error) => {
                    say(&format!("{name} cannot be started again: {error}"));
                    self.back_off.note_death();
                }
            }
        }
        self.back_off.due
    }
}

/// When a child that died may be started again: after 1 s, 2 s, 4 s … at most 30 s.
#[derive(Debug)]
struct BackOff {
    started: Instant,
    next: Duration,
    /// Set once the child's death has been noted.
    due: Option<Instant>,
}

impl BackOff {
    fn new() -> Self {
        Self { started: Instant::now(), next: BACK_OFF_MIN, due: None }
    }

    /// Notes a death, once. Returns the pause before the restart, if the death is news.
    fn note_death(&mut self) -> Option<Duration> {
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

    /// Notes an attempt to restart.
    fn note_start(&mut self) {
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
            pauses.push(back_off.note_death().expect("news").as_secs());
            assert_eq!(back_off.note_death(), None, "one death is noted once");
            back_off.note_start();
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
    }
}
