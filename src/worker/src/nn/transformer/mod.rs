//! What ART and CAT share: token layers, position bias, and the convolutions around the residual groups.
//! Unaware of which tokens attend to which.

mod attention;
mod bias;
mod frame;
mod layers;

pub use attention::attend;
pub use bias::PositionBias;
pub use frame::{Closing, Connection, Frame, Shape, Upsampler, to_map, to_tokens, wide};
pub use layers::{LayerNorm, Linear, Mlp};
