//! Standard output: what could not be written is remembered, and is an error when the program ends.
//! Unaware of what is written.

use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

/// The first error. What comes behind it is not whole either.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes byte by byte. A reader that has gone (`| head`) is nobody's problem.
pub fn write(text: &str) {
    note(io::stdout().lock().write_all(text.as_bytes()));
}

/// Remembers that something could not be written.
pub fn note(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(error);
    }
}

/// Writes what is left; the first error of all, if there was one.
pub fn end() -> io::Result<()> {
    note(io::stdout().lock().flush());
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    failed.take().map_or(Ok(()), Err)
}
