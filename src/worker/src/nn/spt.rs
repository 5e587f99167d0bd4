//! SPT units (SAM prior tuning; paper, equations 6 to 8 and Table 3) and the backbone tuned with them.
//! Unaware of how masks are made, of losses and of checkpoints; the readings are those of METHOD §2.

use spec::names::{Init, Share, Variant};
use tch::Tensor;
use tch::nn::{Path, VarStore};

use super::backbone::Backbone;
use super::layers::Conv;
use super::params;
use super::tiling;
use super::transformer::{to_map, to_tokens};

/// The shape of the trainable part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// C, the channels of the backbone's block outputs.
    pub channels: i64,
    /// `N_c`, the masks of an image.
    pub masks: i64,
    /// Units stand after blocks 1 to `units` (Table 3 right).
    pub units: usize,
    /// Weight of the units' output (equation 8, Table 4).
    pub alpha: f64,
    /// What a unit mixes (Table 3 left).
    pub variant: Variant,
    /// Whether one unit's weights serve all blocks.
    pub share: Share,
}

impl Config {
    /// Number of units with weights of their own.
    fn own_units(&self) -> usize {
        match self.share {
            Share::None => self.units,
            Share::Units => self.units.min(1),
        }
    }
}

/// The trainable part: a head for the first prior, and the units.
#[derive(Debug)]
pub struct Spt {
    /// The configuration it was built with.
    pub config: Config,
    head: Option<F>,
    units: Vec<Unit>,
}

impl Spt {
    /// SPT units at path `p`, all weights zero: see [`initialise`].
    ///
    /// Parameters: `head.{0,2}` (not in `spt_p`), `units.<i>.{fuse,feat,prior}.{0,2}` or `units.<i>.cat.{0,2}`.
    pub fn new(p: &Path, cfg: &Config) -> Self {
        let head = cfg.variant != Variant::SptP;
        Self {
            config: *cfg,
            head: head.then(|| F::new(&(p / "head"), 3 + cfg.masks, cfg.channels)),
            units: (0..cfg.own_units())
                .map(|i| Unit::new(&(p / "units" / i), cfg))
                .collect(),
        }
    }

    /// The first prior `P_1` (B, C, H, W) of image `x` (B, 3, H, W) and `masks` (B, `N_c`, H, W); none in `spt_p`.
    pub fn start(&self, x: &Tensor, masks: &Tensor) -> Option<Tensor> {
        self.head
            .as_ref()
            .map(|head| head.forward(&Tensor::cat(&[x, masks], 1)))
    }

    /// Block `i` (0-based) has produced `h` (B, C, H, W): what takes its place, and the next prior.
    ///
    /// Blocks past the last unit stay as they are.
    pub fn apply(
        &self,
        i: usize,
        h: Tensor,
        masks: &Tensor,
        prior: Option<Tensor>,
    ) -> (Tensor, Option<Tensor>) {
        if i >= self.config.units {
            return (h, prior);
        }
        let unit = match self.config.share {
            Share::None => &self.units[i],
            Share::Units => &self.units[0],
        };
        let (change, prior) = unit.forward(&h, masks, prior);
        (h + self.scaled(change), prior)
    }
}

impl Spt {
    /// How much farther than the backbone a pixel of the image can change another: two pixels for each `f` on the way.
    pub fn reach(&self) -> i64 {
        4 * self.config.units as i64
    }

    /// About the most memory that an image of H × W takes besides the backbone's, in bytes; measured, and rounded up.
    pub fn memory(&self, height: i64, width: i64) -> u64 {
        let maps = 2 * self.config.masks + 4 * self.config.channels;
        (height * width * maps).unsigned_abs().saturating_mul(4)
    }

    /// `α · change`; α = 1, the default, costs nothing.
    #[expect(clippy::float_cmp, reason = "only exactly 1 may be left out")]
    fn scaled(&self, change: Tensor) -> Tensor {
        if self.config.alpha == 1.0 {
            change
        } else {
            change * self.config.alpha
        }
    }
}

/// `f` of the paper: conv3×3 – `ReLU` – conv3×3, with its own weights at every occurrence.
#[derive(Debug)]
struct F {
    first: Conv,
    last: Conv,
}

impl F {
    fn new(p: &Path, c_in: i64, c: i64) -> Self {
        Self {
            first: Conv::new(&(p / 0), c_in, c, 3),
            last: Conv::new(&(p / 2), c, c, 3),
        }
    }

    /// `f(x)` for `x` (B, `c_in`, H, W).
    fn forward(&self, x: &Tensor) -> Tensor {
        self.finish(self.first.forward(x)) // (B, C, H, W)
    }

    /// `f([a, b])`, without joining the two.
    fn forward_pair(&self, a: &Tensor, b: &Tensor) -> Tensor {
        self.finish(self.first.forward_pair(a, b)) // (B, C, H, W)
    }

    fn finish(&self, mut hidden: Tensor) -> Tensor {
        self.last.forward(&hidden.relu_())
    }
}

