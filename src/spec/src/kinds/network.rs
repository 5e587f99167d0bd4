//! Which network a stage hands on.
//! Unaware of networks' sizes.

use crate::backbones::Architecture;

/// Which network a stage hands on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Network<'k> {
    /// None.
    None,
    /// The one that it names itself.
    Own(&'k Architecture),
    /// That of the stage that fills this role.
    Of(&'static str),
}
