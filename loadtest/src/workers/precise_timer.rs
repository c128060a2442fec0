//! A timer finer than the runtime's millisecond.
//!
//! An open model that wakes up to 1 ms late would add that to every latency it reports, so on Linux
//! the schedule waits on a timerfd. Wakes are at least [`REST`] apart: below that, arrivals are
//! sent together and the difference shows as (honestly counted) latency of some microseconds.

use std::io;
use std::time::Duration;

/// The shortest wait worth a system call.
pub(crate) const REST: Duration = Duration::from_micros(150);

/// Wakes its owner after a precise wait.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct PreciseTimer {
    fd: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
}

#[cfg(target_os = "linux")]
impl PreciseTimer {
    /// Opens the timer.
    #[expect(
        deprecated,
        reason = "its successor is unsafe; an OwnedFd that nobody else holds is sound here"
    )]
    pub(crate) fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { fd: tokio::io::unix::AsyncFd::new(fd)? })
    }

    /// Waits for `wait`, or [`REST`] if that is longer.
    pub(crate) async fn sleep(&mut self, wait: Duration) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let wait = wait.max(REST);
        let spec = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: wait.subsec_nanos().into(),
            },
        };
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
        // Nothing is read: setting the timer anew resets it, and readiness is told by edges.
        self.fd.readable().await?.clear_ready();
        Ok(())
    }
}

/// Wakes its owner after a wait of the runtime's precision (1 ms).
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct PreciseTimer;

#[cfg(not(target_os = "linux"))]
impl PreciseTimer {
    /// Opens the timer.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for `wait`.
    pub(crate) async fn sleep(&mut self, wait: Duration) -> io::Result<()> {
        tokio::time::sleep(wait).await;
        Ok(())
    }
}
