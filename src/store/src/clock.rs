//! The clocks by which disks stamp files: how coarse one is, and waiting until it has ticked.
//! Unaware of which files are stamped.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::atomic::create_beside;
use crate::stat::{Stat, now};

/// The coarsest clock by which kernels of today stamp files (100 Hz).
pub(crate) const TICK: i64 = 10_000_000;

/// Waits until a coarse clock has ticked since the latest change.
pub(crate) fn settle_after(latest: Option<i64>) {
    let Some(latest) = latest else { return };
    let begin = Instant::now();
    // A server's clock may be ahead; then the bytes are read again behind, as those of every young file are.
    while now().saturating_sub(latest) <= TICK && begin.elapsed() < Duration::from_millis(20) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether two changes of a file get times that differ however close they are, if somebody asked for the times between
/// them: Linux does so from 6.13 on. Tried out, because it depends on the file system too.
pub(crate) fn probe_clock(folder: &Path) -> bool {
    let Ok((path, mut file)) = create_beside(folder) else {
        return false;
    };
    let mut change = || {
        file.write_all(b"x").ok()?;
        Some(Stat::of(&file.metadata().ok()?).ctime)
    };
    let times: Option<Vec<i64>> = (0..8).map(|_| change()).collect();
    let _ = fs::remove_file(&path);
    times.is_some_and(|times| times.is_sorted_by(|a, b| a < b))
}
