//! The neural networks of the worker: backbones, SPT units, their weights and their optimiser.
//! Unaware of stages, images and files other than checkpoints.

pub mod adam;
pub mod art;
pub mod backbone;
pub mod blend;
pub mod cat;
pub mod checkpoint;
pub mod cuda;
pub mod dncnn;
pub mod host;
pub mod imdn;
pub mod kernels;
pub mod layers;
pub mod network;
pub mod params;
pub mod precision;
pub mod sam;
pub mod spt;
#[cfg(test)]
mod tests;
pub mod tiling;
pub mod transformer;

pub use adam::Adam;
pub use art::Art;
pub use backbone::Backbone;
pub use cat::Cat;
pub use dncnn::Dncnn;
pub use imdn::Imdn;
pub use sam::Sam;
pub use spt::{Spt, Tuned};
