//! What each stage kind may say: one struct a kind, each default in one place.
//! Unaware of how a stage is keyed, run or cached.

mod command;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use command::Command;

use crate::backbones::{Art, Cat};
use crate::names::{Granularity, Init, Loss, Luma, Metric, Scheme, Share, Variant, Weights};

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
            Kind::Table(_) | Kind::Command(_) => false,
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
        "command",
    ];

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
            Self::Command(_) => "command",
        }
    }

    /// Whether the stage computes with libtorch, so that its numerics class is in its key.
    pub const fn uses_torch(&self) -> bool {
        matches!(self, Self::Train(_) | Self::Tune(_) | Self::Evaluate(_))
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
                refs.many("from", &table.from);
                refs.many("baseline", &table.baseline);
            }
            Self::Command(command) => {
                for (name, text) in &command.stages {
                    refs.one(&format!("stages.{name}"), text, Accepts::Any);
                }
            }
        }
        refs.0
    }

    /// The outside files and folders this stage reads, each with the field that names it.
    pub fn outside(&self) -> Vec<(&'static str, &PathBuf)> {
        match self {
            Self::Prepare(prepare) => {
                let lr = prepare.lr.as_ref().map(|lr| ("lr", lr));
                let maybe = prepare.lr_if_present.as_ref();
                std::iter::once(("images", &prepare.images))
                    .chain(lr)
                    .chain(maybe.map(|lr| ("lr_if_present", lr)))
                    .collect()
            }
            Self::Mask(Mask {
                segmenter: Segmenter::Files { path },
                ..
            }) => {
                vec![("segmenter.files.path", path)]
            }
            Self::Pretrained(pretrained) => vec![("file", &pretrained.file)],
            Self::Command(command) => command.files.iter().map(|f| ("files", f)).collect(),
            Self::Mask(_) | Self::Train(_) | Self::Tune(_) | Self::Evaluate(_) | Self::Table(_) => {
                vec![]
            }
        }
    }

    /// The same, to be changed: relative paths are anchored at the pipeline file's folder.
    pub(crate) fn outside_mut(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Prepare(prepare) => std::iter::once(&mut prepare.images)
                .chain(prepare.lr.as_mut())
                .chain(prepare.lr_if_present.as_mut())
                .collect(),
            Self::Mask(Mask {
                segmenter: Segmenter::Files { path },
                ..
            }) => vec![path],
            Self::Pretrained(pretrained) => vec![&mut pretrained.file],
            Self::Command(command) => command.files.iter_mut().collect(),
            Self::Mask(_) | Self::Train(_) | Self::Tune(_) | Self::Evaluate(_) | Self::Table(_) => {
                vec![]
            }
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

    fn many(&mut self, field: &str, texts: &[String]) {
        for (i, text) in texts.iter().enumerate() {
            let path = format!("{field}.{i}");
            self.0.push(InputRef {
                path,
                text: text.clone(),
                accepts: Accepts::Evaluation,
                many: true,
            });
        }
    }
}

/// `prepare`: images of a folder become HR/LR pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// Folder of the HR (or clean) images: PNG and JPEG, 8 or 16 bit.
    pub images: PathBuf,
    /// Folder of existing LR images, named as the HR ones or with `x<scale>` behind the name.
    #[serde(default)]
    pub lr: Option<PathBuf>,
    /// The same, where that folder exists; where it does not, LR images are made.
    #[serde(default)]
    pub lr_if_present: Option<PathBuf>,
    /// What is done to them.
    pub degrade: Degrade,
    /// Only these files of the folder, by name; all when empty.
    #[serde(default)]
    pub only: Vec<String>,
    /// Seed of the evaluation noise, the same for every image as in ART's test code; only with `denoise`.
    #[serde(default)]
    pub seed: u32,
    /// The name in tables; the folder's own (or its parent's, if that is `HR`) when absent. Not in the key.
    #[serde(default)]
    pub name: Option<String>,
}

impl Prepare {
    /// The folder of LR images to use, if there is one. Looks whether `lr_if_present` exists.
    pub fn lr_folder(&self, exists: impl Fn(&std::path::Path) -> bool) -> Option<&PathBuf> {
        let maybe = self.lr_if_present.as_ref().filter(|path| exists(path));
        self.lr.as_ref().or(maybe)
    }
}

