//! The automatic mask generator: a grid of points, and the good masks among what SAM answers
//! (official `automatic_mask_generator.py`). Unaware of granularities and of what masks are for.

use artifacts::Tally;
use pixels::{PixelError, Rgb8};
use rayon::prelude::*;
use tch::{Device, Kind, Tensor, no_grad};

use super::candidates::{Crop, Found, MaskRecord, impossible, suppressed};
use super::crops::{Box4, crop_boxes};
use super::error::SamError;
use super::held::Held;
use super::model::{Embedding, Sam};
use super::params::Params;
use super::prompt::Points;
use super::regions;
use super::scan::{Frame, Scanner, Seen};
use super::scan_device::DeviceScanner;
use crate::nn::host;

/// The generator.
#[derive(Clone, Debug, Default)]
pub struct Generator {
    /// Its settings.
    pub params: Params,
    /// Whether masks are scanned where the network runs, as on a GPU, on a CPU too.
    on_device: bool,
}

/// Masks for an ambiguous prompt (mask tokens 1 to 3).
const MASKS_A_POINT: usize = 3;

/// Points that are worked on at once on a CPU, so that their images stay near its caches.
const POINTS_AT_ONCE_CPU: usize = 4;

impl Generator {
    /// A generator with these settings. Errors: [`SamError::Params`].
    pub fn new(params: Params) -> Result<Self, SamError> {
        params.check()?;
        Ok(Self {
            params,
            on_device: false,
        })
    }

    /// The same generator on the way that it goes on a GPU, whatever the device: for tests and benchmarks.
    #[must_use]
    pub fn as_on_a_gpu(self) -> Self {
        Self {
            on_device: true,
            ..self
        }
    }

    /// The masks of `image`, the most certain first; with crops or clean-up, in the official order of those.
    ///
    /// Errors: [`SamError::Image`], [`SamError::NotFinite`], [`SamError::Params`].
    pub fn generate(&self, sam: &Sam, image: &Rgb8) -> Result<Vec<MaskRecord>, SamError> {
        self.masks(sam, image, &sam.embed(image)?)
    }

    /// The same where the image was embedded already: all grids can share an embedding.
    pub fn masks(
        &self,
        sam: &Sam,
        image: &Rgb8,
        embedding: &Embedding,
    ) -> Result<Vec<MaskRecord>, SamError> {
        Ok(self.masks_and_tally(sam, image, embedding)?.0)
    }

    /// The same, and how many masks each filter left.
    pub fn masks_and_tally(
        &self,
        sam: &Sam,
        image: &Rgb8,
        embedding: &Embedding,
    ) -> Result<(Vec<MaskRecord>, Tally), SamError> {
        self.params.check()?;
        let mut tally = Tally::default();
        let p = &self.params;
        let crops = crop_boxes(
            image.width,
            image.height,
            p.crop_n_layers,
            p.crop_overlap_ratio,
        );
        let mut found = Vec::new();
        for &(crop, layer) in &crops {
            let crop = Crop {
                at: crop,
                layer,
                image: image.size(),
            };
            let own = if layer == 0 {
                None
            } else {
                Some(sam.embed(&crop.cut(image)?)?)
            };
            found.extend(self.in_crop(
                sam,
                own.as_ref().unwrap_or(embedding),
                &crop,
                &mut tally,
            )?);
        }
        if crops.len() > 1 {
            let smallest = |one: &Found| 1.0 / area(one.seen.crop) as f32;
            let scores: Vec<f32> = found.iter().map(smallest).collect();
            found = suppressed(found, |one| one.seen.bbox, &scores, p.crop_nms_thresh);
        }
        if p.min_mask_region_area > 0 {
            found = self.cleaned(found);
        }
        tally.kept = found.len();
        Ok((found.into_iter().map(Found::record).collect(), tally))
    }

    /// The masks of one crop, in the order of their predicted IoU.
    fn in_crop(
        &self,
        sam: &Sam,
        embedding: &Embedding,
        crop: &Crop,
        tally: &mut Tally,
    ) -> Result<Vec<Found>, SamError> {
        let points = self
            .params
            .points(crop.layer, embedding.original.0, embedding.original.1);
        let scanner = self.scanner(sam, embedding);
        tally.candidates += points.len() * MASKS_A_POINT;
        let (mut candidates, mut held) = (Vec::new(), Held::new(embedding.original));
        for batch in points.chunks(self.points_at_once(sam.device())) {
            let Some(answers) = no_grad(|| self.ask(sam, embedding, batch)) else {
                continue;
            };
            tally.after_iou += answers.iou.len();
            let is_stable = |score| self.is_stable(score);
            let seen = no_grad(|| scanner.scan(&answers.logits, is_stable, &mut held));
            let seen = seen.map_err(impossible)?;
            tally.after_stability += seen.len();
            candidates.extend(seen.iter().filter_map(|seen| {
                let (iou, point) = (answers.iou[seen.answer], answers.point[seen.answer]);
                crop.candidate(seen, iou, batch[point])
            }));
        }
        let scores: Vec<f32> = candidates.iter().map(|one| one.iou).collect();
        let kept = suppressed(
            candidates,
            |one| one.bbox,
            &scores,
            self.params.box_nms_thresh,
        );
        let places: Vec<usize> = kept.iter().map(|one| one.place).collect();
        let masks = held.take(&places).map_err(impossible)?;
        let found = kept.into_iter().zip(masks);
        found.map(|(seen, mask)| crop.found(seen, mask)).collect()
    }

