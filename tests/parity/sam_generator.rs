//! Segment Anything's automatic mask generator from an image to its records, against the official code.
//! Unaware of the networks inside.

use pipeline_worker::nn::checkpoint;
use pipeline_worker::nn::sam::generator::point_prompts;
use pipeline_worker::nn::sam::scan::{Frame, Scanner};
use pipeline_worker::nn::sam::{Embedding, Generator, MaskRecord, Params, Sam};
use pixels::{Rgb8, Rle};
use tch::{Device, Kind, Tensor, no_grad};

use crate::case::{Case, Change, Outcome, Quantity, Tensors, device, max_abs, tensor, worse};
use crate::networks::enlarge_first;
use crate::sam::image;

/// `model: sam_mask_generator`.
pub fn generator(case: &Case, change: Change) -> Result<Outcome, String> {
    let sam = Sam::new(&case.get("/config")?, device()).map_err(|error| error.to_string())?;
    checkpoint::assign(sam.store(), &case.params()?).map_err(|error| error.to_string())?;
    if change == Change::Weight {
        enlarge_first(sam.store());
    }
    let tensors = case.tensors()?;
    let image = image(tensor(&tensors, "in.image")?)?;
    let params: Params = case.get("/amg")?;
    let embedding = sam.embed(&image).map_err(|error| error.to_string())?;
    let generator = Generator::new(params.clone()).map_err(|error| error.to_string())?;
    // What scans the masks on a GPU runs on a CPU as well.
    let mut quantities = Vec::new();
    for generator in [generator.clone(), generator.as_on_a_gpu()] {
        let masks = generator.masks(&sam, &image, &embedding);
        let masks = masks.map_err(|error| error.to_string())?;
        quantities.extend(records(case, &tensors, &image, &masks)?);
    }
    let middle = Middle::new(case, &sam, &image, &embedding, &params);
    let features = reached(&tensors, "mid.features", &embedding.features);
    for (name, error) in [("features", features), ("logits", middle.logits(&tensors)?)] {
        if case.entry["tolerance"].get(name).is_some() {
            quantities.push(case.quantity(name, error)?);
        }
    }
    quantities.extend(middle.scores(&tensors)?);
    Ok(Outcome::Ran(quantities))
}

/// The error of an intermediate result; nothing to say where the file does not hold it.
fn reached(tensors: &Tensors, name: &str, ours: &Tensor) -> f64 {
    tensors
        .get(name)
        .map_or(0.0, |expected| max_abs(ours, expected))
}

/// Each record against the official one in its place, or, among neighbours of nearly the same score, the one whose
/// mask is nearest.
fn records(
    case: &Case,
    tensors: &Tensors,
    image: &Rgb8,
    ours: &[MaskRecord],
) -> Result<Vec<Quantity>, String> {
    let expected = official_masks(tensors, image)?;
    let column = |name: &str, width: i64| -> Result<Vec<f64>, String> {
        let t = tensor(tensors, name)?.to_kind(Kind::Double).contiguous();
        let t = if t.numel() == 0 {
            t.view([-1])
        } else {
            t.view([-1, width]).view([-1])
        };
        Vec::<f64>::try_from(t).map_err(|error| error.to_string())
    };
    let iou = column("out.predicted_iou", 1)?;
    let stability = column("out.stability_score", 1)?;
    let (boxes, points, crops) = (
        column("out.bbox_xywh", 4)?,
        column("out.points", 2)?,
        column("out.crop_boxes", 4)?,
    );
    let tie = 2.0 * case.get::<f64>("/tolerance/scores")?;
    let (mut worst_iou, mut flipped, mut scores, mut px) = (1.0_f64, 0, 0.0_f64, 0.0_f64);
    for (i, mask) in expected.iter().enumerate() {
        let Some(record) = counterpart(ours, i, mask, iou[i], tie) else {
            return Err(format!("{} masks, not {}", ours.len(), expected.len()));
        };
        let shared = record.segmentation.intersection(mask);
        flipped += record.area + mask.area() - 2 * shared;
        worst_iou = worst_iou.min(if record.area + mask.area() == 0 {
            1.0
        } else {
            record.segmentation.iou(mask)
        });
        let in_place = (f64::from(ours[i].predicted_iou) - iou[i]).abs();
        scores = worse(
            scores,
            worse(
                in_place,
                (f64::from(record.stability_score) - stability[i]).abs(),
            ),
        );
        let off = |ours: &[f64], theirs: &[f64]| {
            ours.iter()
                .zip(theirs)
                .fold(0.0, |w, (a, b)| worse(w, (a - b).abs()))
        };
        px = worse(
            px,
            off(&record.bbox.map(|v| v as f64), &boxes[i * 4..][..4]),
        );
        px = worse(
            px,
            off(&record.crop_box.map(|v| v as f64), &crops[i * 4..][..4]),
        );
        px = worse(px, off(&record.point_coords, &points[i * 2..][..2]));
    }
    let surplus = ours.len().abs_diff(expected.len()) as f64;
    let floor: f64 = case.get("/tolerance/mask_iou_min")?;
    Ok(vec![
        Quantity {
            name: "1-mask_iou".to_owned(),
            value: 1.0 - worst_iou + surplus,
            tolerance: 1.0 - floor,
            binding: true,
        },
        Quantity::informative("mask_iou_min", floor, worst_iou),
        case.quantity("flipped_pixels_max", flipped as f64)?,
        case.quantity("scores", scores)?,
        case.quantity("bbox_px", px)?,
    ])
}

