//! What each stage kind may say: one file a kind, each default in one place.
//! Unaware of how a stage is keyed, run or cached.

mod command;
mod evaluate;
mod figure;
mod mask;
mod prepare;
mod pretrained;
mod resources;
mod robustness;
mod sam;
mod table;
mod tiling;
mod training;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use command::{Command, KeyPart, Shell};
pub use evaluate::Evaluate;
pub use figure::{Crop, Figure};
pub use mask::{Graph, Mask, Segmenter};
pub use prepare::{Degrade, Prepare};
pub use pretrained::Pretrained;
pub use resources::Resources;
pub use robustness::Robustness;
pub use sam::{PublishedSam, Sam, SamModel, SamShape};
pub use table::{Interval, LabelText, Table, TableValue};
pub use tiling::Tiling;
pub use training::{Schedule, Train, Tune, Until, Validate};

use crate::names::Scheme;

/// What a stage does, with its configuration. The name in YAML is the field of the stage (`tune: {…}`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Images from folders to HR/LR pairs.
    Prepare(Prepare),
    /// `N_c` masks for each LQ image.
    Mask(Mask),
    /// A backbone with weights that others trained.
    Pretrained(Pretrained),
    /// A backbone trained from scratch or from weights.
    Train(Train),
    /// SPT tuning or full fine-tuning of a backbone.
    Tune(Tune),
    /// PSNR and SSIM of each image.
    Evaluate(Evaluate),
    /// Evaluations side by side.
    Table(Table),
    /// Crops of restored images side by side.
    Figure(Figure),
    /// Masks of LQ images beside those of HQ images.
    Robustness(Robustness),
    /// A program of the user's own.
    Command(Command),
}

/// What a reference to a stage may point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// A `prepare` stage.
    Images,
    /// A `mask` stage.
    Masks,
    /// A `pretrained` or `train` stage: a network without SPT units.
    Backbone,
    /// A `pretrained`, `train` or `tune` stage.
    Model,
    /// An `evaluate` stage.
    Evaluation,
    /// Any stage.
    Any,
}

impl Accepts {
    /// Whether a stage of this kind may stand there.
    pub fn takes(self, kind: &Kind) -> bool {
        if self == Self::Any {
            return true;
        }
        match kind {
            Kind::Prepare(_) => self == Self::Images,
            Kind::Mask(_) => self == Self::Masks,
            Kind::Pretrained(_) | Kind::Train(_) => matches!(self, Self::Backbone | Self::Model),
            Kind::Tune(tune) => {
                self == Self::Model || (self == Self::Backbone && tune.scheme == Scheme::Full)
            }
            Kind::Evaluate(_) => self == Self::Evaluation,
            Kind::Table(_) | Kind::Figure(_) | Kind::Robustness(_) | Kind::Command(_) => false,
        }
    }

    /// What is expected, for messages.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Images => "a `prepare` stage",
            Self::Masks => "a `mask` stage",
            Self::Backbone => {
                "a `pretrained` or `train` stage (or a `tune` stage with `scheme: full`)"
            }
            Self::Model => "a `pretrained`, `train` or `tune` stage",
            Self::Evaluation => "an `evaluate` stage",
            Self::Any => "a stage",
        }
    }
}

/// A reference as it stands in a field: the field's path, the text, and what it may point at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRef {
    /// Dotted path within the kind, also the role of the input (`validate.images`).
    pub path: String,
    /// The reference as written.
    pub text: String,
    /// What it may point at.
    pub accepts: Accepts,
    /// Whether a swept stage may stand there for all of its members.
    pub many: bool,
}

impl InputRef {
    /// Whether an edge of this role comes from this reference.
    pub fn fills(&self, role: &str) -> bool {
        match role.strip_prefix(self.path.as_str()) {
            Some(rest) => rest.is_empty() || (self.many && rest.starts_with('.')),
            None => false,
        }
    }
}

