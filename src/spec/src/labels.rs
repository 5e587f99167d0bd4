//! What can be said of an evaluation in a table: its set, backbone, scheme, α and so on, from the stages above it.
//! Unaware of results; a label is configuration, never a measurement.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::around::Around;
use crate::backbones::Architecture;
use crate::kinds::{Degrade, Evaluate, Kind, Prepare, Tune};
use crate::names::Scheme;

/// Shown where a label does not apply, such as α of a baseline.
pub const NONE: &str = "–";

/// The labels of the evaluation `at`: `set`, `degrade`, `scale`, `sigma`, `backbone`, `scheme`, `alpha`, `variant`,
/// `locations`, `init`, `share`, `seed`, `precision`, `granularity`, `grid`, `masks`, `segmenter`, `luma`, `tiling`, and
/// the axes of the sweeps it comes from.
pub fn of(around: &Around<'_>) -> BTreeMap<String, String> {
    let stage = around.stage();
    let mut labels = BTreeMap::new();
    let Kind::Evaluate(evaluate) = &stage.kind else {
        return labels;
    };
    for role in ["images", "model"] {
        if let Some(input) = around.input(role) {
            labels.extend(input.stage().axes.iter().cloned());
        }
    }
    labels.extend(stage.axes.iter().cloned());
    if let Some(Kind::Prepare(prepare)) = around.input("images").map(|i| &i.stage().kind) {
        image_labels(prepare, evaluate, &mut labels);
    }
    if let Some(model) = around.input("model") {
        model_labels(&model, &mut labels);
    }
    mask_labels(around, &mut labels);
    labels
}

/// The labels of the mask stage `at`: `set`, `degrade`, `segmenter`, `granularity`, `grid`, `masks`.
pub fn of_masks(around: &Around<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let stage = around.stage();
    if let Some(Kind::Prepare(prepare)) = around.input("images").map(|i| &i.stage().kind) {
        labels.insert("set".into(), set_name(prepare));
        labels.insert("degrade".into(), degrade_label(prepare.degrade));
    }
    if let Kind::Mask(mask) = &stage.kind {
        labels.insert("granularity".into(), mask.granularity.to_string());
        labels.insert("grid".into(), mask.grid().to_string());
        labels.insert("segmenter".into(), mask.segmenter.label());
        labels.insert("masks".into(), mask.count().to_string());
    }
    labels
}

/// For each of a `robustness` stage's LQ mask stages, its partners: HQ mask stages of the same images with the same
/// settings.
pub fn mask_pairs(robustness: &Around<'_>) -> Vec<(usize, Vec<usize>)> {
    let is_partner = |lq: usize, hq: usize| {
        let (a, b) = (robustness.of(lq).stage(), robustness.of(hq).stage());
        match (&a.kind, &b.kind) {
            (Kind::Mask(x), Kind::Mask(y)) => {
                a.input("images") == b.input("images") && x.same_but_of(y)
            }
            _ => false,
        }
    };
    let partners = |lq: usize| {
        let hq = robustness.stage().inputs_of("hq");
        hq.filter(|&hq| is_partner(lq, hq)).collect()
    };
    let all = robustness.stage().inputs_of("lq");
    all.map(|lq| (lq, partners(lq))).collect()
}

fn degrade_label(degrade: Degrade) -> String {
    match degrade {
        Degrade::Sr(scale) => format!("×{scale}"),
        Degrade::Denoise(sigma) => format!("σ={sigma}"),
    }
}

/// The labels that at least one of the evaluations has.
pub(crate) fn known(around: &Around<'_>, evaluations: &[usize]) -> BTreeSet<String> {
    evaluations
        .iter()
        .flat_map(|&at| of(&around.of(at)).into_keys())
        .collect()
}

/// The name of a set of images in tables: `name`, else the data sets', else the folder's, else (for `HR` and the like)
/// its parent's.
pub fn set_name(prepare: &Prepare) -> String {
    if let Some(name) = &prepare.name {
        return name.clone();
    }
    let Some(folder) = &prepare.images else {
        return prepare.dataset.title();
    };
    let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    let own = name(folder).unwrap_or_default();
    let generic = matches!(
        own.to_ascii_uppercase().as_str(),
        "HR" | "GT" | "GTMOD12" | "ORIGINAL"
    );
    if generic {
        folder.parent().and_then(name).unwrap_or(own)
    } else {
        own
    }
}

fn image_labels(prepare: &Prepare, evaluate: &Evaluate, labels: &mut BTreeMap<String, String>) {
    labels.insert("set".into(), set_name(prepare));
    labels.insert("luma".into(), evaluate.luma(prepare.degrade).to_string());
    labels.insert("tiling".into(), evaluate.tiling.to_string());
    labels.insert("degrade".into(), degrade_label(prepare.degrade));
    match prepare.degrade {
        Degrade::Sr(scale) => {
            labels.insert("scale".into(), format!("×{scale}"));
        }
        Degrade::Denoise(sigma) => {
            labels.insert("sigma".into(), sigma.to_string());
        }
    }
}

fn model_labels(model: &Around<'_>, labels: &mut BTreeMap<String, String>) {
    if let Some(backbone) = model.architecture() {
        labels.insert("backbone".into(), backbone.title().into());
    }
    let kind = &model.stage().kind;
    let schedule = kind.schedule();
    let seed = schedule.map_or(NONE.into(), |s| s.seed.to_string());
    labels.insert("seed".into(), seed);
    let precision = schedule.map_or(NONE.into(), |s| s.precision.to_string());
    labels.insert("precision".into(), precision);
    if let Kind::Tune(tune) = kind {
        tune_labels(tune, model, labels);
        return;
    }
    labels.insert("scheme".into(), "baseline".into());
    for label in ["alpha", "variant", "locations", "init", "share"] {
        labels.insert(label.into(), NONE.into());
    }
}

fn tune_labels(tune: &Tune, model: &Around<'_>, labels: &mut BTreeMap<String, String>) {
    let spt = tune.scheme == Scheme::Spt;
    labels.insert(
        "scheme".into(),
        if spt { "SPT" } else { "full fine-tuning" }.into(),
    );
    let blocks = model.architecture().map_or(0, Architecture::blocks);
    let values = [
        ("alpha", tune.alpha.to_string()),
        ("variant", tune.variant.to_string()),
        (
            "locations",
            format!("B1–B{}", tune.locations.unwrap_or(blocks)),
        ),
        ("init", tune.init.to_string()),
        ("share", tune.share.to_string()),
    ];
    for (label, value) in values {
        labels.insert(label.into(), if spt { value } else { NONE.into() });
    }
}

fn mask_labels(around: &Around<'_>, labels: &mut BTreeMap<String, String>) {
    let mask = match around.input("masks").map(|m| &m.stage().kind) {
        Some(Kind::Mask(mask)) => Some(mask),
        _ => None,
    };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.into());
    labels.insert(
        "granularity".into(),
        or_none(mask.map(|m| m.granularity.to_string())),
    );
    labels.insert("grid".into(), or_none(mask.map(|m| m.grid().to_string())));
    labels.insert(
        "segmenter".into(),
        or_none(mask.map(|m| m.segmenter.label())),
    );
    labels.insert("masks".into(), or_none(mask.map(|m| m.count().to_string())));
}
