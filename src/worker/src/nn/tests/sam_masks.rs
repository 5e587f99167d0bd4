//! From logits to masks: the interpolation against libtorch's, clean-up against OpenCV, edge cases of the generator.
//! Unaware of golden numbers, which `tests/parity` compares.

use pixels::{Rgb8, Rle};
use tch::{Kind, Tensor};

use super::sam::tiny_sam;
use crate::nn::host;
use crate::nn::sam::held::Held;
use crate::nn::sam::regions::cleaned;
use crate::nn::sam::scan::{Frame, Scanner, Seen};
use crate::nn::sam::scan_device::DeviceScanner;
use crate::nn::sam::{Generator, Params, SamError, Scaled};

/// The official two steps with libtorch: (height, width) logits.
fn two_steps(low: &Tensor, full: i64, scaled: (i64, i64), size: (i64, i64)) -> Tensor {
    let x = low
        .unsqueeze(0)
        .unsqueeze(0)
        .upsample_bilinear2d([full, full], false, None, None);
    let x = x.narrow(2, 0, scaled.1).narrow(3, 0, scaled.0).contiguous();
    x.upsample_bilinear2d([size.1, size.0], false, None, None)
        .squeeze()
}

fn frame(low: usize, full: usize, scaled: (usize, usize), size: (usize, usize)) -> Frame {
    Frame {
        low,
        full,
        scaled,
        size,
    }
}

fn floats(t: &Tensor) -> Vec<f32> {
    Vec::<f32>::try_from(t.contiguous().view([-1])).unwrap()
}

/// What the scan on the device sees, with the masks.
fn on_device(
    scanner: &DeviceScanner,
    logits: &Tensor,
    is_kept: impl Fn(f32) -> bool,
) -> Vec<(Seen, Rle)> {
    let mut held = Held::new(scanner.frame.size);
    let seen = scanner.scan(logits, is_kept, &mut held).unwrap();
    let places: Vec<usize> = seen.iter().map(|one| one.place).collect();
    let masks = held.take(&places).unwrap();
    seen.into_iter().zip(masks).collect()
}

#[test]
fn one_step_is_the_two_official_ones() {
    tch::manual_seed(4);
    for (scaled, size) in [
        ((1024, 681), (510, 339)),
        ((256, 1024), (64, 256)),
        ((1024, 1024), (1024, 1024)),
        ((683, 1024), (1367, 2050)),
        ((1024, 11), (300, 3)),
    ] {
        let low = Tensor::randn([256, 256], (Kind::Float, tch::Device::Cpu)) * 3.0;
        let expected = floats(&two_steps(&low, 1024, scaled, size));
        let sizes = |(w, h): (i64, i64)| (w as usize, h as usize);
        let frame = frame(256, 1024, sizes(scaled), sizes(size));
        let ours = Scanner::new(&frame, 1.0)
            .scan(&floats(&low.transpose(0, 1)))
            .unwrap();
        let bits: Vec<u8> = expected.iter().map(|&v| u8::from(v > 0.0)).collect();
        let flipped = ours
            .mask
            .to_bitmap()
            .iter()
            .zip(&bits)
            .filter(|(a, b)| a != b)
            .count();
        assert!(
            flipped <= 1 + bits.len() / 100_000,
            "{size:?}: {flipped} of {}",
            bits.len()
        );
        let above = |cut: f32| expected.iter().filter(|&&v| v > cut).count() as f32;
        let stability = above(1.0) / above(-1.0);
        assert!((ours.stability - stability).abs() < 1e-4, "{size:?}");
        let scanner = DeviceScanner { frame, offset: 1.0 };
        let device = on_device(&scanner, &low.unsqueeze(0), |_| true);
        assert_eq!(device.len(), 1);
        let (seen, mask) = &device[0];
        assert_eq!(mask.to_bitmap(), bits, "{size:?}: the official steps");
        assert_eq!(seen.stability.to_bits(), stability.to_bits());
        assert_eq!(seen.bbox, mask.bbox());
    }
}

