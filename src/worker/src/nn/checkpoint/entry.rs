//! The tensors of a file, and of a model, by name.
//! Unaware of file formats.

use std::collections::BTreeMap;
use std::io;

use tch::Kind;
use tch::nn::VarStore;

use crate::nn::params;

/// A tensor of a file: its type and shape are known, its numbers are not read.
pub(super) struct Entry {
    pub kind: Option<Kind>,
    /// The stored type's own name, for messages.
    pub stored_as: String,
    pub size: Vec<i64>,
    /// Bytes of a number.
    pub width: u64,
    pub read: Box<dyn Fn() -> io::Result<Vec<u8>>>,
}

impl Entry {
    /// Bytes its numbers take, without overflow.
    pub fn bytes(&self) -> u128 {
        self.size.iter().fold(self.width.into(), |bytes: u128, &n| {
            bytes.saturating_mul(u128::try_from(n).unwrap_or(0))
        })
    }
}

/// Shapes by name.
pub type Shapes = BTreeMap<String, Vec<i64>>;

/// The names and shapes of all parameters of `store`.
pub fn shapes(store: &VarStore) -> Shapes {
    let params = params::named(store).into_iter();
    params.map(|(name, param)| (name, param.size())).collect()
}
