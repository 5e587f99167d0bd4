//! Work that is finished by a thread of its own, behind whoever goes on with the next.
//! Unaware of what it is. Whoever ends one before beginning another never has more than one behind.

use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::WorkError;

/// Work on its way.
pub(super) struct Behind<'scope, T>(ScopedJoinHandle<'scope, Result<T, WorkError>>);

impl<'scope, T: Send + 'scope> Behind<'scope, T> {
    /// Begins `work`. Errors: where no thread can be started; then nothing of it is done.
    pub fn start<W>(scope: &'scope Scope<'scope, '_>, work: W) -> Result<Self, WorkError>
    where
        W: FnOnce() -> Result<T, WorkError> + Send + 'scope,
    {
        let thread = Builder::new().name("behind".into());
        let started = thread.spawn_scoped(scope, work);
        started
            .map(Self)
            .map_err(|e| WorkError::new(format!("cannot start a thread: {e}"), ""))
    }

    /// Waits for its end. A panic in there is an error.
    pub fn end(self) -> Result<T, WorkError> {
        let ended = self.0.join();
        ended.unwrap_or_else(|panic| Err(WorkError::of_panic(&*panic)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_panics_come_out_where_it_is_ended() {
        std::thread::scope(|scope| {
            let start = |work: fn() -> Result<u8, WorkError>| Behind::start(scope, work).unwrap();
            let (good, bad) = (start(|| Ok(1)), start(|| Err(WorkError::new("bad", ""))));
            let panics = start(|| panic!("worse"));
            assert_eq!(good.end(), Ok(1));
            assert_eq!(bad.end().unwrap_err().to_string(), "bad");
            let worse = panics.end().unwrap_err().to_string();
            assert!(worse.contains("worse"), "{worse}");
        });
    }
}