/// One unit (equations 7 and 8 without `α`), by variant.
#[derive(Debug)]
enum Unit {
    /// `F' = fuse([F, M])`, `p = prior(P)`, change `feat(F') ⊙ p + F'`, next prior `p + P`.
    Spt { fuse: F, feat: F, prior: F },
    /// The same with `F' = fuse(M)`.
    SptF { fuse: F, feat: F, prior: F },
    /// Change `feat(F') + F'`, no prior.
    SptP { fuse: F, feat: F },
    /// Change `f([M, F, P_1])`; the prior stays `P_1`.
    SptCat { cat: F },
}

impl Unit {
    fn new(p: &Path, cfg: &Config) -> Self {
        let (c, masks) = (cfg.channels, cfg.masks);
        let f = |name: &str, c_in| F::new(&(p / name), c_in, c);
        match cfg.variant {
            Variant::Spt => Self::Spt {
                fuse: f("fuse", c + masks),
                feat: f("feat", c),
                prior: f("prior", c),
            },
            Variant::SptF => Self::SptF {
                fuse: f("fuse", masks),
                feat: f("feat", c),
                prior: f("prior", c),
            },
            Variant::SptP => Self::SptP {
                fuse: f("fuse", c + masks),
                feat: f("feat", c),
            },
            Variant::SptCat => Self::SptCat {
                cat: f("cat", masks + 2 * c),
            },
        }
    }

    /// `F_i^spt` (B, C, H, W) for the feature `h`, and the next prior.
    fn forward(
        &self,
        h: &Tensor,
        masks: &Tensor,
        prior: Option<Tensor>,
    ) -> (Tensor, Option<Tensor>) {
        match self {
            Self::Spt {
                fuse,
                feat,
                prior: branch,
            } => mix(&fuse.forward_pair(h, masks), feat, branch, prior),
            Self::SptF {
                fuse,
                feat,
                prior: branch,
            } => mix(&fuse.forward(masks), feat, branch, prior),
            Self::SptP { fuse, feat } => {
                let fused = fuse.forward_pair(h, masks); // (B, C, H, W)
                (feat.forward(&fused) + fused, prior)
            }
            Self::SptCat { cat } => (cat.forward_pair(masks, &join(h, prior.as_ref())), prior),
        }
    }
}

/// Equation 7: the change `feat(F') ⊙ p + F'` and the next prior `p + P`, with `p = prior(P)`.
fn mix(fused: &Tensor, feat: &F, branch: &F, prior: Option<Tensor>) -> (Tensor, Option<Tensor>) {
    let Some(prior) = prior else {
        return (feat.forward(fused) + fused, None);
    };
    let p = branch.forward(&prior); // (B, C, H, W)
    (fused.addcmul(&feat.forward(fused), &p), Some(p + prior))
}

/// [`h`, `prior`] along the channels.
fn join(h: &Tensor, prior: Option<&Tensor>) -> Tensor {
    match prior {
        Some(prior) => Tensor::cat(&[h, prior], 1), // (B, 2C, H, W)
        None => h.shallow_clone(),
    }
}

/// Gives the parameters of an [`Spt`] built in `store` their first values, from one seed.
///
/// `default` draws as `PyTorch` does. `identity` draws the same, then sets the last convolutions of `fuse` and `feat` (of
/// `cat` in `spt_cat`) to zero, so that tuning starts from the baseline exactly; never also that of `prior`: two factors
/// of a product that are both zero get no gradient, ever.
pub fn initialise(store: &VarStore, init: Init, seed: u64) {
    params::draw(store, seed);
    match init {
        Init::Default => {}
        Init::Identity => params::zero(store, ends_a_change),
    }
}

/// Whether a parameter belongs to a convolution whose output is the unit's change, so that zeros mean no change.
fn ends_a_change(name: &str) -> bool {
    ["fuse.2.", "feat.2.", "cat.2."]
        .iter()
        .any(|part| name.contains(part))
}

/// A backbone with SPT units after its blocks.
#[derive(Debug)]
pub struct Tuned {
    /// The network, usually frozen.
    pub backbone: Backbone,
    /// The units.
    pub spt: Spt,
}

impl Tuned {
    /// The restored image of `x` (B, 3, H, W) in [0, 1] with `masks` (B, `N_c`, H, W) of 0 and 1, as (B, 3, sH, sW).
    pub fn forward(&self, x: &Tensor, masks: &Tensor) -> Tensor {
        let masks = tiling::fit(masks, self.backbone.multiple());
        let masks = if self.backbone.channels_last() {
            to_map(&to_tokens(&masks)) // the layout of the features it is convolved with
        } else {
            masks
        };
        self.backbone.any_size(x, |x| self.walk(x, &masks))
    }

    fn walk(&self, x: &Tensor, masks: &Tensor) -> Tensor {
        let mut prior = self.spt.start(x, masks);
        self.backbone.forward(x, &mut |i, h| {
            let (h, next) = self.spt.apply(i, h, masks, prior.take());
            prior = next;
            h
        })
    }
}
