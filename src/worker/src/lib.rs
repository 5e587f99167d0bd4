//! The worker's rooms: does one stage (or one declared batch of stages) for `pipeline`, with libtorch.
//! Unaware of the graph, of keys and of other stages.

pub mod nn;
pub mod work;
