//! Lines over a number, as a picture that needs no other program.
//! Unaware of trainings and tables.

mod scale;
mod svg;
#[cfg(test)]
mod tests;

/// A plot of curves.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Above it.
    pub title: String,
    /// What the horizontal axis shows.
    pub x: String,
    /// What the vertical axis shows.
    pub y: String,
    /// Sentences below the legend.
    pub notes: Vec<String>,
    /// The curves, in the order of the legend.
    pub curves: Vec<Curve>,
}

/// A curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name in the legend; curves of one name share a colour and a line of the legend.
    pub name: String,
    /// x and y, in order of x; finite.
    pub points: Vec<(f64, f64)>,
    /// The x of the point that is marked.
    pub marked: Option<f64>,
}
