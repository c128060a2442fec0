//! Locks a mutex that no thread poisons.

use std::sync::{Mutex, MutexGuard};

/// Locks `mutex`.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no lane panics while it writes its books")
}
