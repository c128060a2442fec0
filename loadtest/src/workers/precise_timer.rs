//! A timer that is more precise than the runtime's millisecond.
//!
//! In the open model a timer that is up to 1 ms late would add that to every latency. So on Linux
//! the schedule waits on a timerfd. Two wake-ups are at least [`REST`] apart. Arrivals within that
//! time are sent together, and the difference is counted as latency of some microseconds.

use std::io;
use std::time::Duration;

/// The shortest wait that is worth a system call.
pub(crate) const REST: Duration = Duration::from_micros(150);

/// A precise timer for one task.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct PreciseTimer {
    fd: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
}

#[cfg(target_os = "linux")]
impl PreciseTimer {
    /// Opens the timer.
    ///
    /// # Errors
    /// Returns the error of the system if it gives no timer.
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

    /// Waits for `wait`, or for [`REST`] if that is longer.
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
        // The timer is not read. Setting it again resets it, and readiness is edge-triggered.
        self.fd.readable().await?.clear_ready();
        Ok(())
    }
}

/// A timer with the precision of the runtime (1 ms).
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct PreciseTimer;

#[cfg(not(target_os = "linux"))]
impl PreciseTimer {
    /// Opens the timer. It never fails.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for `wait`. It never fails.
    pub(crate) async fn sleep(&mut self, wait: Duration) -> io::Result<()> {
        tokio::time::sleep(wait).await;
        Ok(())
    }
}
