//! Weights on disk: reading `.pth` and `.safetensors`, strict filling of a model's parameters, writing.
//! Unaware of models beyond names and shapes, and of the cache.

mod entry;
mod error;
mod guess;
mod network;
mod pth;
mod safe;
mod survey;
mod weights;

pub use entry::{Shapes, shapes};
pub use error::{CheckpointError, Mismatch};
pub use guess::{Recognised, cat_split, recognise};
pub use network::{Place, Wanted};
pub use safe::{safetensors_bytes, save_safetensors};
pub use survey::{Survey, survey};
pub use weights::{Weights, assign, load_into, open, read};
