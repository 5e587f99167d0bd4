//! What the kernel says about a file that changes whenever its bytes do.
//! Unaware of digests, and of the time now: that is an argument.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A file this young may change again within the same tick of its disk's clock: 2 s, that of the coarsest disks.
const YOUNG: i64 = 2_000_000_000;

/// Identity, size and times of a regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Device and inode.
    pub(crate) id: (u64, u64),
    /// Bytes.
    pub(crate) size: u64,
    /// Last change of the content in ns since 1970; anyone may set it.
    pub(crate) mtime: i64,
    /// Last change of content, name count or mode in ns since 1970; only the kernel sets it.
    pub(crate) ctime: i64,
}

impl Stat {
    pub(crate) fn of(meta: &Metadata) -> Self {
        Self {
            id: (meta.dev(), meta.ino()),
            size: meta.len(),
            mtime: nanoseconds(meta.mtime(), meta.mtime_nsec()),
            ctime: nanoseconds(meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Whether a later change could leave this very stat. `now` is when reading began.
    /// A ctime ahead of us is another machine's clock, never trusted; a far mtime was set on purpose.
    pub(crate) fn is_young(&self, now: i64) -> bool {
        now.saturating_sub(self.ctime) < YOUNG
            || now.saturating_sub(self.mtime).saturating_abs() < YOUNG
    }
}

/// The stats that differ from this one in one part.
#[cfg(test)]
pub(crate) fn others(stat: Stat) -> [Stat; 5] {
    let changes: [fn(&mut Stat); 5] = [
        |s| s.id.0 += 1,
        |s| s.id.1 += 1,
        |s| s.size += 1,
        |s| s.mtime += 1,
        |s| s.ctime += 1,
    ];
    changes.map(|change| {
        let mut other = stat;
        change(&mut other);
        other
    })
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// Now, in ns since 1970.
pub(crate) fn now() -> i64 {
    let passed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn young(mtime: i64, ctime: i64) -> bool {
        Stat {
            id: (1, 1),
            size: 0,
            mtime,
            ctime,
        }
        .is_young(100 * SECOND)
    }

    #[test]
    fn youth_is_two_seconds_of_either_time() {
        assert!(!young(98 * SECOND, 98 * SECOND));
        assert!(young(98 * SECOND + 1, 50 * SECOND));
        assert!(young(50 * SECOND, 98 * SECOND + 1));
        assert!(!young(50 * SECOND, 50 * SECOND));
    }

    #[test]
    fn clocks_ahead_of_ours() {
        assert!(young(50 * SECOND, 1_000 * SECOND), "a server's clock");
        assert!(!young(1_000 * SECOND, 50 * SECOND), "a camera's clock");
        assert!(!young(i64::MIN, 50 * SECOND));
    }
}
