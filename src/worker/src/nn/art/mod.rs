//! ART, the attention retractable transformer: Zhang et al., "Accurate Image Restoration with Attention Retractable
//! Transformer" (ICLR 2023), as gladzhang/ART `basicsr/archs/art_arch.py`. Unaware of masks, SPT units and training.

mod config;
mod groups;
mod net;

pub use config::Config;
pub use groups::Groups;
pub use net::{Art, Block, Group};
