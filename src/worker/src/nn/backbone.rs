//! The backbones behind one face: what stands between them and SPT units, training and evaluation.
//! Unaware of masks, weights on disk and images.
//!
//! ```text
//!   Architecture (what a pipeline says) ── new ──> Box<dyn Network>, one file each ── Backbone: any size, tiles ──> work
//! ```

use spec::backbones::Architecture;
use spec::kinds::Tiling;
use tch::Tensor;
use tch::nn::Path;

use super::art::{self, Art};
use super::cat::{self, Cat};
use super::dncnn::{self, Dncnn};
use super::imdn::{self, Imdn};
use super::tiling::{self, Rule};

pub use super::network::{AfterBlock, Network, OfficialTiling};

/// A network of one of the kinds that there are.
#[derive(Debug)]
pub struct Backbone(Box<dyn Network>);

impl<N: Network + 'static> From<N> for Backbone {
    fn from(network: N) -> Self {
        Self(Box::new(network))
    }
}

impl Backbone {
    /// The backbone that a pipeline describes at path `p`, all weights zero.
    pub fn new(p: &Path, architecture: &Architecture) -> Self {
        match architecture {
            Architecture::Imdn(size) => Imdn::new(p, &imdn::Config::of(size)).into(),
            Architecture::Art(size) => Art::new(p, &art::Config::of(size)).into(),
            Architecture::Cat(size) => Cat::new(p, &cat::Config::of(size)).into(),
            Architecture::Dncnn(size) => Dncnn::new(p, &dncnn::Config::of(size)).into(),
        }
    }

    /// See [`Network::scale`].
    pub fn scale(&self) -> i64 {
        self.0.scale()
    }

    /// See [`Network::channels`].
    pub fn channels(&self) -> i64 {
        self.0.channels()
    }

    /// See [`Network::multiple`].
    pub fn multiple(&self) -> i64 {
        self.0.multiple()
    }

    /// See [`Network::channels_last`].
    pub fn channels_last(&self) -> bool {
        self.0.channels_last()
    }

    /// See [`Network::reach`].
    pub fn reach(&self) -> Option<i64> {
        self.0.reach()
    }

    /// See [`Network::memory`].
    pub fn memory(&self, height: i64, width: i64) -> u64 {
        self.0.memory(height, width)
    }

    /// See [`Network::blocks`].
    pub fn blocks(&self) -> usize {
        self.0.blocks()
    }

    /// See [`Network::forward`].
    pub fn forward(&self, x: &Tensor, after_block: &mut AfterBlock<'_>) -> Tensor {
        self.0.forward(x, after_block)
    }

    /// How its images are cut for `tiling`.
    pub fn tiling(&self, tiling: Tiling) -> Rule {
        let official = self.0.official_tiling();
        Rule {
            side: match tiling {
                Tiling::None => None,
                Tiling::Official => official.side,
                Tiling::Side(side) => Some(i64::from(side)),
            },
            multiple: self.multiple(),
            border: official.border,
            overlap: official.overlap,
        }
    }

    /// The restored image without SPT units: the baseline. Any H and W.
    pub fn baseline(&self, x: &Tensor) -> Tensor {
        self.any_size(x, |x| self.forward(x, &mut |_, features| features))
    }

    /// `restore` of `x` (B, C, H, W), with its sides made multiples of [`Self::multiple`] and the result cropped.
    pub fn any_size(&self, x: &Tensor, restore: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        let (h, w, s) = (x.size()[2], x.size()[3], self.scale());
        let y = restore(&tiling::fit(x, self.multiple()));
        if y.size()[2..] == [h * s, w * s] {
            return y;
        }
        y.narrow(2, 0, h * s).narrow(3, 0, w * s)
    }
}
