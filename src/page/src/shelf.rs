//! Where a page is put.
//! Unaware of what is put there.

use std::io;

/// Where the page is put.
pub trait Shelf: Sync {
    /// Whether this file is there: names in `img/` say what is in a file, so that it needs no other look.
    fn has(&self, name: &str) -> bool;
    /// Writes it whole.
    ///
    /// # Errors
    /// It cannot be written.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
}
