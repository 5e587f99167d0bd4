//! What the ids are that a pickle refers to something outside by.
//! Unaware of opcodes.

use std::collections::BTreeMap;

use crate::tensor::{Storages, View};

/// What a pickle's persistent ids stand for.
pub(crate) enum Ids<'a> {
    /// Nothing: there are no storages.
    None,
    /// Storages, described by the id.
    Storages(&'a mut Storages),
    /// Tensors that were built before, by key.
    Tensors(&'a BTreeMap<String, View>),
}
