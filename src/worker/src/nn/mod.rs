//! The neural networks of the worker: backbones, SPT units, their weights and their optimiser.
//! Unaware of stages, images and files other than checkpoints.

pub mod adam;
pub mod backbone;
pub mod checkpoint;
pub mod cuda;
pub mod imdn;
pub mod layers;
pub mod params;
pub mod sam;
pub mod spt;
#[cfg(test)]
mod tests;

pub use adam::Adam;
pub use backbone::Backbone;
pub use imdn::Imdn;
pub use sam::Sam;
pub use spt::{Spt, Tuned};
