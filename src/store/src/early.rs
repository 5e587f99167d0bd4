//! What a cache is asked for first: the memo, the index, the last keys of a pipeline file.
//! Unaware of who reads it when. All of it is checked when it is used, so a change in between costs only time.

use std::path::Path;

use crate::index::Index;
use crate::last::Noted;
use crate::layout::Layout;
use crate::memo::Memo;

/// What was read of a cache before it was opened.
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) memo: Memo,
    pub(crate) index: Index,
    pub(crate) noted: Option<Noted>,
}

impl Early {
    /// Reads it from the cache in the folder `root`, with the keys of this pipeline file.
    pub(crate) fn read(root: &Path, pipeline: &Path) -> Self {
        let layout = Layout::new(root);
        Self {
            memo: Memo::load(&layout.memo()),
            index: Index::load(&layout.index()),
            noted: Noted::read(&layout, pipeline),
        }
    }
}
