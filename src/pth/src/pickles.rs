//! What the pickles of one file share while they are read: one budget, one heap, the names of code.
//! Unaware of how the file is built.

use crate::budget::Budget;
use crate::globals::Globals;
use crate::heap::Heap;

/// What the pickles of one file share while they are read.
pub(crate) struct Pickles {
    pub budget: Budget,
    pub heap: Heap,
    pub globals: Globals,
}

impl Pickles {
    pub fn new(limit: u64) -> Self {
        Self {
            budget: Budget::new(limit),
            heap: Heap::new(),
            globals: Globals::default(),
        }
    }
}
