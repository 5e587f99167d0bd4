//! Numbers that tell whose a process is, kept in a limit that Linux ignores.
//! Unaware of processes and of who is tagged.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A run may start so many stages.
const RANGE: u64 = 1 << 24;

/// Tags are from here on: limits that somebody means are lower.
const FLOOR: u64 = 1 << 40;

/// Tags are below this: numbers that look like an accident in `ulimit -a`, and that no limit of today has.
const CEILING: u64 = 1 << 60;

/// Whose a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub(super) u64);

/// The tags of a run.
#[derive(Debug)]
pub(super) struct Tags {
    first: u64,
    next: AtomicU64,
}

impl Tags {
    /// A range that no other run has: chance sees to that.
    pub fn new() -> Self {
        let own = getrlimit(Resource::Locks);
        let random = RandomState::new().build_hasher().finish();
        let first = beginning(random, own.current, own.maximum);
        Self {
            first,
            next: AtomicU64::new(first),
        }
    }

    pub fn next(&self) -> Tag {
        Tag(self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub const fn all(&self) -> RangeInclusive<u64> {
        self.first..=self.first + (RANGE - 1)
    }
}

/// Where a range of tags begins. It fits below the hard limit, which this process may not raise, and holds no limit that
/// this process has: others would have it, too. Where the hard limit leaves no room it lies above, and nothing can be given
/// a tag: what descends from a command is known then, and nothing else.
fn beginning(random: u64, soft: Option<u64>, hard: Option<u64>) -> u64 {
    let has_room = |limit: &u64| *limit >= 2 * FLOOR;
    let end = hard.filter(has_room).unwrap_or(CEILING).min(CEILING);
    let ranges = (end - FLOOR) / RANGE;
    let nth = |n: u64| FLOOR + n % ranges * RANGE;
    let first = nth(random % ranges);
    if soft.is_some_and(|soft| range(first).contains(&soft)) {
        return nth(random % ranges + 1);
    }
    first
}

/// The range that begins with this tag.
pub(super) const fn range(first: u64) -> RangeInclusive<u64> {
    first..=first.saturating_add(RANGE - 1)
}

/// What `start` starts has the tag; this process has it only meanwhile, and one thread waits for another.
pub(super) fn tagged<T>(tag: Tag, start: impl FnOnce() -> T) -> T {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let own = getrlimit(Resource::Locks);
    let with = |current| {
        let limits = Rlimit {
            current,
            maximum: own.maximum,
        };
        // Below the hard limit everybody may do it. Where that is too low it fails, and descent still tells most.
        let _ = setrlimit(Resource::Locks, limits);
    };
    with(Some(tag.0));
    let started = start();
    with(own.current);
    started
}

/// The tag in the text of `/proc/<pid>/limits`.
pub(super) fn in_limits(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max file locks"))?;
    line.split_whitespace().next()?.parse().ok() // `unlimited` is nobody's
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_range_holds_a_limit_that_others_may_have() {
        for n in 0..100 {
            let random = u64::MAX / 100 * n;
            let first = beginning(random, Some(1000), Some(1000));
            assert!((FLOOR..CEILING).contains(&first), "above the hard limit");
            let hard = 2 * FLOOR + n;
            let all = range(beginning(random, Some(hard), Some(hard)));
            assert!(FLOOR <= *all.start() && *all.end() < hard, "below it");
            let inherited = range(beginning(random, None, None));
            for soft in [*inherited.start(), *inherited.end()] {
                let all = range(beginning(random, Some(soft), None));
                assert!(!all.contains(&soft), "a run in a stage of another");
                assert!(FLOOR <= *all.start() && *all.end() < CEILING);
            }
        }
    }

    #[test]
    fn a_child_has_the_tag_and_this_process_keeps_its_own() {
        let tags = Tags::new();
        let (first, second) = (tags.next(), tags.next());
        assert!(first != second && tags.all().contains(&second.0));
        assert_eq!(range(first.0), tags.all());
        let limits = tagged(second, || {
            std::process::Command::new("cat")
                .arg("/proc/self/limits")
                .output()
                .unwrap()
        });
        let limits = String::from_utf8(limits.stdout).unwrap();
        assert_eq!(in_limits(&limits), Some(second.0), "{limits}");
        // Another test may have given it one of its own meanwhile.
        assert_ne!(getrlimit(Resource::Locks).current, Some(second.0));
    }
}
