//! Polls a condition until it holds or a deadline passes, in place of a sleep of a guessed length.

use std::{
    fmt::Debug,
    future::Future,
    panic::Location,
    time::{Duration, Instant},
};

/// The reason why a condition does not hold yet, for the message of a test that fails.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotYet(String);

/// The answer of a condition: `bool`, `Option<T>` or `Result<T, E>`.
pub trait Settled {
    /// The value that the condition yields once it holds.
    type Value;
    /// Returns the value if the condition holds.
    ///
    /// # Errors
    /// Returns the reason if the condition does not hold yet: it is `false`, `None` or an `Err`.
    fn settled(self) -> Result<Self::Value, NotYet>;
}

impl Settled for bool {
    type Value = ();
    fn settled(self) -> Result<(), NotYet> {
        if self { Ok(()) } else { Err(NotYet("it is false".to_owned())) }
    }
}

impl<T> Settled for Option<T> {
    type Value = T;
    fn settled(self) -> Result<T, NotYet> {
        self.ok_or_else(|| NotYet("it is None".to_owned()))
    }
}

impl<T, E: Debug> Settled for Result<T, E> {
    type Value = T;
    fn settled(self) -> Result<T, NotYet> {
        self.map_err(|error| NotYet(format!("{error:?}")))
    }
}

/// The shortest and the longest pause between two looks at a condition.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// Evaluates the condition until it holds, and returns its value. It pauses for a tenth of the time that it has waited so far,
/// 10 to 100 ms, so that a long wait takes no processor from other tests and a short one is not prolonged.
///
/// # Panics
/// Panics if the condition does not hold within `at_most`; the message names the caller and the last reason.
#[track_caller]
pub fn eventually<T: Settled>(
    at_most: Duration,
    mut condition: impl AsyncFnMut() -> T,
) -> impl Future<Output = T::Value> {
    let caller = Location::caller();
    async move {
        let begun = Instant::now();
        loop {
            let why = match condition().await.settled() {
                Ok(value) => return value,
                Err(why) => why,
            };
            assert!(
                begun.elapsed() < at_most,
                "{caller}: the condition does not hold after {at_most:?}: {why}"
            );
            tokio::time::sleep((begun.elapsed() / 10).clamp(PAUSE.0, PAUSE.1)).await;
        }
    }
}
