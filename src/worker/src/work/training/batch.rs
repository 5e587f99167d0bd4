//! Patches as tensors: LQ, HR and masks cut out alike and turned alike.
//! Unaware of losses and networks.

use std::path::Path;
use std::sync::OnceLock;

use pixels::{MaskStack, Rgb8};
use rayon::prelude::*;
use spec::kinds::{Degrade, Schedule};
use tch::{Device, Kind, Tensor};

use super::patches::{Patch, Sampler, Turn, normals};
use crate::nn::kernels::{self, Layout};
use crate::nn::transformer::{to_map, to_tokens};
use crate::work::WorkError;
use crate::work::masks::Masks;
use crate::work::pairs::Pairs;

/// What one iteration trains on.
pub struct Batch {
    /// (B, 3, p, p) in [0, 1], not clipped with noise.
    pub lq: Tensor,
    /// (B, 3, s·p, s·p) in [0, 1].
    pub hr: Tensor,
    /// (B, `N_c`, p, p) of 0 and 1, for networks with SPT units.
    pub masks: Option<Tensor>,
}

impl Batch {
    /// The patches in `count` equal parts, in their order.
    pub fn parts(&self, count: i64) -> Vec<Self> {
        let cut = |x: &Tensor| x.chunk(count, 0);
        let masks = self.masks.as_ref().map(cut);
        let both = cut(&self.lq).into_iter().zip(cut(&self.hr)).enumerate();
        both.map(|(i, (lq, hr))| Self {
            lq,
            hr,
            masks: masks.as_ref().map(|m| m[i].shallow_clone()),
        })
        .collect()
    }
}

/// Images kept decoded at most; those beyond are read again each time.
const KEEP_BYTES: usize = 768 << 20;

/// Where batches come from.
pub struct Batches {
    pairs: Pairs,
    stacks: Option<Vec<MaskStack>>,
    slots: usize,
    kept: Vec<Option<OnceLock<Images>>>,
    sampler: Sampler,
    scale: usize,
    device: Device,
    channels_last: bool,
}

/// One patch, turned.
struct Cut {
    hr: Tensor,
    lq: Tensor,
    masks: Option<Tensor>,
}

struct Images {
    hr: Rgb8,
    /// Absent with noise, where the LQ patch is the HR patch and noise.
    lq: Option<Rgb8>,
}

impl Batches {
    /// Opens pairs and masks. Every image must hold a patch.
    pub fn open(
        images: &Path,
        masks: Option<&Path>,
        schedule: &Schedule,
        slots: Option<usize>,
        device: Device,
    ) -> Result<Self, WorkError> {
        let pairs = Pairs::open(images)?;
        let stacks = match (masks, slots) {
            (Some(folder), Some(_)) => Some(read_stacks(folder, &pairs)?),
            _ => None,
        };
        let degrade = pairs.list.degrade;
        let side = schedule.patch(degrade) as usize;
        check_sizes(&pairs, side)?;
        let sampler = Sampler {
            sizes: pairs
                .list
                .pairs
                .iter()
                .map(|p| (p.width, p.height))
                .collect(),
            side,
            batch: schedule.patches() as usize,
            augment: schedule.augment,
            seed: schedule.seed,
        };
        let scale = degrade.scale() as usize;
        let kept = kept_slots(&pairs, scale);
        Ok(Self {
            pairs,
            stacks,
            slots: slots.unwrap_or(0),
            kept,
            sampler,
            scale,
            device,
            channels_last: is_channels_last(schedule, device),
        })
    }

    /// The batch of `iteration`, counted from 0.
    pub fn batch(&self, iteration: u64) -> Result<Batch, WorkError> {
        let patches = self.sampler.patches(iteration);
        // An image that is not kept is decoded anew; the others of the batch need not wait for it.
        let cut: Vec<Cut> = patches
            .par_iter()
            .map(|patch| self.patch(patch))
            .collect::<Result<_, _>>()?;
        let (mut hr, mut lq, mut masks) = (Vec::new(), Vec::new(), Vec::new());
        for one in cut {
            hr.push(one.hr);
            lq.push(one.lq);
            masks.extend(one.masks);
        }
        let hr = self.finish(&hr) / 255.0;
        let lq = self.laid(self.noisy(self.finish(&lq) / 255.0, iteration));
        let masks = self
            .stacks
            .is_some()
            .then(|| self.laid(self.finish(&masks)));
        Ok(Batch { lq, hr, masks })
    }

    fn patch(&self, patch: &Patch) -> Result<Cut, WorkError> {
        let (hr, lq) = self.images(patch)?;
        let masks = match &self.stacks {
            Some(stacks) => Some(self.mask_patch(&stacks[patch.image], patch)?),
            None => None,
        };
        Ok(Cut {
            hr: turned(&hr, patch.turn),
            lq: turned(&lq, patch.turn),
            masks: masks.map(|m| turned(&m, patch.turn)),
        })
    }

    fn finish(&self, patches: &[Tensor]) -> Tensor {
        Tensor::stack(patches, 0)
            .to_device(self.device)
            .to_kind(Kind::Float)
            .contiguous()
    }

    /// Networks keep the layout of what they are given.
    fn laid(&self, x: Tensor) -> Tensor {
        if self.channels_last {
            to_map(&to_tokens(&x))
        } else {
            x
        }
    }

