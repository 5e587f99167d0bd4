//! The page of a pipeline's reports: `index.html` and `img/`, to be opened from a disk and sent to others.
//! Unaware of plans, keys and running; it is told where results lie, and reads them.
//!
//! ```text
//!   Page: facts of the run, stages, tables, sets of images with their evaluations, trainings
//!     |
//!     ├── sets ───── pairs.json, metrics.csv, masks.json ──┐
//!     ├── tables ─── cells.csv, table.* ───────────────────┼── one JSON ── html ── index.html, with assets/*.js and *.css
//!     ├── curves ─── steps.csv ────────────────────────────┘
//!     └── pictures ─ PNG files and masks ── img/*.js, img/*.png: read when they are looked at
//! ```

mod curves;
mod data;
mod error;
mod html;
mod model;
mod pictures;
mod sets;
mod shelf;
mod single;
mod tables;

use spec::metrics::Metric;

use data::Data;

pub use error::PageError;
pub use model::{Figure, Masks, Method, Page, Set, Stage, Table, Training};
pub use shelf::Shelf;
pub use single::single;

/// Writes the page; returns the names of its files.
///
/// # Errors
/// A result cannot be read, but of a picture of another run, which is left out; or a file of the page cannot be written.
pub fn write(page: &Page, shelf: &dyn Shelf) -> Result<Vec<String>, PageError> {
    let mut files = pictures::Files::new(shelf);
    let sets = page.sets.iter().map(|set| sets::read(set, &mut files));
    let sets = sets.collect::<Result<Vec<_>, _>>()?;
    let tables = page.tables.iter().map(tables::read);
    let data = Data {
        command: &page.command,
        path: &page.path,
        stages: &page.stages,
        tables: tables.collect::<Result<_, _>>()?,
        curves: curves::read(&page.trainings)?,
        sets,
        metrics: Metric::ALL
            .iter()
            .map(|m| [m.as_str(), m.title()])
            .collect(),
        going_on: page.going_on,
    };
    if !page.graph.is_empty() {
        files.put("img/graph.svg", page.graph.as_bytes())?;
    }
    let text = html::page(page, &data);
    files.put("index.html", text.as_bytes())?;
    Ok(files.names())
}
