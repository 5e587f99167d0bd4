//! A network with its weights as stages hand it on: `weights.safetensors` and `model.json`.
//! Unaware of training and of images' files.

use std::collections::BTreeMap;
use std::path::Path;

use artifacts::{ModelCard, SptCard};
use pixels::{MaskStack, Rgb8};
use spec::Device;
use spec::backbones::Architecture;
use spec::kinds::Tiling;
use tch::nn::VarStore;
use tch::{Kind, Tensor};

use super::WorkError;
use super::pairs::LqImage;
use crate::nn::tiling;
use crate::nn::transformer::{to_map, to_tokens};
use crate::nn::{Backbone, Spt, Tuned, checkpoint, params, spt};

/// Stands before the names of SPT weights, whose backbone keeps the official names.
const SPT: &str = "spt.";

/// HR pixels from which on an image is large: those of DIV2K have 2.8 million, those of the benchmark sets about 1
/// million at most.
const LARGE: i64 = 2_000_000;

/// A network in memory.
pub struct Model {
    /// Weights of the backbone, by their official names.
    pub backbone: VarStore,
    /// Weights of the SPT units.
    pub units: Option<VarStore>,
    /// The backbone's size.
    pub architecture: Architecture,
    net: Net,
    device: tch::Device,
    /// Whether large images go through the network with their channels innermost.
    channels_last: bool,
}

enum Net {
    Plain(Backbone),
    Tuned(Tuned),
}

/// The device of a job as tch names it.
pub(super) const fn device(device: Device) -> tch::Device {
    match device {
        Device::Cpu => tch::Device::Cpu,
        Device::Cuda(index) => tch::Device::Cuda(index),
    }
}

impl Model {
    /// A backbone, with SPT units if `card` asks for them; all weights zero.
    pub fn new(architecture: &Architecture, card: Option<&SptCard>, device: tch::Device) -> Self {
        let store = VarStore::new(device);
        let backbone = Backbone::new(&store.root(), architecture);
        let (units, net) = match card {
            None => (None, Net::Plain(backbone)),
            Some(card) => {
                let units = VarStore::new(device);
                let spt = Spt::new(&units.root(), &spt_config(card, backbone.channels()));
                (Some(units), Net::Tuned(Tuned { backbone, spt }))
            }
        };
        Self {
            backbone: store,
            units,
            architecture: architecture.clone(),
            net,
            device,
            channels_last: false,
        }
    }

    /// Lays images of [`LARGE`] pixels and more out as this network takes them fastest: on the CPU a network of
    /// convolutions alone needs 0.7 of the time with channels innermost. That adds in another order, and single samples
    /// are rounded to another 8-bit value; the images of the benchmark sets are smaller, and keep the official code's
    /// order, with which published numbers come out to the last decimal.
    #[must_use]
    pub const fn laid_out_for_images(mut self) -> Self {
        let convolutions = matches!(self.architecture, Architecture::Imdn(_));
        self.channels_last = convolutions && matches!(self.device, tch::Device::Cpu);
        self
    }

    /// The network that a stage left in `folder`, and what it is.
    pub fn load(folder: &Path, device: tch::Device) -> Result<(Self, ModelCard), WorkError> {
        let card = ModelCard::read(folder)?;
        let model = Self::new(&card.architecture, card.spt.as_ref(), device);
        let path = folder.join("weights.safetensors");
        let tensors = checkpoint::open(&path)?.tensors()?;
        let (units, own): (BTreeMap<_, _>, BTreeMap<_, _>) = tensors
            .into_iter()
            .partition(|(name, _)| name.starts_with(SPT));
        let units = units
            .into_iter()
            .map(|(name, t)| (name[SPT.len()..].to_owned(), t))
            .collect();
        model.assign(&own, &units).map_err(|why| {
            WorkError::new(
                format!(
                    "`{}` does not fit its model.json: {why}",
                    ::files::Name(&path)
                ),
                "",
            )
        })?;
        Ok((model, card))
    }

    fn assign(
        &self,
        own: &BTreeMap<String, Tensor>,
        units: &BTreeMap<String, Tensor>,
    ) -> Result<(), String> {
        checkpoint::assign(&self.backbone, own).map_err(|e| e.to_string())?;
        match &self.units {
            Some(store) => checkpoint::assign(store, units).map_err(|e| e.to_string()),
            None if units.is_empty() => Ok(()),
            None => Err("it holds SPT units".into()),
        }
    }

    /// Gives the backbone the weights of another network of the same size.
    pub fn take_backbone(&self, other: &Self) -> Result<(), WorkError> {
        checkpoint::assign(&self.backbone, &params::named(&other.backbone))
            .map_err(|e| WorkError::new(format!("the weights do not fit the backbone: {e}"), ""))
    }

    /// All weights as copies, SPT units with their prefix.
    pub fn snapshot(&self) -> BTreeMap<String, Tensor> {
        let mut all = params::snapshot(&self.backbone);
        if let Some(units) = &self.units {
            all.extend(
                params::snapshot(units)
                    .into_iter()
                    .map(|(n, t)| (format!("{SPT}{n}"), t)),
            );
        }
        all
    }

    /// Number of all parameters.
    pub fn parameters(&self) -> u64 {
        (params::count(&self.backbone) + self.units.as_ref().map_or(0, params::count)) as u64
    }

