//! The graph of stages as a text or a picture: Graphviz, Mermaid, SVG.
//! Unaware of files and of how a state was found out.
//!
//! ```text
//!   Pipeline, states ──> build: nodes (a sweep is one, or one a member), edges, counts
//!                          |
//!                          +──> dot, mermaid: their programs do the layout
//!                          +──> layers ──> order ──> place ──> svg: drawn here
//!                              (longest (fewest    (straight
//!                                paths)  crossings) edges)
//! ```

mod build;
mod dot;
mod layers;
mod mermaid;
mod order;
mod place;
mod svg;
#[cfg(test)]
mod tests;

pub use build::{Counts, Graph, Node, State, build};
pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;
