//! Taking a mutex that stays usable whatever became of the thread that had it.
//! Unaware of what is behind it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The content of a mutex.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves these whole: nothing is done to them in two steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
