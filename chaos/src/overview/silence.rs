//! Which services are silent, and since when: every replica is dead or frozen.
//!
//! Invariant: this goes by the processes alone, and by no fault that was injected, so that it also sees a service that was
//! meant to live.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::testbed::{SERVICES, kind_of};

/// The process ids of the services that run, as the testbed publishes them.
type Pids = BTreeMap<&'static str, u32>;

/// The silence of each service.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    /// The first look at which all replicas of a service were silent. A replica that was started since ends the silence.
    since: BTreeMap<&'static str, (Instant, Pids)>,
}

impl Silence {
    /// Takes note of the processes as they are now.
    pub(crate) fn look(&mut self, pids: &Pids) {
        self.look_at(pids, Instant::now(), is_silent);
    }

    fn look_at(&mut self, pids: &Pids, now: Instant, is_silent: impl Fn(u32) -> bool) {
        for kind in SERVICES.map(kind_of) {
            let ours = pids.iter().filter(|(name, _)| kind_of(name) == kind);
            let ours: Pids = ours.map(|(name, pid)| (*name, *pid)).collect();
            if !ours.values().all(|pid| is_silent(*pid)) {
                self.since.remove(kind);
            } else if self.since.get(kind).is_none_or(|(_, before)| is_new(&ours, before)) {
                self.since.insert(kind, (now, ours));
            }
        }
    }

    /// Returns since when a service has been silent; `None` if it lives.
    pub(crate) fn of(&self, kind: &str) -> Option<Instant> {
        self.since.get(kind).map(|(since, _)| *since)
    }
}

/// Whether there is a process that was not there before.
fn is_new(pids: &Pids, before: &Pids) -> bool {
    pids.iter().any(|(name, pid)| before.get(name) != Some(pid))
}

/// Whether a process cannot answer: it is gone, has ended, or is stopped by a signal.
fn is_silent(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program, in parentheses, may hold any character.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_none_or(|state| matches!(state, 'T' | 'Z' | 'X'))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_service_is_silent_once_all_its_replicas_are() {
        let mut silence = Silence::default();
        let (began, second) = (Instant::now(), Duration::from_secs(1));
        let both = Pids::from([("consumer-1", 1), ("consumer-2", 2)]);
        silence.look_at(&both, began, |pid| pid == 1);
        assert_eq!((silence.of("consumer"), silence.of("dashboard")), (None, Some(began)));
        for later in 1..3 {
            silence.look_at(&both, began + later * second, |_| true);
            assert_eq!(silence.of("consumer"), Some(began + second), "since the first look");
        }
        // A process that was killed, too, was started before: nothing has answered since.
        silence.look_at(&Pids::from([("consumer-2", 2)]), began + 3 * second, |_| true);
        assert_eq!(silence.of("consumer"), Some(began + second));
        let started = Pids::from([("consumer-1", 3), ("consumer-2", 2)]);
        silence.look_at(&started, began + 4 * second, |_| true);
        assert_eq!(
            silence.of("consumer"),
            Some(began + 4 * second),
            "it may have answered between"
        );
    }

    #[test]
    fn a_process_that_is_stopped_or_gone_is_silent() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let until = |wanted: bool| {
            let deadline = Instant::now() + Duration::from_secs(10);
            while is_silent(child.id()) != wanted {
                assert!(Instant::now() < deadline, "not {wanted}");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        until(false);
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        until(true);
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        until(true);
        child.wait().unwrap();
        assert!(is_silent(u32::MAX));
    }
}
