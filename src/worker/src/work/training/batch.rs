//! Batches of a training: LQ, HR and mask patches as tensors on its device, made ahead of the step.
//! Unaware of losses and networks, and of how a patch is cut (`raw`).
//!
//! ```text
//!   threads of their own:  raw(iteration) ── bytes ──┬─ CPU: float32, laid out ────────────────────────> step
//!                                                    └─ CUDA: pinned ── step's thread: copy, float32 ──> step
//! ```
//!
//! A thread of these asks libtorch for one thread: what it does is small, and to wait for a team of workers, which the step
//! keeps busy, would take far longer than the work. No sum is taken, so the numbers are the same.

use std::path::Path;
use std::sync::Arc;

use spec::KeepDecoded;
use spec::kinds::{Degrade, Schedule};
use tch::{Device, Kind, Tensor};

use super::patches::Sampler;
use super::raw::{Cutter, Raw};
use super::windows::Windows;
use crate::nn::host;
use crate::nn::kernels::{self, Layout};
use crate::nn::transformer::{to_map, to_tokens};
use crate::work::ahead::{Ahead, Pace};
use crate::work::pairs::Pairs;
use crate::work::{Reporter, WorkError};

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

/// Where the images and masks of a training lie.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    /// The outputs of a `prepare` stage.
    pub images: &'a Path,
    /// Those of a `mask` stage, and how many masks an image has, for networks with SPT units.
    pub masks: Option<(&'a Path, usize)>,
    /// How they are kept decoded.
    pub keep: Option<&'a KeepDecoded>,
}

/// Where batches come from.
pub struct Batches {
    shared: Arc<Shared>,
}

/// What the threads that make batches have.
struct Shared {
    cutter: Cutter,
    device: Device,
}

/// Batches one after the other.
pub struct Feed<'b> {
    batches: &'b Batches,
    ahead: Ahead<Ready>,
}

impl Batches {
    /// Opens pairs and masks. Every image must hold a patch.
    pub fn open(
        data: Data<'_>,
        schedule: &Schedule,
        device: Device,
        reporter: &Reporter,
    ) -> Result<Self, WorkError> {
        let windows = Windows::open(data.images, data.masks, data.keep, reporter)?;
        let pairs = &windows.pairs;
        let degrade = pairs.list.degrade;
        let side = schedule.patch(degrade) as usize;
        check_sizes(pairs, side)?;
        let sizes = pairs.list.pairs.iter().map(|p| (p.width, p.height));
        let sampler = Sampler {
            sizes: sizes.collect(),
            side,
            batch: schedule.patches() as usize,
            augment: schedule.augment,
            seed: schedule.seed,
        };
        let cutter = Cutter {
            windows,
            sampler,
            scale: degrade.scale() as usize,
            slots: data.masks.map_or(0, |(_, slots)| slots),
            channels_last: is_channels_last(schedule, device),
        };
        let shared = Shared { cutter, device };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The batches of the iterations from `first` (counted from 0) up to `end`, made ahead. `threads` are those that the
    /// step computes with.
    pub fn feed(&self, first: u64, end: u64, threads: usize) -> Result<Feed<'_>, WorkError> {
        let shared = Arc::clone(&self.shared);
        let pace = pace(threads, shared.bytes());
        let begin = || {
            tch::set_num_threads(1);
            // A thread takes up what was told last when it first asks, which is to be now.
            let _ = tch::get_num_threads();
        };
        let ahead = Ahead::new(first..end, pace, begin, move |n| shared.ready(n))?;
        // A thread keeps what it was told; those that libtorch starts later get what was told last.
        tch::set_num_threads(i32::try_from(threads).unwrap_or(1));
        let batches = self;
        Ok(Feed { batches, ahead })
    }
}

impl Feed<'_> {
    /// The next batch; nothing after the last one.
    pub fn take(&mut self) -> Result<Option<Batch>, WorkError> {
        let ready = self.ahead.next().transpose()?;
        Ok(ready.map(|ready| match ready {
            Ready::Batch(batch) => batch,
            Ready::Host(host) => self.batches.shared.batch(host),
        }))
    }

    /// Seconds that batches were waited for so far.
    pub const fn waited(&self) -> f64 {
        self.ahead.waited()
    }

    /// What was noticed while reading since it was last asked.
    pub fn notes(&self) -> Vec<String> {
        self.batches.shared.cutter.windows.notes()
    }
}

/// What a thread hands to the step's.
enum Ready {
    Batch(Batch),
    /// On its way to a device, whose work one thread orders.
    Host(Host),
}