/// Neither an order nor a place may be lost where some masks of a batch are not kept.
#[test]
fn the_scan_on_the_device_keeps_what_the_one_on_the_host_keeps() {
    tch::manual_seed(5);
    let low = Tensor::randn([7, 16, 16], (Kind::Float, tch::Device::Cpu));
    let frame = frame(16, 64, (64, 40), (50, 31));
    let host = Scanner::new(&frame, 0.3);
    let all: Vec<_> = (0..7)
        .map(|n| host.scan(&floats(&low.get(n).transpose(0, 1))).unwrap())
        .collect();
    let mut scores: Vec<f32> = all.iter().map(|one| one.stability).collect();
    scores.sort_by(f32::total_cmp);
    let cut = f32::midpoint(scores[3], scores[4]);
    let device = DeviceScanner { frame, offset: 0.3 };
    let kept = on_device(&device, &low, |score| score > cut);
    let expected: Vec<usize> = (0..7).filter(|&n| all[n].stability > cut).collect();
    let answers: Vec<usize> = kept.iter().map(|(seen, _)| seen.answer).collect();
    assert_eq!(answers, expected);
    for (seen, mask) in &kept {
        let all = &all[seen.answer];
        assert_eq!((mask, seen.bbox), (&all.mask, all.mask.bbox()));
        assert!((seen.stability - all.stability).abs() < 1e-6);
    }
    assert!(on_device(&device, &low, |_| false).is_empty());
}

/// What a GPU would wait for: twice a batch of points, and once for the masks of an image, whatever is found. The coordinates of
/// a batch go there, which of its answers are good, and which are stable; of an image which masks are kept.
#[test]
fn a_batch_of_points_waits_for_the_device_twice_and_an_image_once_more() {
    let sam = tiny_sam();
    let image = photo(40, 30);
    let embedding = sam.embed(&image).unwrap();
    let masks = |pred_iou_thresh: f64, on_device: bool| {
        let params = Params {
            pred_iou_thresh,
            stability_score_thresh: 0.0,
            box_nms_thresh: 1.0,
            points_per_batch: 4,
            ..Params::grid(4)
        };
        let generator = Generator::new(params).unwrap();
        let generator = if on_device {
            generator.as_on_a_gpu()
        } else {
            generator
        };
        let (found, traffic) = host::traffic(|| generator.masks(&sam, &image, &embedding));
        (found.unwrap(), traffic)
    };
    let all = masks(0.0, false).0;
    let middle = f64::from(all[all.len() / 2].predicted_iou); // so that some prompts have no good mask
    for (threshold, most_sent) in [(0.0, 3 * 4 + 1), (middle, 4 * 4 + 1)] {
        let (on_host, host) = masks(threshold, false);
        let (on_device, device) = masks(threshold, true);
        assert!(!on_host.is_empty());
        assert!(device.waits <= 2 * 4 + 1, "{device:?}");
        assert!(device.uploads <= most_sent, "{device:?}");
        assert!(
            host.waits <= 2 * 4 + 2,
            "and the weights of both sides: {host:?}"
        );
        assert_eq!(on_device.len(), on_host.len());
        for (a, b) in on_device.iter().zip(&on_host) {
            assert_eq!(
                a.point_coords.map(f64::to_bits),
                b.point_coords.map(f64::to_bits)
            );
            assert_eq!(a.predicted_iou.to_bits(), b.predicted_iou.to_bits());
            assert!(a.area.abs_diff(b.area) <= 2, "{} and {}", a.area, b.area);
        }
    }
}

/// However many blocks there are, and however many images go through them together.
#[test]
fn the_encoder_waits_once_for_a_group_of_images_and_sends_only_them() {
    let sam = tiny_sam();
    let scaled = [photo(40, 30), photo(30, 40), photo(64, 64)]
        .map(|image| Scaled::of(&image, sam.config.img_size).unwrap());
    let images: Vec<&Scaled> = scaled.iter().collect();
    let (embeddings, traffic) = host::traffic(|| sam.embed_all(&images));
    assert_eq!(embeddings.unwrap().len(), 3);
    assert_eq!((traffic.waits, traffic.uploads), (1, 3));
}

/// Of a mask that suppression drops numbers cross, and none of its pixels.
#[test]
fn of_masks_on_a_device_only_those_that_are_kept_cross() {
    let sam = tiny_sam();
    let image = photo(40, 30);
    let embedding = sam.embed(&image).unwrap();
    let params = Params {
        pred_iou_thresh: 0.0,
        stability_score_thresh: 0.0,
        ..Params::grid(4)
    };
    let generator = Generator::new(params).unwrap().as_on_a_gpu();
    let (found, traffic) =
        host::traffic(|| generator.masks_and_tally(&sam, &image, &embedding).unwrap());
    let (masks, tally) = found;
    assert!((1..tally.after_stability).contains(&masks.len()));
    let numbers = (4 * tally.candidates + 4 * 6 * tally.after_iou) as u64;
    let mask = (40_u64 * 30).div_ceil(8);
    assert_eq!(traffic.bytes, numbers + mask * masks.len() as u64);
}

