//! What is left of the memory that reading a file may take.
//! Unaware of what it is spent on.

use std::cell::Cell;

use crate::Error;

/// Bytes of a place on the stack or in a list, its vector's spare room included.
pub(crate) const PLACE: u64 = 8;

/// Bytes that may still be taken.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Cell<u64>,
    most: u64,
}

impl Budget {
    pub fn new(most: u64) -> Self {
        Self {
            left: Cell::new(most),
            most,
        }
    }

    /// Takes `bytes`, before they are there.
    pub fn take(&self, bytes: u64) -> Result<(), Error> {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.ok_or(self.exceeded())?);
        Ok(())
    }

    pub fn left(&self) -> u64 {
        self.left.get()
    }

    pub fn exceeded(&self) -> Error {
        Error::TooLarge { most: self.most }
    }
}