/// A batch in the host's memory: bytes, and noise in float32. For a GPU it is pinned, so that nobody waits for the copy.
struct Host {
    hr: Tensor,
    lq: Option<Tensor>,
    masks: Option<Tensor>,
    noise: Option<Tensor>,
}

/// Bytes of batches that are made ahead, but for two of them at least.
const AHEAD: usize = 256 << 20;

/// How far batches of so many bytes are made ahead, and by how many threads, of so many that the step computes with.
fn pace(threads: usize, bytes: usize) -> Pace {
    // One waits for the disk while another one cuts.
    let makers = threads.clamp(2, 8);
    let depth = (AHEAD / bytes.max(1)).clamp(2, makers + 2);
    Pace {
        threads: makers.min(depth),
        depth,
    }
}

impl Shared {
    /// Bytes of a batch that is ready: on its way to a device as it was cut, else in float32.
    fn bytes(&self) -> usize {
        let Cutter {
            sampler,
            scale,
            slots,
            windows,
            ..
        } = &self.cutter;
        let is_sr = matches!(windows.pairs.list.degrade, Degrade::Sr(_));
        let is_cut = matches!(self.device, Device::Cuda(_));
        let (sample, low) = match (is_cut, is_sr) {
            (true, true) => (1, 1),
            (true, false) => (1, 4), // noise is float32 from the beginning
            (false, _) => (4, 4),
        };
        let pixel = 3 * scale * scale * sample + 3 * low + slots * sample;
        sampler.batch * sampler.side * sampler.side * pixel
    }

    fn ready(&self, iteration: u64) -> Result<Ready, WorkError> {
        let host = self.host(&self.cutter.raw(iteration)?);
        Ok(match self.device {
            Device::Cuda(_) => Ready::Host(host),
            _ => Ready::Batch(self.batch(host)),
        })
    }

    fn host(&self, raw: &Raw) -> Host {
        let Sampler { batch, side, .. } = self.cutter.sampler;
        let shape = |channels: usize, side: usize| [batch, channels, side, side].map(|n| n as i64);
        let host = |tensor: Tensor, shape: [i64; 4]| host::pinned(&tensor.view(shape), self.device);
        let bytes = |bytes: &[u8], shape| host(Tensor::from_slice(bytes), shape);
        let (lq, [b, c, h, w]) = (shape(3, side), shape(self.cutter.slots, side));
        let masks = |masks: &[u8]| {
            if self.cutter.channels_last {
                bytes(masks, [b, h, w, c]).permute([0, 3, 1, 2])
            } else {
                bytes(masks, [b, c, h, w])
            }
        };
        Host {
            hr: bytes(&raw.hr, shape(3, side * self.cutter.scale)),
            lq: raw.lq.as_ref().map(|b| bytes(b, lq)),
            masks: raw.masks.as_ref().map(|m| masks(m)),
            noise: raw.noise.as_ref().map(|n| host(Tensor::from_slice(n), lq)),
        }
    }

    fn batch(&self, host: Host) -> Batch {
        let there = |tensor: &Tensor| host::send_pinned(tensor, self.device);
        let float = |tensor: &Tensor| there(tensor).to_kind(Kind::Float);
        let hr = float(&host.hr) / 255.0;
        let lq = host
            .lq
            .map_or_else(|| hr.shallow_clone(), |lq| float(&lq) / 255.0);
        let lq = match (host.noise, self.cutter.windows.pairs.list.degrade) {
            (Some(noise), Degrade::Denoise(sigma)) => lq + there(&noise) * (sigma / 255.0),
            _ => lq,
        };
        Batch {
            lq: self.laid(lq),
            hr,
            masks: host.masks.map(|masks| float(&masks)),
        }
    }

    /// Networks keep the layout of what they are given.
    fn laid(&self, x: Tensor) -> Tensor {
        if self.cutter.channels_last {
            to_map(&to_tokens(&x))
        } else {
            x
        }
    }
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

/// The layout of a training's images: the schedule's word, or what this processor is fastest with.
fn is_channels_last(schedule: &Schedule, device: Device) -> bool {
    let fastest = || device == Device::Cpu && kernels::current().layout == Layout::ChannelsLast;
    schedule.channels_last.unwrap_or_else(fastest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_batches_are_made_ahead_by_fewer_threads_and_never_less_than_two() {
        let of = |threads, mib: usize| {
            let Pace { threads, depth } = pace(threads, mib << 20);
            (threads, depth)
        };
        assert_eq!(of(8, 0), (8, 10));
        assert_eq!(of(8, 25), (8, 10));
        assert_eq!(of(8, 50), (5, 5));
        assert_eq!(of(8, 1000), (2, 2));
        assert_eq!(of(1, 25), (2, 4));
    }
}
