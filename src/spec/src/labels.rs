//! What can be said of an evaluation in a table: its set, backbone, scheme, α and so on, from the stages above it.
//! Unaware of results; a label is configuration, never a measurement.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::backbones::Architecture;
use crate::kinds::{Degrade, Evaluate, Kind, Prepare, Tune};
use crate::names::Scheme;
use crate::pipeline::{Pipeline, Stage, Typed};

/// A list of stages, whether checked already or not.
pub trait Stages {
    /// The stage of this index.
    fn stage(&self, at: usize) -> &Stage;
}

impl Stages for Pipeline {
    fn stage(&self, at: usize) -> &Stage {
        &self.stages[at]
    }
}

impl Stages for [Typed] {
    fn stage(&self, at: usize) -> &Stage {
        &self[at].stage
    }
}

/// Shown where a label does not apply, such as α of a baseline.
pub const NONE: &str = "–";

/// The labels of the evaluation `at`: `set`, `degrade`, `scale`, `sigma`, `backbone`, `scheme`, `alpha`, `variant`,
/// `locations`, `init`, `share`, `seed`, `precision`, `granularity`, `grid`, `masks`, `segmenter`, `luma`, `tiling`, and
/// the axes of the sweeps it comes from.
pub fn of<S: Stages + ?Sized>(stages: &S, at: usize) -> BTreeMap<String, String> {
    let stage = stages.stage(at);
    let mut labels = BTreeMap::new();
    let Kind::Evaluate(evaluate) = &stage.kind else {
        return labels;
    };
    for role in ["images", "model"] {
        if let Some(input) = stage.input(role) {
            labels.extend(stages.stage(input).axes.iter().cloned());
        }
    }
    labels.extend(stage.axes.iter().cloned());
    if let Some(Kind::Prepare(prepare)) = stage.input("images").map(|i| &stages.stage(i).kind) {
        image_labels(prepare, evaluate, &mut labels);
    }
    if let Some(model) = stage.input("model") {
        model_labels(stages, model, &mut labels);
    }
    mask_labels(stages, stage, &mut labels);
    labels
}

/// The labels of the mask stage `at`: `set`, `degrade`, `segmenter`, `granularity`, `grid`, `masks`.
pub fn of_masks<S: Stages + ?Sized>(stages: &S, at: usize) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let stage = stages.stage(at);
    if let Some(Kind::Prepare(prepare)) = stage.input("images").map(|i| &stages.stage(i).kind) {
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
pub fn mask_pairs<S: Stages + ?Sized>(stages: &S, robustness: &Stage) -> Vec<(usize, Vec<usize>)> {
    let is_partner = |lq: usize, hq: usize| {
        let (a, b) = (stages.stage(lq), stages.stage(hq));
        match (&a.kind, &b.kind) {
            (Kind::Mask(x), Kind::Mask(y)) => {
                a.input("images") == b.input("images") && x.same_but_of(y)
            }
            _ => false,
        }
    };
    let partners = |lq: usize| {
        let hq = robustness.inputs_of("hq");
        hq.filter(|&hq| is_partner(lq, hq)).collect()
    };
    let all = robustness.inputs_of("lq");
    all.map(|lq| (lq, partners(lq))).collect()
}

fn degrade_label(degrade: Degrade) -> String {
    match degrade {
        Degrade::Sr(scale) => format!("×{scale}"),
        Degrade::Denoise(sigma) => format!("σ={sigma}"),
    }
}

/// The labels that at least one of the evaluations has.
pub(crate) fn known(stages: &[Typed], evaluations: &[usize]) -> BTreeSet<String> {
    evaluations
        .iter()
        .flat_map(|&at| of(stages, at).into_keys())
        .collect()
}

/// The network of a `pretrained`, `train` or `tune` stage. What a tuned stage was tuned from may itself be tuned, and so
/// on; there is no circle.
pub fn architecture<S: Stages + ?Sized>(stages: &S, mut at: usize) -> Option<&Architecture> {
    loop {
        let stage = stages.stage(at);
        if !matches!(stage.kind, Kind::Tune(_)) {
            return own_architecture(&stage.kind);
        }
        at = stage.input("backbone")?;
    }
}

/// The network that the stage itself names.
pub(crate) const fn own_architecture(kind: &Kind) -> Option<&Architecture> {
    match kind {
        Kind::Pretrained(pretrained) => Some(&pretrained.backbone),
        Kind::Train(train) => Some(&train.backbone),
        _ => None,
    }
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

fn model_labels<S: Stages + ?Sized>(
    stages: &S,
    model: usize,
    labels: &mut BTreeMap<String, String>,
) {
    if let Some(backbone) = architecture(stages, model) {
        labels.insert("backbone".into(), backbone.title().into());
    }
    let kind = &stages.stage(model).kind;
    let schedule = kind.schedule();
    let seed = schedule.map_or(NONE.into(), |s| s.seed.to_string());
    labels.insert("seed".into(), seed);
    let precision = schedule.map_or(NONE.into(), |s| s.precision.to_string());
    labels.insert("precision".into(), precision);
    if let Kind::Tune(tune) = kind {
        tune_labels(tune, stages, model, labels);
        return;
    }
    labels.insert("scheme".into(), "baseline".into());
    for label in ["alpha", "variant", "locations", "init", "share"] {
        labels.insert(label.into(), NONE.into());
    }
}

fn tune_labels<S: Stages + ?Sized>(
    tune: &Tune,
    stages: &S,
    model: usize,
    labels: &mut BTreeMap<String, String>,
) {
    let spt = tune.scheme == Scheme::Spt;
    labels.insert(
        "scheme".into(),
        if spt { "SPT" } else { "full fine-tuning" }.into(),
    );
    let blocks = architecture(stages, model).map_or(0, Architecture::blocks);
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

fn mask_labels<S: Stages + ?Sized>(
    stages: &S,
    stage: &Stage,
    labels: &mut BTreeMap<String, String>,
) {
    let mask = match stage.input("masks").map(|m| &stages.stage(m).kind) {
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
