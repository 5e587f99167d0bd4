//! What the page's script works with: one JSON.
//! Unaware of HTML, and of where the numbers come from.

use serde::Serialize;

use crate::model::Stage;
use crate::{curves, sets, tables};

/// What the page's script works with.
#[derive(Serialize)]
pub(crate) struct Data<'a> {
    pub command: &'a str,
    pub path: &'a str,
    pub stages: &'a [Stage],
    pub tables: Vec<tables::Shown>,
    pub curves: Vec<curves::Shown<'a>>,
    pub sets: Vec<sets::Shown<'a>>,
    /// Names of all metrics in files, and as tables call them.
    pub metrics: Vec<[&'static str; 2]>,
    pub going_on: bool,
}