/// The degradation (METHOD: degradations).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Degrade {
    /// MATLAB's bicubic at this scale: 2, 3 or 4.
    Sr(u32),
    /// Gaussian noise of this standard deviation on 0–255.
    Denoise(f64),
}

impl Degrade {
    /// HR pixels per LQ pixel along a side.
    pub const fn scale(self) -> u32 {
        match self {
            Self::Sr(scale) => scale,
            Self::Denoise(_) => 1,
        }
    }
}

/// `mask`: `N_c` binary masks for each LQ image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// The images.
    pub images: String,
    /// Prompt grid and number of masks.
    #[serde(default = "coarse")]
    pub granularity: Granularity,
    /// Prompt points a side, where it is not the granularity's.
    #[serde(default)]
    pub grid: Option<u32>,
    /// `N_c`, where it is not the granularity's.
    #[serde(default)]
    pub count: Option<u32>,
    /// Who makes the masks.
    #[serde(default)]
    pub segmenter: Segmenter,
}

impl Mask {
    /// Prompt points a side.
    pub fn grid(&self) -> usize {
        self.grid.map_or(self.granularity.grid(), |n| n as usize)
    }

    /// `N_c`.
    pub fn count(&self) -> usize {
        self.count.map_or(self.granularity.masks(), |n| n as usize)
    }
}

const fn coarse() -> Granularity {
    Granularity::Coarse
}

/// Who makes the masks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Segmenter {
    /// Felzenszwalb–Huttenlocher graph segmentation at three scales; needs no weights.
    Graph(Graph),
    /// Masks that others made.
    Files {
        /// The folder: for each image `<image>/*.png`, or `<image>.json` with COCO run lengths as SAM's `amg.py`
        /// writes it.
        path: PathBuf,
    },
    /// All masks empty: a control.
    Zero,
    /// The masks of the next image of the set, fitted to this one's size: a control.
    Other {
        /// Whose masks.
        masks: String,
    },
}

impl Default for Segmenter {
    fn default() -> Self {
        Self::Graph(Graph::default())
    }
}

impl Segmenter {
    /// The name in YAML and in tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Graph(_) => "graph",
            Self::Files { .. } => "files",
            Self::Zero => "zero",
            Self::Other { .. } => "other",
        }
    }
}

/// Parameters of the graph segmenter; `None` means the segmenter's own default, which its version fixes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Graph {
    /// Standard deviation of the smoothing, in pixels.
    pub sigma: Option<f64>,
    /// The three scales of observation (part, object, whole), increasing.
    pub k: Option<[f64; 3]>,
    /// The smallest region, in pixels.
    pub min_size: Option<u32>,
}

/// A network and its size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Information multi-distillation network (Hui et al., 2019).
    Imdn(Imdn),
    /// Attention retractable transformer (Zhang et al., 2023).
    Art(Art),
    /// Cross aggregation transformer (Chen et al., 2022).
    Cat(Cat),
}

impl Architecture {
    /// The name in YAML.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Imdn(_) => "imdn",
            Self::Art(_) => "art",
            Self::Cat(_) => "cat",
        }
    }

    /// The name in tables.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Imdn(_) => "IMDN",
            Self::Art(_) => "ART",
            Self::Cat(_) => "CAT",
        }
    }

    /// HR pixels per LQ pixel along a side.
    pub const fn scale(&self) -> u32 {
        match self {
            Self::Imdn(imdn) => imdn.scale,
            Self::Art(art) => art.scale,
            Self::Cat(cat) => cat.scale,
        }
    }

    /// Blocks that an SPT unit can follow.
    pub const fn blocks(&self) -> u32 {
        match self {
            Self::Imdn(imdn) => imdn.blocks,
            Self::Art(art) => art.depths.len() as u32,
            Self::Cat(cat) => cat.depths.len() as u32,
        }
    }
}

/// IMDN's size; the defaults are the published network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Imdn {
    /// 2, 3 or 4.
    pub scale: u32,
    /// Channels.
    #[serde(default = "imdn_width")]
    pub width: u32,
    /// Blocks (IMDB1 …).
    #[serde(default = "imdn_blocks")]
    pub blocks: u32,
}

const fn imdn_width() -> u32 {
    64
}

const fn imdn_blocks() -> u32 {
    6
}

/// `pretrained`: weights that others trained, by the official key names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pretrained {
    /// The network they belong to.
    pub backbone: Architecture,
    /// A `.pth` or `.safetensors` file.
    pub file: PathBuf,
}

