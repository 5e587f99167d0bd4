//! Compares the 8-bit resize with a plain double-precision model of MATLAB's `imresize`, ties included.
//! Unaware of fixed point, lanes and threads.

use pixels::{RandomState, Rgb8, matlab_bicubic_u8, matlab_bicubic_u8_to};

/// One side of MATLAB's resize: for each output position (1-based) its input positions and weights.
fn contributions(input: usize, output: usize, scale: f64) -> Vec<Vec<(usize, f64)>> {
    let width = if scale < 1.0 { 4.0 / scale } else { 4.0 };
    let kernel = |x: f64| {
        if scale < 1.0 {
            scale * cubic(scale * x)
        } else {
            cubic(x)
        }
    };
    let mirrored: Vec<usize> = (0..input).chain((0..input).rev()).collect();
    let row = |x: usize| {
        let u = x as f64 / scale + 0.5 * (1.0 - 1.0 / scale);
        let left = (u - width / 2.0).floor() as i64;
        let positions: Vec<i64> = (0..width.ceil() as i64 + 2).map(|k| left + k).collect();
        let sum: f64 = positions.iter().map(|&i| kernel(u - i as f64)).sum();
        let fold = |i: i64| mirrored[(i - 1).rem_euclid(2 * input as i64) as usize];
        positions
            .iter()
            .map(|&i| (fold(i), kernel(u - i as f64) / sum))
            .collect()
    };
    (1..=output).map(row).collect()
}

fn cubic(x: f64) -> f64 {
    let a = x.abs();
    match a {
        0.0..=1.0 => 1.5 * (a * a * a) - 2.5 * (a * a) + 1.0,
        1.0..=2.0 => -0.5 * (a * a * a) + 2.5 * (a * a) - 4.0 * a + 2.0,
        _ => 0.0,
    }
}

/// Half up to 8 bits.
fn round(value: f64) -> u8 {
    (value + 0.5).floor().clamp(0.0, 255.0) as u8
}

/// One pass; `transposed` for the horizontal one.
fn pass(image: &Rgb8, output: usize, scale: f64, across: bool) -> Rgb8 {
    let (w, h) = (image.width, image.height);
    let rows = contributions(if across { w } else { h }, output, scale);
    let (out_w, out_h) = if across { (output, h) } else { (w, output) };
    let mut data = Vec::new();
    for i in 0..out_w * out_h * 3 {
        let (x, y, c) = (i / 3 % out_w, i / 3 / out_w, i % 3);
        let sample = |at: usize| {
            let (x, y) = if across { (at, y) } else { (x, at) };
            f64::from(image.data[(y * w + x) * 3 + c])
        };
        let taps = &rows[if across { x } else { y }];
        data.push(round(
            taps.iter()
                .fold(0.0, |sum, &(at, weight)| sum + weight * sample(at)),
        ));
    }
    Rgb8::new(out_w, out_h, data).unwrap()
}

fn model(image: &Rgb8, (out_w, out_h): (usize, usize), scale: (f64, f64)) -> Rgb8 {
    if scale.1 <= scale.0 {
        pass(&pass(image, out_h, scale.1, false), out_w, scale.0, true)
    } else {
        pass(&pass(image, out_w, scale.0, true), out_h, scale.1, false)
    }
}

/// Random samples that are multiples of `step`: 85 and 51 make many exact ties.
fn random(seed: u32, width: usize, height: usize, step: u32) -> Rgb8 {
    let mut state = RandomState::new(seed);
    let levels = 255 / step + 1;
    let data = (0..width * height * 3).map(|_| (state.next_u32() % levels * step) as u8);
    Rgb8::new(width, height, data.collect()).unwrap()
}

#[test]
fn shrinking_by_whole_numbers_equals_double_precision() {
    for (seed, step) in [1, 1, 1, 3, 51, 85, 127, 255].into_iter().enumerate() {
        for scale in 1..=5 {
            let image = random(seed as u32, 150 + seed, 97 + 2 * seed, step);
            let to = (image.width.div_ceil(scale), image.height.div_ceil(scale));
            let expected = model(&image, to, (1.0 / scale as f64, 1.0 / scale as f64));
            assert_eq!(
                matlab_bicubic_u8(&image, scale),
                expected,
                "step {step}, 1/{scale}"
            );
        }
    }
}

#[test]
fn any_size_equals_double_precision() {
    for (index, (from, to)) in [
        ((31, 17), (62, 34)),
        ((31, 17), (93, 51)),
        ((31, 17), (124, 68)),
        ((90, 70), (41, 33)),
        ((90, 70), (33, 41)),
        ((20, 50), (50, 20)),
        ((50, 20), (20, 50)),
        ((1, 1), (5, 3)),
        ((3, 2), (1, 1)),
        ((64, 64), (64, 64)),
        ((2, 300), (7, 11)),
    ]
    .into_iter()
    .enumerate()
    {
        for step in [1, 51, 255] {
            let image = random(index as u32, from.0, from.1, step);
            let scale = (
                f64::from(to.0) / from.0 as f64,
                f64::from(to.1) / from.1 as f64,
            );
            let to = (to.0 as usize, to.1 as usize);
            let expected = model(&image, to, scale);
            assert_eq!(
                matlab_bicubic_u8_to(&image, to.0, to.1),
                expected,
                "{from:?} to {to:?}"
            );
        }
    }
}

#[test]
fn flat_and_empty_images_stay() {
    let flat = Rgb8::new(40, 30, vec![77; 3600]).unwrap();
    assert!(matlab_bicubic_u8(&flat, 3).data.iter().all(|&v| v == 77));
    assert_eq!(matlab_bicubic_u8(&flat, 0), flat);
    let empty = Rgb8::new(0, 0, vec![]).unwrap();
    assert_eq!(matlab_bicubic_u8_to(&empty, 2, 2).data, [0; 12]);
    assert!(matlab_bicubic_u8_to(&flat, 0, 2).data.is_empty());
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let image = random(9, 211, 143, 1);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| matlab_bicubic_u8(&image, 3))
    };
    assert_eq!(with(1), with(3));
}
