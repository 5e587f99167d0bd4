//! Threads that take one order after the other: to start a thread for each costs more than a short command does.
//! Unaware of what is ordered, and of who starts threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Orders that wait for a thread, and threads that wait for an order.
#[derive(Debug)]
pub(super) struct Crew<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    orders: VecDeque<T>,
    idle: usize,
    is_closed: bool,
}

impl<T> Default for Crew<T> {
    fn default() -> Self {
        let state = State {
            orders: VecDeque::new(),
            idle: 0,
            is_closed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }
}

impl<T> Crew<T> {
    /// Hands an order to whoever is free next. Whether nobody is: another thread has to be started then.
    pub fn give(&self, order: T) -> bool {
        let mut state = self.state();
        state.orders.push_back(order);
        self.changed.notify_one();
        state.orders.len() > state.idle
    }

    /// The order that was given last, if it still waits: no thread could be started for it.
    pub fn take_back(&self) -> Option<T> {
        self.state().orders.pop_back()
    }

    /// The next order, for a thread of the crew; `None` when there will be none.
    pub fn next(&self) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(order) = state.orders.pop_front() {
                return Some(order);
            }
            if state.is_closed {
                return None;
            }
            state.idle += 1;
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Closes it when what comes back is dropped, by a panic too: threads that wait for orders would wait for ever.
    pub fn closing(&self) -> Closing<'_, T> {
        Closing(self)
    }

    /// There will be no further orders.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // A panic elsewhere leaves it whole: nothing is done to it in two steps.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes a crew when it is dropped.
#[must_use]
pub(super) struct Closing<'a, T>(&'a Crew<T>);

impl<T> Drop for Closing<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_taken_once_and_threads_end_with_them() {
        let crew = Crew::default();
        let done = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for n in 0..100 {
                if crew.give(n) {
                    scope.spawn(|| {
                        while let Some(n) = crew.next() {
                            done.lock().unwrap().push(n);
                        }
                    });
                }
            }
            crew.close();
        });
        let mut done = done.into_inner().unwrap();
        done.sort_unstable();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn an_order_for_which_there_is_no_thread_comes_back() {
        let crew = Crew::default();
        assert!(crew.give(1));
        assert_eq!(crew.take_back(), Some(1));
        assert_eq!(crew.take_back(), None);
    }
}
