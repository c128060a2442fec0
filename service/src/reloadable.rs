//! Keeps a value that is built from files which may change while the service runs, such as mounted
//! secrets.
//!
//! Invariant: once a first value was built, there always is one. While the files cannot be read or hold
//! nothing usable, the last good value stays.
//! Absent on purpose: watching the files. Callers ask when they need the value, and the files are small.

use std::sync::{Mutex, PoisonError};

/// The last value, and the source it was built from.
#[derive(Debug)]
pub struct Reloadable<Source, Value> {
    last: Mutex<(Source, Value)>,
}

impl<Source: PartialEq, Value: Clone> Reloadable<Source, Value> {
    /// Builds the first value.
    ///
    /// # Errors
    /// Returns the error of `source` if it could not be read, or that of `build`.
    pub fn new(
        source: anyhow::Result<Source>,
        build: impl FnOnce(&Source) -> anyhow::Result<Value>,
    ) -> anyhow::Result<Self> {
        let source = source?;
        let value = build(&source)?;
        Ok(Self { last: Mutex::new((source, value)) })
    }

    /// Returns the value for this source, and builds it again only if the source has changed. `name`
    /// says in the log which settings these are.
    pub fn get(
        &self,
        name: &'static str,
        source: anyhow::Result<Source>,
        build: impl FnOnce(&Source) -> anyhow::Result<Value>,
    ) -> Value {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match source {
            Ok(source) if source != last.0 => {
                match build(&source) {
                    Ok(value) => {
                        tracing::info!(name, "the settings for {name} have changed and are in use");
                        last.1 = value;
                    }
                    Err(error) => tracing::warn!(
                        name,
                        "the changed settings for {name} cannot be used, the last ones stay: {error:#}"
                    ),
                }
                // Remember the source in either case, so that one change is logged once.
                last.0 = source;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(
                name,
                "the settings for {name} cannot be read, the last ones stay: {error:#}"
            ),
        }
        last.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(source: &&'static str) -> anyhow::Result<String> {
        anyhow::ensure!(!source.contains("bad"), "bad");
        Ok(format!("made of {source}"))
    }

    #[test]
    fn is_built_again_exactly_when_its_source_changes() {
        let reloadable = Reloadable::new(Ok("a"), build).unwrap();
        let unchanged = |_: &&'static str| panic!("nothing has changed");
        assert_eq!(reloadable.get("x", Ok("a"), unchanged), "made of a");
        assert_eq!(reloadable.get("x", Ok("b"), build), "made of b");
        assert_eq!(reloadable.get("x", Ok("b"), unchanged), "made of b");
    }

    #[test]
    fn the_last_good_value_stays_while_the_source_is_missing_or_wrong() {
        assert!(Reloadable::new(Ok("bad"), build).is_err());
        let reloadable = Reloadable::new(Ok("a"), build).unwrap();
        assert_eq!(reloadable.get("x", Err(anyhow::anyhow!("away")), build), "made of a");
        assert_eq!(reloadable.get("x", Ok("bad"), build), "made of a");
        assert_eq!(reloadable.get("x", Ok("c"), build), "made of c");
    }
}
