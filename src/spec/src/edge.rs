//! An edge of the graph.
//! Unaware of stages.

use crate::lines::Tag;

/// An input: a role and the stage that fills it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The field (`images`, `validate.masks`); with a number behind it where several members may stand
    /// (`from.0.2`: the third member of the first reference).
    pub role: String,
    /// Index into `Pipeline::stages`.
    pub stage: usize,
    /// What it determines besides the result.
    pub tag: Tag,
}
