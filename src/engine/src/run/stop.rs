//! Whether the run is asked to stop, and the processes to tell.
//! Unaware of signal numbers and handlers: `cli` raises the level.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::process::Signal;

use super::target::Target;

/// 0: run; 1: stop at the next checkpoint; 2: at once.
#[derive(Debug, Default)]
pub struct Stop {
    level: AtomicU8,
    children: Mutex<Vec<Target>>,
}

impl Stop {
    /// The level.
    pub fn level(&self) -> u8 {
        self.level.load(Ordering::SeqCst)
    }

    /// Raises the level by one and tells all children.
    pub fn raise(&self) {
        let level = self.level.fetch_add(1, Ordering::SeqCst) + 1;
        for &child in &*self.lock() {
            tell(child, level);
        }
    }

    /// A child has started; it is told at once if the level is raised already.
    pub fn add(&self, child: Target) {
        self.lock().push(child);
        if self.level() > 0 {
            tell(child, self.level());
        }
    }

    /// Runs `reap` while nobody can be told, and forgets the child if it returns something: a process number is only
    /// used while the process is not reaped.
    pub fn reap<T>(&self, child: Target, reap: impl FnOnce() -> Option<T>) -> Option<T> {
        let mut children = self.lock();
        let reaped = reap();
        if reaped.is_some() {
            children.retain(|c| *c != child);
        }
        reaped
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Target>> {
        // A panic elsewhere leaves the list as it was: pushing and retaining cannot be half done.
        self.children
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn tell(child: Target, level: u8) {
    child.tell(if level > 1 {
        Signal::KILL
    } else {
        Signal::TERM
    });
}
