//! What people look at: tables from evaluations, and the graph of stages as a picture.
//! Unaware of running anything; it reads the outputs it is pointed at.

pub mod graph;
pub mod table;