    /// `N_c`, if there are SPT units.
    pub fn masks(&self) -> Option<usize> {
        match &self.net {
            Net::Plain(_) => None,
            Net::Tuned(tuned) => Some(tuned.spt.config.masks as usize),
        }
    }

    /// The restored batch (B, 3, sH, sW), not clamped, of `x` (B, 3, H, W) in [0, 1] and masks (B, `N_c`, H, W).
    ///
    /// `masks` are read by networks with SPT units only, which cannot do without.
    pub fn forward(&self, x: &Tensor, masks: Option<&Tensor>) -> Result<Tensor, WorkError> {
        match (&self.net, masks) {
            (Net::Plain(backbone), _) => Ok(backbone.baseline(x)),
            (Net::Tuned(tuned), Some(masks)) => Ok(tuned.forward(x, masks)),
            (Net::Tuned(_), None) => Err(WorkError::new(
                "a network with SPT units was given no masks",
                "",
            )),
        }
    }

    /// Restores one whole image to 8 bits, cut by `tiling`.
    pub fn restore(
        &self,
        lq: &LqImage,
        masks: Option<&MaskStack>,
        tiling: Tiling,
    ) -> Result<Rgb8, WorkError> {
        self.restore_until(lq, masks, tiling, &|| Ok(()))
    }

    /// The same; `go_on` is asked before each tile, and its error ends the work.
    pub fn restore_until(
        &self,
        lq: &LqImage,
        masks: Option<&MaskStack>,
        tiling: Tiling,
        go_on: &dyn Fn() -> Result<(), WorkError>,
    ) -> Result<Rgb8, WorkError> {
        let _guard = tch::no_grad_guard();
        let size = [1, 3, lq.height as i64, lq.width as i64];
        let x = Tensor::from_slice(&lq.chw)
            .view(size)
            .to_device(self.device);
        let masks = match (self.masks(), masks) {
            (Some(count), Some(stack)) => Some(self.mask_tensor(stack, count)?),
            _ => None,
        };
        let y = self.restored(&x, masks.as_ref(), tiling, go_on)?;
        let (out_h, out_w) = (y.size()[2] as usize, y.size()[3] as usize);
        let y = y
            .to_device(tch::Device::Cpu)
            .to_kind(Kind::Float)
            .contiguous();
        let mut chw = vec![0.0_f32; 3 * out_h * out_w];
        y.copy_data(&mut chw, 3 * out_h * out_w);
        if chw.iter().any(|v| !v.is_finite()) {
            return Err(WorkError::new(
                "the network's output is not finite",
                "its weights diverged: lower `lr`, or use `weights: best`",
            ));
        }
        Ok(Rgb8::from_chw_f32(&chw, out_w, out_h)?)
    }

    /// As [`Self::forward`], with image and masks cut alike.
    fn restored(
        &self,
        x: &Tensor,
        masks: Option<&Tensor>,
        tiling: Tiling,
        go_on: &dyn Fn() -> Result<(), WorkError>,
    ) -> Result<Tensor, WorkError> {
        let backbone = match &self.net {
            Net::Plain(backbone) => backbone,
            Net::Tuned(tuned) => &tuned.backbone,
        };
        let joined = match masks {
            Some(masks) => Tensor::cat(&[x, masks], 1), // (1, 3 + N_c, H, W)
            None => x.shallow_clone(),
        };
        let rule = backbone.tiling(tiling);
        let pixels = joined.size()[2] * joined.size()[3] * backbone.scale().pow(2);
        let inner = self.channels_last && pixels >= LARGE;
        // Networks keep the layout of what they are given.
        let laid = |x: Tensor| if inner { to_map(&to_tokens(&x)) } else { x };
        tiling::tiled(&joined, &rule, backbone.scale(), &mut |piece| {
            go_on()?;
            let masks = masks.map(|m| laid(piece.narrow(1, 3, m.size()[1])));
            self.forward(&laid(piece.narrow(1, 0, 3)), masks.as_ref())
        })
    }

    /// (1, `N_c`, H, W) of 0 and 1.
    fn mask_tensor(&self, stack: &MaskStack, count: usize) -> Result<Tensor, WorkError> {
        let (w, h) = (stack.width, stack.height);
        let mut bits = vec![0; count * w * h];
        stack
            .clone()
            .with_slots(count)
            .crop_into(0, 0, w, h, &mut bits)?;
        let shape = [1, count as i64, h as i64, w as i64];
        Ok(Tensor::from_slice(&bits)
            .view(shape)
            .to_device(self.device)
            .to_kind(Kind::Float))
    }
}

fn spt_config(card: &SptCard, channels: i64) -> spt::Config {
    spt::Config {
        channels,
        masks: i64::from(card.masks),
        units: card.units as usize,
        alpha: card.alpha,
        variant: card.variant,
        share: card.share,
    }
}

/// Writes `weights.safetensors` and `model.json`.
pub(super) fn save(
    out: &Path,
    weights: &BTreeMap<String, Tensor>,
    card: &ModelCard,
) -> Result<(), WorkError> {
    checkpoint::save_safetensors(&out.join("weights.safetensors"), weights, &BTreeMap::new())?;
    card.write(out)?;
    Ok(())
}