/// `train`: a backbone from scratch, or from the weights of another stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// The network.
    pub backbone: Architecture,
    /// Where it starts; random weights when absent.
    #[serde(default)]
    pub from: Option<String>,
    /// The training pairs.
    pub images: String,
    /// How long and how; its fields stand beside these in YAML.
    #[serde(default)]
    #[schemars(flatten)]
    pub schedule: Schedule,
}

/// `tune`: SPT units on a frozen backbone, or full fine-tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// What is trained.
    #[serde(default = "spt")]
    pub scheme: Scheme,
    /// The network tuned.
    pub backbone: String,
    /// The training pairs.
    pub images: String,
    /// Their masks; needed by `scheme: spt`.
    #[serde(default)]
    pub masks: Option<String>,
    /// α of equation 8: the weight of the unit's output.
    #[serde(default = "one")]
    pub alpha: f64,
    /// Units after blocks 1 to this; after all when absent.
    #[serde(default)]
    pub locations: Option<u32>,
    /// The unit.
    #[serde(default = "variant")]
    pub variant: Variant,
    /// How units start.
    #[serde(default = "init")]
    pub init: Init,
    /// Whether units share weights.
    #[serde(default = "share")]
    pub share: Share,
    /// How long and how; its fields stand beside these in YAML.
    #[serde(default)]
    #[schemars(flatten)]
    pub schedule: Schedule,
}

const fn spt() -> Scheme {
    Scheme::Spt
}

const fn one() -> f64 {
    1.0
}

const fn variant() -> Variant {
    Variant::Spt
}

const fn init() -> Init {
    Init::Default
}

const fn share() -> Share {
    Share::None
}

/// How long a training runs and by which rule; the defaults are the paper's (METHOD: tuning).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// How many iterations; one of this and `until`.
    pub iterations: Option<u64>,
    /// When to stop instead.
    pub until: Option<Until>,
    /// Patches an iteration.
    pub batch: u32,
    /// Side of a patch in LQ pixels; 64 for SR and 128 for denoising when absent.
    pub patch: Option<u32>,
    /// Learning rate of Adam.
    pub lr: f64,
    /// Iterations after which the learning rate is halved, again and again.
    pub halve_every: u64,
    /// Adam's betas.
    pub betas: [f64; 2],
    /// The loss, on the unclamped output.
    pub loss: Loss,
    /// Flips and rotations by 90°, 180°, 270°.
    pub augment: bool,
    /// Seed of initialisation, patches and noise.
    pub seed: u64,
    /// PSNR on images of its own while it runs.
    pub validate: Option<Validate>,
    /// Which weights are handed on; `best` where there is a validation, else `last`.
    pub weights: Option<Weights>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            iterations: None,
            until: None,
            batch: 4,
            patch: None,
            lr: 1e-4,
            halve_every: 5000,
            betas: [0.9, 0.999],
            loss: Loss::L1,
            augment: true,
            seed: 0,
            validate: None,
            weights: None,
        }
    }
}

impl Schedule {
    /// The most iterations there can be.
    pub fn limit(&self) -> u64 {
        match (self.iterations, &self.until) {
            (Some(n), _) => n,
            (None, Some(Until::Converged { at_most, .. })) => *at_most,
            (None, None) => 0,
        }
    }

    /// Which weights are handed on.
    pub const fn weights(&self) -> Weights {
        match (self.weights, &self.validate) {
            (Some(weights), _) => weights,
            (None, Some(_)) => Weights::Best,
            (None, None) => Weights::Last,
        }
    }

    /// Side of a patch in LQ pixels for images of this degradation (paper §4.1).
    pub fn patch(&self, degrade: Degrade) -> u32 {
        self.patch.unwrap_or(match degrade {
            Degrade::Sr(_) => 64,
            Degrade::Denoise(_) => 128,
        })
    }
}

/// When a training without a number of iterations stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Until {
    /// After `patience` validations without a gain of `min_gain`.
    Converged {
        /// Validations.
        #[serde(default = "patience")]
        patience: u32,
        /// dB of PSNR.
        #[serde(default = "min_gain")]
        min_gain: f64,
        /// Iterations after which it stops all the same.
        #[serde(default = "at_most")]
        at_most: u64,
    },
}

const fn patience() -> u32 {
    4
}

const fn min_gain() -> f64 {
    0.005
}

const fn at_most() -> u64 {
    100_000
}

