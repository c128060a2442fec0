//! The signals that ask the supervisor to stop: SIGINT, SIGTERM and SIGHUP.

use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::servers;

/// Signals within this time count as one: `make` forwards a SIGTERM that the supervisor has received as well.
const ECHO: Duration = Duration::from_secs(1);

/// A listener for the signals that ask for a stop.
#[derive(Debug)]
pub(super) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    last: Option<Instant>,
}

impl StopSignals {
    pub(super) fn listen() -> Result<Self, servers::Error> {
        let listen = |kind| signal(kind).map_err(servers::Error::io("listen for signals"));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
            last: None,
        })
    }

    /// Waits for the next stop signal.
    pub(super) async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                _ = self.hang_up.recv() => {}
            }
            let now = Instant::now();
            let is_echo = self.last.is_some_and(|last| now - last < ECHO);
            self.last = Some(self.last.filter(|_| is_echo).unwrap_or(now));
            if !is_echo {
                return;
            }
        }
    }
}
