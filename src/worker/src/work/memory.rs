//! Whether there is room in memory for what a stage is about to load.
//! Unaware of stages.

use std::ops::Range;

use super::WorkError;

/// Consecutive pieces of work that may be done at once: what each needs, added up, stays within `budget`. One that needs
/// more by itself is a group of its own.
pub(super) fn groups(needs: impl Iterator<Item = u64>, budget: u64) -> Vec<Range<usize>> {
    let (mut groups, mut begin, mut end, mut held) = (Vec::new(), 0, 0, 0_u64);
    for (at, need) in needs.enumerate() {
        if at > begin && held.saturating_add(need) > budget {
            groups.push(begin..at);
            (begin, held) = (at, 0);
        }
        held = held.saturating_add(need);
        end = at + 1;
    }
    groups.push(begin..end);
    groups
}

/// An error where `bytes` for `what` are more than the machine has left.
pub(super) fn enough_for(bytes: u64, what: &str) -> Result<(), WorkError> {
    check(bytes, free(), what)
}

/// Bytes that the machine has left; nothing where it does not say.
pub(super) fn free() -> Option<u64> {
    available(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

/// Bytes that `/proc/meminfo` says can be had without swapping; nothing where it does not say.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

fn check(bytes: u64, available: Option<u64>, what: &str) -> Result<(), WorkError> {
    match available {
        Some(available) if bytes > available => Err(WorkError::new(
            format!(
                "memory is too small: {what} need {:.1} GiB, and {:.1} GiB are free",
                gib(bytes),
                gib(available)
            ),
            "close other programs, use a smaller model, or a machine with more memory",
        )),
        _ => Ok(()),
    }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_within_the_budget() {
        let of = |needs: &[u64]| groups(needs.iter().copied(), 10);
        assert_eq!(of(&[4, 6, 1, 20, 3, 3]), [0..2, 2..3, 3..4, 4..6]);
        assert_eq!(of(&[11, 11]), [0..1, 1..2]);
        assert!(of(&[]).iter().all(Range::is_empty));
    }

    #[test]
    fn what_is_larger_than_free_memory_is_refused_with_both_numbers() {
        let text = "MemTotal: 9 kB\nMemFree: 8 kB\nMemAvailable:  1048576 kB\nBuffers: 1 kB\n";
        assert_eq!(available(text), Some(1 << 30));
        assert_eq!(check(1 << 30, available(text), "weights"), Ok(()));
        let error = check(5 << 29, available(text), "weights").unwrap_err();
        assert_eq!(
            error.to_string(),
            "memory is too small: weights need 2.5 GiB, and 1.0 GiB are free"
        );
        assert_eq!(check(u64::MAX, available("nothing"), "weights"), Ok(()));
    }
}
