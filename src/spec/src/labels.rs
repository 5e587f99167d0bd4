//! What can be said of a stage in a table: its set, backbone, scheme, α and so on, from itself and the stages above it.
//! Each kind says its own. Unaware of results; a label is configuration, never a measurement.

use std::collections::{BTreeMap, BTreeSet};

use crate::around::Around;

/// Labels and their values.
pub type Labels = BTreeMap<String, String>;

/// Shown where a label does not apply, such as α of a baseline.
pub const NONE: &str = "–";

/// The labels of a stage. Those of an evaluation: `set`, `degrade`, `scale`, `sigma`, `backbone`, `scheme`, `alpha`,
/// `variant`, `locations`, `init`, `share`, `seed`, `precision`, `granularity`, `grid`, `masks`, `segmenter`, `luma`,
/// `tiling`, and the axes of the sweeps it comes from. Those of a mask stage: `set`, `degrade`, `segmenter`,
/// `granularity`, `grid`, `masks`.
pub fn of(around: &Around<'_>) -> Labels {
    let mut labels = Labels::new();
    around.stage().kind.labels(around, &mut labels);
    labels
}

/// The labels that at least one of the evaluations has.
pub(crate) fn known(around: &Around<'_>, evaluations: &[usize]) -> BTreeSet<String> {
    evaluations
        .iter()
        .flat_map(|&at| of(&around.of(at)).into_keys())
        .collect()
}

/// What every network has: `backbone`, and the `seed` and `precision` of its training.
pub(crate) fn model(model: &Around<'_>, labels: &mut Labels) {
    if let Some(backbone) = model.architecture() {
        labels.insert("backbone".into(), backbone.title().into());
    }
    let schedule = model.stage().kind.schedule();
    let seed = schedule.map_or(NONE.into(), |s| s.seed.to_string());
    labels.insert("seed".into(), seed);
    let precision = schedule.map_or(NONE.into(), |s| s.precision.to_string());
    labels.insert("precision".into(), precision);
}

/// What a network has that was not tuned.
pub(crate) fn baseline(labels: &mut Labels) {
    labels.insert("scheme".into(), "baseline".into());
    for label in ["alpha", "variant", "locations", "init", "share"] {
        labels.insert(label.into(), NONE.into());
    }
}

/// What an evaluation without masks has.
pub(crate) fn no_masks(labels: &mut Labels) {
    for label in ["granularity", "grid", "segmenter", "masks"] {
        labels.insert(label.into(), NONE.into());
    }
}
