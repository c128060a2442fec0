//! Waits for a condition with a deadline, instead of sleeping and hoping.

use std::{
    fmt::Debug,
    future::Future,
    panic::Location,
    time::{Duration, Instant},
};

/// What a condition may answer: `bool`, `Option<T>` or `Result<T, E>`.
pub trait Settled {
    /// What there is once the condition holds.
    type Value;
    /// The value, or why the condition does not hold yet.
    ///
    /// # Errors
    /// When the condition does not hold yet.
    fn settled(self) -> Result<Self::Value, String>;
}

impl Settled for bool {
    type Value = ();
    fn settled(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("it is false".to_owned()) }
    }
}

impl<T> Settled for Option<T> {
    type Value = T;
    fn settled(self) -> Result<T, String> {
        self.ok_or_else(|| "it is None".to_owned())
    }
}

impl<T, E: Debug> Settled for Result<T, E> {
    type Value = T;
    fn settled(self) -> Result<T, String> {
        self.map_err(|error| format!("{error:?}"))
    }
}

/// Asks again every 10 ms until the condition holds, and returns what it answered.
///
/// # Panics
/// If it does not hold within `at_most`; the message names the caller and the last answer.
#[track_caller]
pub fn eventually<T: Settled>(
    at_most: Duration,
    mut condition: impl AsyncFnMut() -> T,
) -> impl Future<Output = T::Value> {
    let caller = Location::caller();
    async move {
        let deadline = Instant::now() + at_most;
        loop {
            let why = match condition().await.settled() {
                Ok(value) => return value,
                Err(why) => why,
            };
            assert!(
                Instant::now() < deadline,
                "{caller}: the condition does not hold after {at_most:?}: {why}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