    /// Adds noise that is drawn anew each iteration; with SR there is none.
    fn noisy(&self, lq: Tensor, iteration: u64) -> Tensor {
        let Degrade::Denoise(sigma) = self.pairs.list.degrade else {
            return lq;
        };
        let values = normals(lq.numel(), &mut self.sampler.noise(iteration));
        let noise = Tensor::from_slice(&values)
            .view(lq.size().as_slice())
            .to_device(self.device);
        lq + noise * (sigma / 255.0)
    }

    fn images(&self, patch: &Patch) -> Result<(Tensor, Tensor), WorkError> {
        match &self.kept[patch.image] {
            Some(slot) => {
                if slot.get().is_none() {
                    // Another patch of the batch may have filled it meanwhile, with the same image.
                    let _ = slot.set(self.read(patch.image)?);
                }
                let images = slot
                    .get()
                    .ok_or_else(|| WorkError::new("an image was lost in memory", ""))?;
                self.cut(images, patch)
            }
            None => self.cut(&self.read(patch.image)?, patch),
        }
    }

    fn read(&self, image: usize) -> Result<Images, WorkError> {
        let lq = match self.pairs.list.degrade {
            Degrade::Sr(_) => Some(self.pairs.lq_8bit(image)?),
            Degrade::Denoise(_) => None,
        };
        Ok(Images {
            hr: self.pairs.hr(image)?,
            lq,
        })
    }

    fn cut(&self, images: &Images, patch: &Patch) -> Result<(Tensor, Tensor), WorkError> {
        let (side, s) = (self.sampler.side, self.scale);
        let hr = images
            .hr
            .crop(patch.x * s, patch.y * s, side * s, side * s)?;
        let hr = chw_u8(&hr);
        let lq = match &images.lq {
            Some(lq) => chw_u8(&lq.crop(patch.x, patch.y, side, side)?),
            None => hr.shallow_clone(),
        };
        Ok((hr, lq))
    }

    fn mask_patch(&self, stack: &MaskStack, patch: &Patch) -> Result<Tensor, WorkError> {
        let side = self.sampler.side;
        let mut bits = vec![0; self.slots * side * side];
        stack.crop_into(patch.x, patch.y, side, side, &mut bits)?;
        Ok(Tensor::from_slice(&bits).view([self.slots as i64, side as i64, side as i64]))
    }
}

fn read_stacks(folder: &Path, pairs: &Pairs) -> Result<Vec<MaskStack>, WorkError> {
    let masks = Masks::open(folder, pairs)?;
    (0..pairs.list.pairs.len())
        .map(|at| masks.stack(at))
        .collect()
}

fn check_sizes(pairs: &Pairs, side: usize) -> Result<(), WorkError> {
    let small = pairs
        .list
        .pairs
        .iter()
        .find(|p| p.width < side || p.height < side);
    let Some(small) = small else { return Ok(()) };
    let message = format!(
        "the image `{}` is {}×{} LQ pixels, smaller than a patch of {side}×{side}",
        small.name, small.width, small.height
    );
    Err(WorkError::new(
        message,
        "lower `patch`, or leave the image out with `only`",
    ))
}

/// A place in memory for each image until the memory set aside for them is used up.
/// The layout of a training's images: the schedule's word, or what this processor is fastest with.
fn is_channels_last(schedule: &Schedule, device: Device) -> bool {
    let fastest = || device == Device::Cpu && kernels::current().layout == Layout::ChannelsLast;
    schedule.channels_last.unwrap_or_else(fastest)
}

fn kept_slots(pairs: &Pairs, scale: usize) -> Vec<Option<OnceLock<Images>>> {
    let mut used = 0;
    let place = |p: &artifacts::PairEntry| {
        used += 3 * p.width * p.height * (scale * scale + 1);
        (used <= KEEP_BYTES).then(OnceLock::new)
    };
    pairs.list.pairs.iter().map(place).collect()
}

/// (3, H, W) of bytes.
fn chw_u8(image: &Rgb8) -> Tensor {
    let shape = [image.height as i64, image.width as i64, 3];
    Tensor::from_slice(&image.data)
        .view(shape)
        .permute([2, 0, 1])
}

/// A square patch (C, p, p), mirrored, flipped and transposed.
fn turned(patch: &Tensor, turn: Turn) -> Tensor {
    let mut axes = Vec::new();
    if turn.mirror {
        axes.push(2_i64);
    }
    if turn.flip {
        axes.push(1_i64);
    }
    let patch = if axes.is_empty() {
        patch.shallow_clone()
    } else {
        patch.flip(axes)
    };
    if turn.transpose {
        patch.transpose(1, 2)
    } else {
        patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eight_turns_of_a_patch_are_distinct() {
        let patch = Tensor::from_slice(&[1_u8, 2, 3, 4]).view([1, 2, 2]);
        let mut seen = std::collections::BTreeSet::new();
        for bits in 0..8 {
            let turn = Turn {
                mirror: bits & 1 == 1,
                flip: bits & 2 == 2,
                transpose: bits & 4 == 4,
            };
            let values = Vec::<u8>::try_from(turned(&patch, turn).contiguous().view(-1)).unwrap();
            seen.insert(values);
        }
        assert_eq!(seen.len(), 8);
    }
}
