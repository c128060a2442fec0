//! The last failure of this replica's workers, so that readiness can say why nothing is counted.

use std::sync::{Arc, Mutex, PoisonError};

/// Why a step failed last; clones share it.
#[derive(Clone, Debug, Default)]
pub struct LastFailure(Arc<Mutex<Option<String>>>);

impl LastFailure {
    /// Remembers a failure.
    pub(crate) fn set(&self, reason: String) {
        *self.lock() = Some(reason);
    }

    /// Forgets it, because a batch was counted.
    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    /// The last failure since the last batch that was counted.
    pub(crate) fn get(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
