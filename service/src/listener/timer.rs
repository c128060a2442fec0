//! Gives hyper a timer that reuses one sleep for a whole connection.
//!
//! hyper asks for a new sleep with each request and drops it once the request's head has arrived. Each
//! registration with the runtime's timer takes a lock, and so does each removal. So the connection keeps
//! one sleep registered until it fires, and only then sets it to the current deadline.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Sleep, Timer};
use tokio::time::Instant;

/// Makes sleeps that share one sleep of the runtime, one after the other.
#[derive(Debug, Default)]
pub(crate) struct ReusingTimer(Arc<Spare>);

/// Holds the runtime's sleep while no [`ReusedSleep`] uses it.
type Spare = Mutex<Option<Pin<Box<tokio::time::Sleep>>>>;

impl Timer for ReusingTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until((Instant::now() + duration).into())
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        let deadline = deadline.into();
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut inner = spare.unwrap_or_else(|| Box::pin(tokio::time::sleep_until(deadline)));
        if deadline < inner.deadline() {
            inner.as_mut().reset(deadline);
        }
        Box::pin(ReusedSleep { inner: Some(inner), deadline, home: self.0.clone() })
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }
}

/// Ends at its deadline; the runtime's sleep inside fires at that time or earlier.
struct ReusedSleep {
    /// `Some` until this value is dropped, which hands the sleep back.
    inner: Option<Pin<Box<tokio::time::Sleep>>>,
    deadline: Instant,
    home: Arc<Spare>,
}

impl Sleep for ReusedSleep {}

impl Future for ReusedSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let Some(inner) = &mut self.inner else { return Poll::Ready(()) };
        loop {
            ready!(inner.as_mut().poll(context));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            inner.as_mut().reset(deadline);
        }
    }
}

impl Drop for ReusedSleep {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.inner.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_sleep_ends_at_its_own_deadline() {
        let (timer, start) = (ReusingTimer::default(), Instant::now());
        drop(timer.sleep(Duration::from_secs(10)));
        tokio::time::advance(Duration::from_secs(4)).await;
        // The one that is kept fires at 10, which is too early.
        timer.sleep(Duration::from_secs(10)).await;
        assert_eq!(start.elapsed().as_secs(), 14);
        // It has fired, and has to be set again.
        timer.sleep(Duration::from_secs(10)).await;
        assert_eq!(start.elapsed().as_secs(), 24);
        drop(timer.sleep(Duration::from_secs(10)));
        timer.sleep(Duration::from_secs(1)).await;
        assert_eq!(start.elapsed().as_secs(), 25, "an earlier one");
    }
}