/// PSNR on images that are not trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    /// The images.
    pub images: String,
    /// Their masks; needed by `scheme: spt`.
    #[serde(default)]
    pub masks: Option<String>,
    /// Iterations between validations.
    #[serde(default = "every")]
    pub every: u64,
}

const fn every() -> u64 {
    500
}

/// `evaluate`: a model on a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluate {
    /// The network.
    pub model: String,
    /// The images.
    pub images: String,
    /// Their masks; needed by a model with SPT units.
    #[serde(default)]
    pub masks: Option<String>,
    /// What is measured.
    #[serde(default = "both")]
    pub metrics: Vec<Metric>,
    /// The channel; `unrounded` for SR and `rgb` for denoising when absent.
    #[serde(default)]
    pub luma: Option<Luma>,
    /// Pixels cut from each side first; the scale for SR and 0 for denoising when absent.
    #[serde(default)]
    pub shave: Option<u32>,
    /// Whether the restored images are kept, as `restored/<name>.png`.
    #[serde(default)]
    pub save: bool,
}

impl Evaluate {
    /// The channel PSNR and SSIM are computed on (METHOD: evaluation).
    pub fn luma(&self, degrade: Degrade) -> Luma {
        self.luma.unwrap_or(match degrade {
            Degrade::Sr(_) => Luma::Unrounded,
            Degrade::Denoise(_) => Luma::Rgb,
        })
    }

    /// Pixels cut from each side.
    pub fn shave(&self, degrade: Degrade) -> u32 {
        self.shave.unwrap_or(match degrade {
            Degrade::Sr(scale) => scale,
            Degrade::Denoise(_) => 0,
        })
    }
}

fn both() -> Vec<Metric> {
    Metric::ALL.to_vec()
}

/// `table`: evaluations side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The evaluations; a swept stage stands for all of its members.
    pub from: Vec<String>,
    /// Labels that make the rows (see [`crate::labels`]), from the left; best values are marked among rows that
    /// differ in the last one only.
    pub rows: Vec<String>,
    /// The label whose values make columns (`set`); one column, over all images, when absent.
    #[serde(default)]
    pub columns: Option<String>,
    /// What the columns show.
    #[serde(default = "psnr")]
    pub metric: Metric,
    /// Columns behind them.
    #[serde(default)]
    pub values: Vec<TableValue>,
    /// What Δ is taken to: for each row, the evaluation among these of the same images and the same backbone.
    #[serde(default)]
    pub baseline: Vec<String>,
    /// Whether a column with the average over all images, weighted by their number, follows the columns.
    #[serde(default)]
    pub average: bool,
    /// The line above the table.
    #[serde(default)]
    pub caption: String,
    /// A line below the table, such as what is to be read with care.
    #[serde(default)]
    pub note: String,
}

const fn psnr() -> Metric {
    Metric::Psnr
}

/// A column of a table that is about the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableValue {
    /// SSIM, averaged over all images.
    Ssim,
    /// Iterations of the training whose weights were handed on or, with `best`, up to the best validation.
    Iterations,
    /// Trainable parameters of that training.
    Trainable,
    /// Distinct masks found an image, on average, before padding.
    Masks,
    /// Seconds the training took, as recorded; not determined by the key.
    Seconds,
    /// Peak memory of the training in MiB, as recorded; not determined by the key.
    PeakMemory,
}

/// What a stage asks of the machine; never in its key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Threads of the stage; all cores when absent. Results of torch stages may differ in the last bits between
    /// numbers of threads, which is why this is recorded.
    pub threads: Option<u32>,
    /// Seconds between checkpoints of a training; 10 when absent.
    pub checkpoint: Option<f64>,
    /// GPUs that a torch stage on CUDA gets for itself; 1 when absent.
    pub gpus: Option<u32>,
    /// So many stages with this wish may share one GPU.
    pub gpu_share: Option<u32>,
    /// How often a failed stage is tried again; 0 when absent. What a signal stopped is not a failure.
    pub retries: Option<u32>,
    /// Seconds after which the stage is stopped and has failed; no limit when absent.
    pub timeout: Option<f64>,
    /// GiB of memory above which the stage is stopped and has failed; no limit when absent.
    pub memory: Option<f64>,
}

impl Resources {
    /// Seconds between checkpoints.
    pub fn checkpoint_seconds(&self) -> f64 {
        self.checkpoint.unwrap_or(10.0)
    }
}
