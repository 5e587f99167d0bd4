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
    /// The frames, one below the other over the same horizontal axis.
    pub frames: Vec<Frame>,
    /// Sentences below the legend.
    pub notes: Vec<String>,
}

/// A frame with curves.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What the vertical axis shows.
    pub y: String,
    /// Whether the vertical axis is logarithmic; its values are then above 0.
    pub is_log: bool,
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
