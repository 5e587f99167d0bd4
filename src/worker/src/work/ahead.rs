//! Things made ahead of whoever takes them, in order, by threads of their own.
//! Unaware of what they are. What comes out depends on the number of each alone, so it is the same with any number of
//! threads.
//!
//! ```text
//!   numbers from first to end, at most `depth` ahead ──> threads: make(n) ──> by number ──> next(), which waits for its own
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use super::WorkError;

/// How many threads make things, and how far ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Threads.
    pub threads: usize,
    /// Things that are ready or being made, beside the one that is taken.
    pub depth: usize,
}

/// Things in the making.
pub(super) struct Ahead<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
    waited: f64,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// The number that is taken next.
    wanted: u64,
    /// The number that is made next.
    next: u64,
    end: u64,
    ready: BTreeMap<u64, Result<T, WorkError>>,
    is_over: bool,
}

impl<T: Send + 'static> Ahead<T> {
    /// Begins to make the things of these numbers. Each thread does `begin` first, and all have when this returns.
    pub fn new<B, M>(numbers: Range<u64>, pace: Pace, begin: B, make: M) -> Result<Self, WorkError>
    where
        B: Fn() + Send + Sync + 'static,
        M: Fn(u64) -> Result<T, WorkError> + Send + Sync + 'static,
    {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                wanted: numbers.start,
                next: numbers.start,
                end: numbers.end,
                ready: BTreeMap::new(),
                is_over: false,
            }),
            changed: Condvar::new(),
        });
        let (make, begin) = (Arc::new(make), Arc::new(begin));
        let (begun, all) = mpsc::channel();
        let mut ahead = Self {
            shared,
            threads: Vec::new(),
            waited: 0.0,
        };
        for _ in 0..pace.threads.max(1) {
            let (shared, make) = (Arc::clone(&ahead.shared), Arc::clone(&make));
            let (begin, begun) = (Arc::clone(&begin), begun.clone());
            let depth = pace.depth.max(1) as u64;
            let thread = std::thread::Builder::new().name("ahead".into());
            let started = thread.spawn(move || {
                begin();
                drop(begun);
                shared.work(depth, &*make);
            });
            let started =
                started.map_err(|e| WorkError::new(format!("cannot start a thread: {e}"), ""))?;
            ahead.threads.push(started);
        }
        drop(begun);
        let _: Option<()> = all.recv().ok(); // nothing comes; it ends when the last of them has begun
        Ok(ahead)
    }

    /// The next thing, or what went wrong with it; `None` after the last one.
    pub fn next(&mut self) -> Option<Result<T, WorkError>> {
        let begin = Instant::now();
        let mut state = self.shared.lock();
        let number = state.wanted;
        if number == state.end {
            return None;
        }
        loop {
            if let Some(thing) = state.ready.remove(&number) {
                state.wanted += 1;
                self.waited += begin.elapsed().as_secs_f64();
                self.shared.changed.notify_all();
                return Some(thing);
            }
            state = self
                .shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Seconds that [`Ahead::next`] has waited so far.
    pub const fn waited(&self) -> f64 {
        self.waited
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number to make next; `None` where no more are wanted.
    fn claim(&self, depth: u64) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.is_over || state.next == state.end {
                return None;
            }
            if state.next < state.wanted.saturating_add(depth) {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self, depth: u64, make: &dyn Fn(u64) -> Result<T, WorkError>) {
        while let Some(number) = self.claim(depth) {
            let made = catch_unwind(AssertUnwindSafe(|| make(number)));
            let made = made.unwrap_or_else(|panic| Err(WorkError::of_panic(&*panic)));
            self.lock().ready.insert(number, made);
            self.changed.notify_all();
        }
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // panics inside were caught
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn things_come_in_order_and_never_further_ahead_than_allowed() {
        for threads in [1, 3] {
            let made = Arc::new(AtomicU64::new(5));
            let count = Arc::clone(&made);
            let pace = Pace { threads, depth: 4 };
            let make = move |n| {
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_micros((n * 7919) % 300));
                Ok(n * n)
            };
            let mut ahead = Ahead::new(5..60, pace, || (), make).unwrap();
            for n in 5..60 {
                assert!(made.load(Ordering::SeqCst) <= n + 4);
                assert_eq!(ahead.next().unwrap().unwrap(), n * n);
            }
            assert!(ahead.next().is_none());
        }
    }

    #[test]
    fn an_error_and_a_panic_come_at_their_place_and_dropping_early_ends_the_threads() {
        let pace = Pace {
            threads: 2,
            depth: 3,
        };
        let make = |n| match n {
            1 => Err(WorkError::new("one", "")),
            2 => panic!("two"),
            n => Ok(n),
        };
        let mut ahead = Ahead::new(0..u64::MAX, pace, || (), make).unwrap();
        assert_eq!(ahead.next(), Some(Ok(0)));
        assert_eq!(ahead.next().unwrap().unwrap_err().to_string(), "one");
        let panic = ahead.next().unwrap().unwrap_err().to_string();
        assert!(panic.contains("two"), "{panic}");
        assert_eq!(ahead.next(), Some(Ok(3)));
    }
}
