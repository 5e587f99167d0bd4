//! Has a large file written to the disk while it grows, and the kernel forget what is written.
//! Unaware of what the file holds.
//!
//! ```text
//!   threads that decode ── write ──> pages in memory ──> flushed, forgotten ──> pages for what is written next
//!                                          └──── a thread of its own, again and again ────┘
//! ```
//!
//! Else the kernel keeps every page of it, takes a new one for each that is written, and makes writers wait as soon as a fifth
//! of the memory is unwritten. In a virtual machine that gives unused memory back to its host a new page takes longer than
//! decoding what goes into it: 8.85 GB took 15.7 s to write, and 2.8 s so. What is forgotten is read from the disk by the first
//! batches, so it is not worth it for a file that stays in memory beside everything else.

use std::fs::File;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{Advice, fadvise};

use crate::work::memory;

/// Between two flushes, so that one has something to do.
const PAUSE: Duration = Duration::from_millis(50);

/// A file that is flushed and forgotten while others write it.
pub(super) struct WriteBehind {
    end: Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl WriteBehind {
    /// Begins with a file that will take so many bytes; nothing where they fit into memory easily.
    pub fn begin(file: File, bytes: u64) -> Option<Self> {
        is_large(bytes, memory::free()).then(|| Self::start(file))
    }

    fn start(file: File) -> Self {
        let (end, ended) = channel();
        let thread = std::thread::spawn(move || {
            while ended.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                file.sync_data()?;
                // Advice; what is not taken stays in memory.
                let _ = fadvise(&file, 0, None, Advice::DontNeed);
            }
            Ok(())
        });
        Self { end, thread }
    }

    /// Ends it when all is written, flushed or not.
    /// Errors: that of a flush, after which the file is not what was written.
    pub fn end(self) -> io::Result<()> {
        drop(self.end);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("the thread that flushes it has died")))
    }
}

/// Whether that many bytes are more than a quarter of what is free.
fn is_large(bytes: u64, free: Option<u64>) -> bool {
    free.is_some_and(|free| bytes > free / 4)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_quarter_of_what_is_free_is_large() {
        assert!(!is_large(2 << 30, Some(8 << 30)));
        assert!(is_large((2 << 30) + 1, Some(8 << 30)));
        assert!(!is_large(u64::MAX, None));
    }

    #[test]
    fn what_is_written_meanwhile_is_there() {
        let file = tempfile::tempfile().unwrap();
        let behind = WriteBehind::start(file.try_clone().unwrap());
        for at in 0..40 {
            file.write_all_at(&[at as u8; 4096], at * 4096).unwrap();
            std::thread::sleep(Duration::from_millis(5)); // over several flushes
        }
        behind.end().unwrap();
        let mut bytes = vec![0; 40 * 4096];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let right = |(at, part): (usize, &[u8])| part.iter().all(|b| *b == at as u8);
        assert!(bytes.chunks(4096).enumerate().all(right));
    }

    #[test]
    fn a_flush_that_fails_is_told() {
        // Nothing can be flushed there (EINVAL).
        let null = File::options().write(true).open("/dev/full").unwrap();
        let behind = WriteBehind::start(null);
        std::thread::sleep(PAUSE * 4);
        assert!(behind.end().is_err());
    }
}
