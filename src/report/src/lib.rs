//! What people look at: tables, curves and figures from results, and the graph of stages as a picture.
//! Unaware of running anything; it reads the outputs it is pointed at.

pub mod events;
pub mod figure;
pub mod graph;
mod plot;
pub mod robustness;
pub mod stamp;
pub mod table;
mod xml;