/// NaN, the stability of a mask without a pixel in either cut, as a number of its own.
fn without_nan(t: &Tensor) -> Tensor {
    t.nan_to_num(-1.0, None, None)
}

/// Our record for the official one at `i`.
fn counterpart<'a>(
    ours: &'a [MaskRecord],
    i: usize,
    mask: &Rle,
    iou: f64,
    tie: f64,
) -> Option<&'a MaskRecord> {
    let overlap = |record: &MaskRecord| record.segmentation.iou(mask);
    let in_place = ours.get(i)?;
    let tied = ours
        .iter()
        .filter(|record| (f64::from(record.predicted_iou) - iou).abs() <= tie);
    let best = tied.max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
    Some(
        best.filter(|best| overlap(best) > overlap(in_place))
            .unwrap_or(in_place),
    )
}

/// The official masks: rows of bits, most significant first, row-major.
fn official_masks(tensors: &Tensors, image: &Rgb8) -> Result<Vec<Rle>, String> {
    let packed = tensor(tensors, "out.masks")?;
    let bytes =
        Vec::<u8>::try_from(packed.contiguous().view([-1])).map_err(|error| error.to_string())?;
    let (width, height) = image.size();
    let row = (width * height).div_ceil(8);
    let unpacked = |row: &[u8]| -> Vec<u8> {
        (0..width * height)
            .map(|i| row[i / 8] >> (7 - i % 8) & 1)
            .collect()
    };
    bytes
        .chunks(row)
        .map(|row| {
            Rle::from_bitmap(&unpacked(row), width, height).map_err(|error| error.to_string())
        })
        .collect()
}

/// What lies between the embedding and the records, for all points of the whole image.
struct Middle {
    low: Tensor,
    iou: Tensor,
    selected: Vec<i64>,
    scanner: Scanner,
    full: (i64, (usize, usize), (usize, usize)),
}

impl Middle {
    fn new(case: &Case, sam: &Sam, image: &Rgb8, embedding: &Embedding, params: &Params) -> Self {
        let points = params.points(0, image.width, image.height);
        let (low, iou) = no_grad(|| {
            let prediction = sam.mask_decoder.predict(
                &embedding.image_side,
                &point_prompts(sam, embedding, &points),
            );
            let masks = sam
                .mask_decoder
                .masks(&prediction, 1, 3)
                .to_device(Device::Cpu);
            (masks, prediction.iou.narrow(1, 1, 3).to_device(Device::Cpu))
        });
        let config = &sam.config;
        let offset = params.stability_score_offset as f32;
        let frame = Frame {
            low: config.low_res() as usize,
            full: config.img_size as usize,
            scaled: embedding.scaled,
            size: embedding.original,
        };
        Self {
            low,
            iou,
            selected: case.get_or("/selected_prompts", vec![]).unwrap_or_default(),
            scanner: Scanner::new(&frame, offset),
            full: (config.img_size, embedding.scaled, embedding.original),
        }
    }

    /// The small logits of the selected points, and one mask enlarged in two steps as the official code does it.
    fn logits(&self, tensors: &Tensors) -> Result<f64, String> {
        let chosen = self
            .low
            .index_select(0, &Tensor::from_slice(&self.selected));
        let small = reached(tensors, "mid.low_res_logits_sel", &chosen);
        let Some(first) = self.selected.first() else {
            return Ok(small);
        };
        let (full, scaled, size) = self.full;
        let large = self.low.get(*first).narrow(0, 0, 1).unsqueeze(0);
        let large = large.upsample_bilinear2d([full, full], false, None, None);
        let large = large
            .narrow(2, 0, scaled.1 as i64)
            .narrow(3, 0, scaled.0 as i64)
            .contiguous();
        let large = large.upsample_bilinear2d([size.1 as i64, size.0 as i64], false, None, None);
        let columns = Vec::<f32>::try_from(
            self.low
                .get(*first)
                .get(0)
                .transpose(0, 1)
                .contiguous()
                .view([-1]),
        );
        let columns = columns.map_err(|error| error.to_string())?;
        let ours = self
            .scanner
            .scan(&columns)
            .map_err(|error| error.to_string())?;
        let inside = large.gt(0.0).sum(Kind::Int64).int64_value(&[]);
        if (inside - ours.mask.area() as i64).abs() > 2 {
            return Err(format!(
                "a mask has {} pixels in one step, {inside} in two",
                ours.mask.area()
            ));
        }
        Ok(worse(small, reached(tensors, "mid.logits_first", &large)))
    }

    /// Predicted IoU and stability of all candidates.
    fn scores(&self, tensors: &Tensors) -> Result<Vec<Quantity>, String> {
        let mut quantities = vec![Quantity::informative(
            "iou_all",
            reached(tensors, "mid.iou_all", &self.iou),
            1e-4,
        )];
        let columns = Vec::<f32>::try_from(self.low.transpose(2, 3).contiguous().view([-1]));
        let columns = columns.map_err(|error| error.to_string())?;
        let scanned = columns
            .chunks(self.scanner.logits())
            .map(|mask| self.scanner.scan(mask));
        let stability: Result<Vec<f32>, _> = scanned.map(|s| s.map(|s| s.stability)).collect();
        let stability = Tensor::from_slice(&stability.map_err(|error| error.to_string())?);
        let error = tensors.get("mid.stability_all").map_or(0.0, |expected| {
            max_abs(&without_nan(&stability), &without_nan(expected))
        });
        quantities.push(Quantity::informative("stability_all", error, 1e-4));
        Ok(quantities)
    }
}
