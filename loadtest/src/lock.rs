//! Locks a mutex whose holders never panic.

use std::sync::{Mutex, MutexGuard};

/// Locks `mutex`.
///
/// # Panics
/// Panics if another thread panicked while it held the lock. That would be a bug of the load
/// tester, and the figures would be worthless.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics while it holds the lock")
}
