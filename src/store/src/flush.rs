//! Puts files and names on the disk: one by one, or all of the disk at once where that is cheaper.
//! Unaware of what the files are, and of when it must be done.

use std::fs::File;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use crate::atomic::flush_one;
use crate::error::at;
use crate::{Result, StoreError};

/// Above this many files one flush of the whole disk is cheaper than one a file.
const MANY: usize = 32;

/// Threads that flush at once; they wait for the disk, not for a core.
const FLUSHERS: usize = 8;

/// A folder that was opened before the writes whose fate it tells: a disk reports each failed write once to each file
/// that was open by then, so a handle opened later could miss one.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    handle: Option<File>,
}

impl Disk {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
            handle: File::open(root).ok(),
        }
    }

    /// Flushes groups of paths. The answer has one result a group, so that only those fail whose files could not be
    /// written; where the whole disk was flushed, all fail.
    pub(crate) fn flush(&self, groups: &[Vec<PathBuf>]) -> Vec<Result<()>> {
        let total: usize = groups.iter().map(Vec::len).sum();
        match &self.handle {
            Some(disk) if total > MANY => {
                let done = rustix::fs::syncfs(disk);
                let told = || done.map_err(|e| at("flush", &self.root)(io::Error::from(e)));
                groups.iter().map(|_| told()).collect()
            }
            _ => flush_each(groups),
        }
    }

    /// As [`Disk::flush`], for one group.
    pub(crate) fn flush_group(&self, paths: Vec<PathBuf>) -> Result<()> {
        self.flush(&[paths]).into_iter().collect()
    }
}

/// Flushes from several threads: the disk joins what comes at once.
fn flush_each(groups: &[Vec<PathBuf>]) -> Vec<Result<()>> {
    let numbered = groups.iter().enumerate();
    let all: Vec<(usize, &PathBuf)> = numbered
        .flat_map(|(group, paths)| paths.iter().map(move |path| (group, path)))
        .collect();
    let mut results: Vec<Result<()>> = groups.iter().map(|_| Ok(())).collect();
    for (group, error) in flush_at_once(&all) {
        results[group] = Err(error);
    }
    results
}

fn flush_at_once(paths: &[(usize, &PathBuf)]) -> Vec<(usize, StoreError)> {
    let failed = |&(group, path): &(usize, &PathBuf)| Some((group, flush_one(path).err()?));
    let share = paths.len().div_ceil(FLUSHERS).max(1);
    if share == paths.len() {
        return paths.iter().filter_map(failed).collect();
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = paths
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().filter_map(failed).collect::<Vec<_>>()))
            .collect();
        let join = |thread: ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_group_of_a_lost_file_fails() {
        let folder = tempfile::tempdir().unwrap();
        let good = folder.path().join("good");
        std::fs::write(&good, "x").unwrap();
        let disk = Disk::new(folder.path());
        let lost = folder.path().join("lost");
        let results = disk.flush(&[vec![good.clone()], vec![good.clone(), lost], vec![]]);
        assert!(results[0].is_ok() && results[1].is_err() && results[2].is_ok());
        assert!(disk.flush_group(vec![good; MANY + 1]).is_ok());
    }
}
