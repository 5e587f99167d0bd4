//! What can be said of a stage in a table: its set, backbone, scheme, α and so on, from itself and the stages above it.
//! Each kind says its own. Unaware of results; a label is configuration, never a measurement.

use std::collections::BTreeMap;

use crate::backbones::Architecture;
use crate::names::Precision;

/// Labels and their values.
pub type Labels = BTreeMap<String, String>;

/// Shown where a label does not apply, such as α of a baseline.
pub const NONE: &str = "–";

/// The word for what a label says, where a file calls it as the field that it comes from.
pub(crate) fn word(written: &str) -> &str {
    match written {
        "channel" => "luma",
        "num_units" => "locations",
        other => other,
    }
}

/// What every network has: `backbone`, and the `seed` and `precision` of its training.
pub(crate) fn model(
    backbone: Option<&Architecture>,
    training: Option<(u64, Precision)>,
    labels: &mut Labels,
) {
    if let Some(backbone) = backbone {
        labels.insert("backbone".into(), backbone.title().into());
    }
    let seed = training.map_or(NONE.into(), |(seed, _)| seed.to_string());
    labels.insert("seed".into(), seed);
    let precision = training.map_or(NONE.into(), |(_, precision)| precision.to_string());
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
