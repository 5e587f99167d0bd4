//! A network with its weights as stages hand it on: `weights.safetensors` and `model.json`.
//! Unaware of training and of images' files.

use std::collections::BTreeMap;
use std::path::Path;

use artifacts::exported::SPT;
use artifacts::{ModelCard, SptCard};
use pixels::{MaskStack, Rgb8};
use spec::backbones::Architecture;
use spec::kinds::Tiling;
use spec::names::Precision;
use spec::{Device, Job};
use store::{Digest, WeightsDigest};
use tch::nn::VarStore;
use tch::{Kind, Tensor};

use super::WorkError;
use super::outside::Reader;
use super::pairs::LqImage;
use crate::nn::tiling;
use crate::nn::transformer::{to_map, to_tokens};
use crate::nn::{Backbone, Spt, Tuned, checkpoint, host, params, precision, spt};

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
    /// The numbers that images are restored with.
    kind: Kind,
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
            kind: Kind::Float,
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

    /// Restores images with these numbers. Who asks for bfloat16 has looked whether there are instructions for it.
    #[must_use]
    pub(super) const fn computing_with(mut self, precision: Precision) -> Self {
        self.kind = match precision {
            Precision::Fp32 | Precision::Tf32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        };
        self
    }

    /// The network that a stage left in `folder`, and what it is.
    pub(super) fn load(
        folder: &Path,
        reader: Reader<'_>,
        device: tch::Device,
    ) -> Result<(Self, ModelCard), WorkError> {
        let card = ModelCard::read(folder)?;
        let model = Self::new(&card.architecture, card.spt.as_ref(), device);
        let path = folder.join(Job::WEIGHTS);
        let data = reader.open(&path, 4 * model.parameters())?;
        let tensors = checkpoint::read(data, &path)?.tensors()?;
        model.fill(tensors).map_err(|why| {
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

    /// Gives the network all its weights, those of SPT units by their names behind the prefix.
    pub(super) fn fill(&self, tensors: BTreeMap<String, Tensor>) -> Result<(), String> {
        let (units, own): (BTreeMap<_, _>, BTreeMap<_, _>) = tensors
            .into_iter()
            .partition(|(name, _)| name.starts_with(SPT));
        checkpoint::assign(&self.backbone, &own).map_err(|e| e.to_string())?;
        self.fill_units(units)
    }

    /// Gives the SPT units their weights, by their names behind the prefix.
    pub(super) fn fill_units(&self, tensors: BTreeMap<String, Tensor>) -> Result<(), String> {
        let own_name = |name: String| name.strip_prefix(SPT).map_or(name.clone(), str::to_owned);
        let units: BTreeMap<String, Tensor> = tensors
            .into_iter()
            .map(|(name, t)| (own_name(name), t))
            .collect();
        match &self.units {
            Some(store) => checkpoint::assign(store, &units).map_err(|e| e.to_string()),
            None if units.is_empty() => Ok(()),
            None => Err("it holds SPT units".into()),
        }
    }

    /// A digest over the backbone's names, shapes and numbers, whatever file they came from.
    pub(super) fn backbone_digest(&self) -> Digest {
        let mut digest = WeightsDigest::default();
        for (name, tensor) in params::snapshot(&self.backbone) {
            let numbers = host::floats(&tensor).into_iter();
            let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
            let shape: Vec<u64> = tensor.size().iter().map(|n| n.unsigned_abs()).collect();
            digest.add(&name, &shape, &bytes);
        }
        digest.finish()
    }

    /// Enlargement of each side: 1 for denoising.
    pub(super) fn scale(&self) -> i64 {
        self.parts().0.scale()
    }

    /// From how far away, in LQ pixels, a pixel of the image can change another; none where from everywhere.
    pub(super) fn reach(&self) -> Option<i64> {
        let (backbone, units) = self.parts();
        Some(backbone.reach()? + units.map_or(0, Spt::reach))
    }

    /// About the most memory that an image of H × W LQ pixels takes on its way through, in bytes.
    pub(super) fn memory(&self, height: i64, width: i64) -> u64 {
        let (backbone, units) = self.parts();
        let units = units.map_or(0, |units| units.memory(height, width));
        backbone.memory(height, width).saturating_add(units)
    }

    fn parts(&self) -> (&Backbone, Option<&Spt>) {
        match &self.net {
            Net::Plain(backbone) => (backbone, None),
            Net::Tuned(tuned) => (&tuned.backbone, Some(&tuned.spt)),
        }
    }

    /// An image as the network reads it, (1, 3, H, W) in [0, 1].
    pub(super) fn tensor(&self, image: &Rgb8) -> Tensor {
        let size = [1, 3, image.height as i64, image.width as i64];
        let x = Tensor::from_slice(&image.to_chw_f32()).view(size);
        host::send(&x, self.device)
    }

    /// The masks within a part (left, top, width and height) of their image, (1, `N_c`, H, W); none where none are read.
    pub(super) fn mask_part(
        &self,
        stack: &MaskStack,
        [x, y, w, h]: [usize; 4],
    ) -> Result<Option<Tensor>, WorkError> {
        let part = |count| self.mask_tensor(stack, count, [x, y, w, h]);
        self.masks().map(part).transpose()
    }

    /// A part of an image restored, as [`Self::forward`], laid out as its size asks for.
    pub(super) fn piece(&self, x: &Tensor, masks: Option<&Tensor>) -> Result<Tensor, WorkError> {
        let inner = self.is_inner(x);
        let masks = masks.map(|masks| laid(masks, inner));
        self.computed(|| self.forward(&laid(x, inner), masks.as_ref()))
    }

    /// What `body` computes with the numbers that images are restored with, in float32.
    fn computed(
        &self,
        body: impl FnOnce() -> Result<Tensor, WorkError>,
    ) -> Result<Tensor, WorkError> {
        Ok(precision::to(
            &precision::with(self.kind, body)?,
            Kind::Float,
        ))
    }

    /// The same without SPT units.
    pub(super) fn plain(&self, x: &Tensor) -> Tensor {
        let inner = self.is_inner(x);
        let plain = precision::with(self.kind, || self.parts().0.baseline(&laid(x, inner)));
        precision::to(&plain, Kind::Float)
    }

    /// Whether an image (B, C, H, W) is to have its channels innermost.
    fn is_inner(&self, x: &Tensor) -> bool {
        let pixels = x.size()[2] * x.size()[3] * self.scale().pow(2);
        self.channels_last && pixels >= LARGE
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
        let x = host::send(&Tensor::from_slice(&lq.chw).view(size), self.device);
        let masks = match masks {
            Some(stack) => self.mask_part(stack, [0, 0, stack.width, stack.height])?,
            None => None,
        };
        let y = self.restored(&x, masks.as_ref(), tiling, go_on)?;
        let (out_h, out_w) = (y.size()[2] as usize, y.size()[3] as usize);
        let chw = host::floats(&y);
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
        let backbone = self.parts().0;
        let joined = match masks {
            Some(masks) => Tensor::cat(&[x, masks], 1), // (1, 3 + N_c, H, W)
            None => x.shallow_clone(),
        };
        let rule = backbone.tiling(tiling);
        let inner = self.is_inner(&joined);
        tiling::tiled(&joined, &rule, backbone.scale(), &mut |piece| {
            go_on()?;
            let masks = masks.map(|m| laid(&piece.narrow(1, 3, m.size()[1]), inner));
            let image = laid(&piece.narrow(1, 0, 3), inner);
            self.computed(|| self.forward(&image, masks.as_ref()))
        })
    }

    /// (1, `N_c`, H, W) of 0 and 1 for a part of the image.
    fn mask_tensor(
        &self,
        stack: &MaskStack,
        count: usize,
        [x, y, w, h]: [usize; 4],
    ) -> Result<Tensor, WorkError> {
        let mut bits = vec![0; count * w * h];
        stack
            .clone()
            .with_slots(count)
            .crop_into(x, y, w, h, &mut bits)?;
        let shape = [1, count as i64, h as i64, w as i64];
        let bits = Tensor::from_slice(&bits).view(shape);
        Ok(host::send(&bits, self.device).to_kind(Kind::Float))
    }
}

/// An image with its channels innermost in memory, or as it is. Networks keep the layout of what they are given.
fn laid(x: &Tensor, inner: bool) -> Tensor {
    if inner {
        to_map(&to_tokens(x))
    } else {
        x.shallow_clone()
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