#[test]
fn masks_without_pixels_have_no_stability() {
    let scanner = Scanner::new(&frame(8, 32, (32, 20), (50, 31)), 1.0);
    let empty = scanner.scan(&[-5.0; 64]).unwrap();
    assert!(empty.stability.is_nan() && empty.mask.is_empty());
    let full = scanner.scan(&[5.0; 64]).unwrap();
    assert_eq!((full.stability, full.mask.area()), (1.0, 50 * 31));
    assert_eq!(full.mask.bbox(), [0, 0, 49, 30]);
    assert!(scanner.scan(&[f32::NAN; 64]).unwrap().mask.is_empty());
}

/// What the official `remove_small_regions` with OpenCV 5.0 leaves of three patterns, holes first, then islands:
/// number of pixels, and the sum of their positions from 1. Nothing where it changed nothing.
#[test]
fn small_regions_are_those_of_opencv() {
    let pattern = |k: usize, x: usize, y: usize| match k {
        0 => (y * y + 3 * x * x) % 97 < 40,
        1 => (x * 7 + y * 13 + x * y) % 11 < 3,
        _ => ((x / 3) * 5 + (y / 3) * 3 + (x / 3) * (y / 3)) % 7 < 2,
    };
    for (k, (width, height), min_area, expected) in [
        (0, (50, 40), 12, Some((817, 787_171))),
        (1, (37, 29), 30, Some((8, 2848))),
        (2, (41, 33), 28, Some((99, 72_000))),
        (0, (23, 31), 1000, Some((713, 254_541))),
        (1, (40, 30), 10_000, Some((1200, 720_600))),
        (2, (30, 30), 5, None),
    ] {
        let inside = |i: usize| u8::from(pattern(k, i % width, i / width));
        let bits: Vec<u8> = (0..width * height).map(inside).collect();
        let mask = Rle::from_bitmap(&bits, width, height).unwrap();
        let found = cleaned(&mask, min_area).map(|mask| {
            let bits = mask.to_bitmap();
            let sum = (1..)
                .zip(&bits)
                .map(|(i, &bit)| i * usize::from(bit))
                .sum::<usize>();
            (mask.area(), sum)
        });
        assert_eq!(found, expected, "pattern {k}");
    }
}

#[test]
fn an_empty_mask_has_nothing_to_clean() {
    let empty = Rle::from_bitmap(&[0; 12], 4, 3).unwrap();
    assert_eq!(cleaned(&empty, 5), None);
}

fn photo(width: usize, height: usize) -> Rgb8 {
    let data = (0..width * height * 3)
        .map(|i| (i * i % 251) as u8)
        .collect();
    Rgb8::new(width, height, data).unwrap()
}

#[test]
fn a_grid_without_survivors_gives_no_masks() {
    let sam = tiny_sam();
    let image = photo(40, 30);
    let strict = Params {
        pred_iou_thresh: 1e6,
        ..Params::grid(3)
    };
    let generator = Generator::new(strict).unwrap();
    let embedding = sam.embed(&image).unwrap();
    let (masks, tally) = generator.masks_and_tally(&sam, &image, &embedding).unwrap();
    assert!(masks.is_empty());
    assert_eq!((tally.candidates, tally.after_iou, tally.kept), (27, 0, 0));
}

#[test]
fn batches_change_nothing_and_an_embedding_serves_all_grids() {
    let sam = tiny_sam();
    let image = photo(40, 30);
    let embedding = sam.embed(&image).unwrap();
    let all = |n: usize, batch: usize| {
        let params = Params {
            points_per_batch: batch,
            pred_iou_thresh: 0.0,
            stability_score_thresh: 0.0,
            box_nms_thresh: 0.95,
            ..Params::grid(n)
        };
        Generator::new(params)
            .unwrap()
            .masks(&sam, &image, &embedding)
            .unwrap()
    };
    let (one, four) = (all(3, 1), all(3, 64));
    assert!(!one.is_empty());
    assert_eq!(one.len(), four.len());
    for (a, b) in one.iter().zip(&four) {
        assert_eq!(
            a.point_coords.map(f64::to_bits),
            b.point_coords.map(f64::to_bits)
        );
        assert!((a.predicted_iou - b.predicted_iou).abs() < 1e-5);
        assert_eq!(a.segmentation.height(), 30);
    }
    assert!(
        one.windows(2)
            .all(|pair| pair[0].predicted_iou >= pair[1].predicted_iou)
    );
    assert_eq!(all(5, 64).len(), all(5, 64).len());
}

#[test]
fn images_without_pixels_are_refused() {
    let sam = tiny_sam();
    for (width, height) in [(0, 0), (0, 7), (5000, 1)] {
        let error = sam.embed(&photo(width, height)).err().unwrap();
        assert!(matches!(error, SamError::Image { .. }), "{error}");
    }
}