impl Kind {
    /// The names of all kinds, in the order of [`Kind`].
    pub const NAMES: &'static [&'static str] = &[
        "prepare",
        "mask",
        "pretrained",
        "train",
        "tune",
        "evaluate",
        "table",
        "figure",
        "robustness",
        "command",
    ];

    /// The field that names SAM's weights.
    pub const SAM_WEIGHTS: &'static str = "segmenter.sam.weights";

    /// The name in YAML.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Prepare(_) => "prepare",
            Self::Mask(_) => "mask",
            Self::Pretrained(_) => "pretrained",
            Self::Train(_) => "train",
            Self::Tune(_) => "tune",
            Self::Evaluate(_) => "evaluate",
            Self::Table(_) => "table",
            Self::Figure(_) => "figure",
            Self::Robustness(_) => "robustness",
            Self::Command(_) => "command",
        }
    }

    /// Whether the stage shows what others computed, within `pipeline` itself.
    pub const fn is_report(&self) -> bool {
        matches!(self, Self::Table(_) | Self::Figure(_) | Self::Robustness(_))
    }

    /// Whether the stage computes with libtorch, so that its numerics class is in its key.
    pub const fn uses_torch(&self) -> bool {
        match self {
            Self::Train(_) | Self::Tune(_) | Self::Evaluate(_) => true,
            Self::Mask(mask) => matches!(mask.segmenter, Segmenter::Sam(_)),
            Self::Prepare(_)
            | Self::Pretrained(_)
            | Self::Table(_)
            | Self::Figure(_)
            | Self::Robustness(_)
            | Self::Command(_) => false,
        }
    }

    /// The references of this stage, in a fixed order.
    pub fn inputs(&self) -> Vec<InputRef> {
        let mut refs = References(Vec::new());
        match self {
            Self::Prepare(_) | Self::Pretrained(_) => {}
            Self::Mask(mask) => {
                refs.one("images", &mask.images, Accepts::Images);
                if let Segmenter::Other { masks } = &mask.segmenter {
                    refs.one("segmenter.other.masks", masks, Accepts::Masks);
                }
            }
            Self::Train(train) => {
                refs.option("from", train.from.as_ref(), Accepts::Backbone);
                refs.one("images", &train.images, Accepts::Images);
                refs.schedule(&train.schedule);
            }
            Self::Tune(tune) => {
                refs.one("backbone", &tune.backbone, Accepts::Backbone);
                refs.one("images", &tune.images, Accepts::Images);
                refs.option("masks", tune.masks.as_ref(), Accepts::Masks);
                refs.schedule(&tune.schedule);
            }
            Self::Evaluate(evaluate) => {
                refs.one("model", &evaluate.model, Accepts::Model);
                refs.one("images", &evaluate.images, Accepts::Images);
                refs.option("masks", evaluate.masks.as_ref(), Accepts::Masks);
            }
            Self::Table(table) => {
                refs.many("from", &table.from, Accepts::Evaluation);
                refs.many("baseline", &table.baseline, Accepts::Evaluation);
            }
            Self::Figure(figure) => {
                refs.one("baseline", &figure.baseline, Accepts::Evaluation);
                refs.one("tuned", &figure.tuned, Accepts::Evaluation);
            }
            Self::Robustness(robustness) => {
                refs.many("lq", &robustness.lq, Accepts::Masks);
                refs.many("hq", &robustness.hq, Accepts::Masks);
            }
            Self::Command(command) => {
                for (name, text) in &command.stages {
                    refs.0.push(InputRef {
                        path: format!("stages.{name}"),
                        text: text.clone(),
                        accepts: Accepts::Any,
                        many: true,
                    });
                }
            }
        }
        refs.0
    }

    /// The outside files and folders this stage reads, each with its role: the field that names it or, for a data set,
    /// what its folder holds.
    pub fn outside(&self) -> Vec<(&'static str, Cow<'_, Path>)> {
        let one = |field, path| vec![(field, Cow::Borrowed(Path::new(path)))];
        match self {
            Self::Prepare(prepare) => prepare.outside(),
            Self::Mask(Mask {
                segmenter: Segmenter::Files { path, .. },
                ..
            }) => one("segmenter.files.path", path),
            Self::Mask(Mask {
                segmenter: Segmenter::Sam(sam),
                ..
            }) => one(Self::SAM_WEIGHTS, &sam.weights),
            Self::Pretrained(pretrained) => one("file", &pretrained.file),
            Self::Command(command) => {
                let files = command.files.iter();
                files.map(|f| ("files", f.as_path().into())).collect()
            }
            Self::Table(table) => {
                let own = table.published.iter();
                let own = own.map(|path| ("published", Cow::Borrowed(path.as_path())));
                let baseline = table.published_baseline.iter();
                let baseline = baseline.map(|path| ("published_baseline", path.as_path().into()));
                own.chain(baseline).collect()
            }
            Self::Mask(_)
            | Self::Train(_)
            | Self::Tune(_)
            | Self::Evaluate(_)
            | Self::Figure(_)
            | Self::Robustness(_) => vec![],
        }
    }

    /// The field of the YAML that names an outside path of this role.
    pub(crate) fn field_of(&self, role: &'static str) -> &'static str {
        match self {
            Self::Prepare(prepare) => prepare.field_of(role),
            _ => role,
        }
    }

    /// The paths of the YAML with their fields, to be changed: relative ones are anchored at the folder of their file.
    pub(crate) fn paths_mut(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        match self {
            Self::Prepare(prepare) => [
                ("images", &mut prepare.images),
                ("root", &mut prepare.root),
                ("lr", &mut prepare.lr),
                ("lr_if_present", &mut prepare.lr_if_present),
            ]
            .into_iter()
            .filter_map(|(field, path)| Some((field, path.as_mut()?)))
            .collect(),
            Self::Mask(Mask {
                segmenter: Segmenter::Files { path, .. },
                ..
            }) => vec![("segmenter.files.path", path)],
            Self::Mask(Mask {
                segmenter: Segmenter::Sam(sam),
                ..
            }) => vec![(Self::SAM_WEIGHTS, &mut sam.weights)],
            Self::Pretrained(pretrained) => vec![("file", &mut pretrained.file)],
            Self::Table(table) => {
                let own = table.published.as_mut().map(|path| ("published", path));
                let baseline = table.published_baseline.as_mut();
                let baseline = baseline.map(|path| ("published_baseline", path));
                own.into_iter().chain(baseline).collect()
            }
            Self::Command(command) => {
                let files = command.files.iter_mut();
                files.map(|f| ("files", f)).collect()
            }
            Self::Mask(_)
            | Self::Train(_)
            | Self::Tune(_)
            | Self::Evaluate(_)
            | Self::Figure(_)
            | Self::Robustness(_) => vec![],
        }
    }

    /// The schedule of a stage that trains.
    pub const fn schedule(&self) -> Option<&Schedule> {
        match self {
            Self::Train(train) => Some(&train.schedule),
            Self::Tune(tune) => Some(&tune.schedule),
            _ => None,
        }
    }
}

struct References(Vec<InputRef>);

impl References {
    fn one(&mut self, path: &str, text: &str, accepts: Accepts) {
        self.0.push(InputRef {
            path: path.into(),
            text: text.into(),
            accepts,
            many: false,
        });
    }

    fn option(&mut self, path: &str, text: Option<&String>, accepts: Accepts) {
        if let Some(text) = text {
            self.one(path, text, accepts);
        }
    }

    fn schedule(&mut self, schedule: &Schedule) {
        if let Some(validate) = &schedule.validate {
            self.one("validate.images", &validate.images, Accepts::Images);
            self.option("validate.masks", validate.masks.as_ref(), Accepts::Masks);
        }
    }

    fn many(&mut self, field: &str, texts: &[String], accepts: Accepts) {
        for (i, text) in texts.iter().enumerate() {
            let path = format!("{field}.{i}");
            self.0.push(InputRef {
                path,
                text: text.clone(),
                accepts,
                many: true,
            });
        }
    }
}
