//! Taking a mutex that stays usable whatever became of the thread that had it.
//! Unaware of what is behind it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The content of a mutex; a thread that panicked left it whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