    /// On a CPU the masks are scanned from their small logits, elsewhere on the device that holds these.
    fn scanner(&self, sam: &Sam, embedding: &Embedding) -> Scanning {
        let frame = Frame {
            low: sam.config.low_res() as usize,
            full: sam.config.img_size as usize,
            scaled: embedding.scaled,
            size: embedding.original,
        };
        let offset = self.params.stability_score_offset as f32;
        if self.on_device || sam.device() != Device::Cpu {
            Scanning::Device(DeviceScanner { frame, offset })
        } else {
            Scanning::Host(Scanner::new(&frame, offset))
        }
    }

    fn points_at_once(&self, device: Device) -> usize {
        let most = self.params.points_per_batch;
        if device == Device::Cpu {
            most.min(POINTS_AT_ONCE_CPU)
        } else {
            most
        }
    }

    /// The small masks with a good predicted IoU for `points`, if any. Those of other points are never computed.
    fn ask(&self, sam: &Sam, embedding: &Embedding, points: &[[f64; 2]]) -> Option<Answers> {
        let sparse = point_prompts(sam, embedding, points);
        let decoder = &sam.mask_decoder;
        let prediction = decoder.predict(&embedding.image_side, &sparse);
        let iou = host::floats(&prediction.iou.narrow(1, 1, MASKS_A_POINT as i64));
        let good: Vec<usize> = (0..iou.len()).filter(|&i| self.is_good(iou[i])).collect();
        let mut prompts: Vec<i64> = good.iter().map(|i| (i / MASKS_A_POINT) as i64).collect();
        prompts.dedup();
        if prompts.is_empty() {
            return None;
        }
        let prediction = if prompts.len() == points.len() {
            prediction
        } else {
            prediction.of_prompts(&prompts)
        };
        let masks = decoder.masks(&prediction, 1, MASKS_A_POINT as i64);
        let place = |i: &usize| {
            let prompt = prompts.partition_point(|&p| (p as usize) < i / MASKS_A_POINT);
            (prompt * MASKS_A_POINT + i % MASKS_A_POINT) as i64
        };
        let places = Tensor::from_slice(&good.iter().map(place).collect::<Vec<_>>());
        let places = host::send(&places, masks.device());
        let chosen = masks.flatten(0, 1).index_select(0, &places);
        Some(Answers {
            logits: chosen,
            iou: good.iter().map(|&i| iou[i]).collect(),
            point: good.iter().map(|i| i / MASKS_A_POINT).collect(),
        })
    }

    /// The official comparison is in float32.
    fn is_good(&self, iou: f32) -> bool {
        self.params.pred_iou_thresh <= 0.0 || iou > self.params.pred_iou_thresh as f32
    }

    fn is_stable(&self, score: f32) -> bool {
        let threshold = self.params.stability_score_thresh;
        threshold <= 0.0 || score >= threshold as f32
    }

    /// The masks without small regions; those that were clean come first, and win over equal ones that were not.
    fn cleaned(&self, found: Vec<Found>) -> Vec<Found> {
        let threshold = self.params.box_nms_thresh.max(self.params.crop_nms_thresh);
        let clean = |mut mask: Found| {
            let changed = regions::cleaned(&mask.mask, self.params.min_mask_region_area);
            let was_clean = changed.is_none();
            if let Some(changed) = changed {
                mask.seen.bbox = changed.bbox().map(|v| v as i64);
                mask.mask = changed;
            }
            (mask, f32::from(u8::from(was_clean)))
        };
        let (masks, scores): (Vec<Found>, Vec<f32>) = found.into_par_iter().map(clean).unzip();
        suppressed(masks, |one| one.seen.bbox, &scores, threshold)
    }
}

fn area([left, top, right, bottom]: Box4) -> i64 {
    (right - left) * (bottom - top)
}

/// Points (x, y in pixels of the image) as prompts (n, 2, C), each a foreground point by itself.
pub fn point_prompts(sam: &Sam, embedding: &Embedding, points: &[[f64; 2]]) -> Tensor {
    let scale = |scaled: usize, original: usize| scaled as f64 / original as f64;
    let x = scale(embedding.scaled.0, embedding.original.0);
    let y = scale(embedding.scaled.1, embedding.original.1);
    let coords: Vec<f64> = points
        .iter()
        .flat_map(|at| [at[0] * x, at[1] * y])
        .collect();
    let coords = Tensor::from_slice(&coords).view([-1, 1, 2]);
    let labels = Tensor::ones([points.len() as i64, 1], (Kind::Float, sam.device()));
    let coords = host::send(&coords, sam.device());
    sam.prompt_encoder.sparse(
        Some(&Points {
            coords: &coords,
            labels: &labels,
        }),
        None,
    )
}

/// Masks with a good predicted IoU: logits (n, low, low) where the network computed them, and the index of the point that
/// each belongs to.
struct Answers {
    logits: Tensor,
    iou: Vec<f32>,
    point: Vec<usize>,
}

/// Where masks are brought to the image's size.
enum Scanning {
    Host(Scanner),
    Device(DeviceScanner),
}

impl Scanning {
    /// What is seen of the masks whose stability is kept, and the masks themselves into `held`.
    fn scan(
        &self,
        logits: &Tensor,
        is_kept: impl Fn(f32) -> bool,
        held: &mut Held,
    ) -> Result<Vec<Seen>, PixelError> {
        match self {
            Self::Device(scanner) => scanner.scan(logits, is_kept, held),
            Self::Host(scanner) => {
                let columns = host::floats(&logits.transpose(1, 2));
                let masks = columns.par_chunks(scanner.logits());
                let scanned: Result<Vec<_>, _> = masks.map(|mask| scanner.scan(mask)).collect();
                let numbered = scanned?.into_iter().enumerate();
                let kept = numbered.filter(|(_, one)| is_kept(one.stability));
                Ok(kept.map(|(answer, one)| one.seen(answer, held)).collect())
            }
        }
    }
}
