//! What is made from files that may change while the service runs, such as mounted secrets.
//!
//! Invariant: once something could be made, there is always something to use: while the files cannot
//! be read, or say nothing of use, the last that could be made stays.
//! Absent on purpose: watching the files; whoever needs the thing asks, and the files are small.

use std::sync::{Mutex, PoisonError};

/// The last thing made, and what it was made from.
#[derive(Debug)]
pub struct Renewed<From, Made> {
    last: Mutex<(From, Made)>,
}

impl<From: PartialEq, Made: Clone> Renewed<From, Made> {
    /// Made for the first time.
    ///
    /// # Errors
    /// When the source cannot be read, or nothing can be made of it.
    pub fn new(
        read: anyhow::Result<From>,
        make: impl FnOnce(&From) -> anyhow::Result<Made>,
    ) -> anyhow::Result<Self> {
        let from = read?;
        let made = make(&from)?;
        Ok(Self { last: Mutex::new((from, made)) })
    }

    /// The thing as the files say now; made anew only when they have changed. `what` it is stands in the log.
    pub fn get(
        &self,
        what: &'static str,
        read: anyhow::Result<From>,
        make: impl FnOnce(&From) -> anyhow::Result<Made>,
    ) -> Made {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(from) if from != last.0 => {
                match make(&from) {
                    Ok(made) => {
                        tracing::info!(what, "settings were changed and are used from now on");
                        last.1 = made;
                    }
                    Err(error) => {
                        let reason = format!("{error:#}");
                        tracing::warn!(what, reason, "changed settings are of no use");
                    }
                }
                // Remembered in either case, so that one change is told of once.
                last.0 = from;
            }
            Ok(_) => {}
            Err(error) => {
                let reason = format!("{error:#}");
                tracing::warn!(what, reason, "settings cannot be read; the last ones are used");
            }
        }
        last.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(from: &&'static str) -> anyhow::Result<String> {
        anyhow::ensure!(!from.contains("bad"), "bad");
        Ok(format!("made of {from}"))
    }

    #[test]
    fn is_made_anew_exactly_when_its_source_changes() {
        let renewed = Renewed::new(Ok("a"), make).unwrap();
        let unchanged = |_: &&'static str| panic!("nothing has changed");
        assert_eq!(renewed.get("x", Ok("a"), unchanged), "made of a");
        assert_eq!(renewed.get("x", Ok("b"), make), "made of b");
        assert_eq!(renewed.get("x", Ok("b"), unchanged), "made of b");
    }

    #[test]
    fn what_could_be_made_stays_while_the_source_is_away_or_wrong() {
        assert!(Renewed::new(Ok("bad"), make).is_err());
        let renewed = Renewed::new(Ok("a"), make).unwrap();
        assert_eq!(renewed.get("x", Err(anyhow::anyhow!("away")), make), "made of a");
        assert_eq!(renewed.get("x", Ok("bad"), make), "made of a");
        assert_eq!(renewed.get("x", Ok("c"), make), "made of c");
    }
}
