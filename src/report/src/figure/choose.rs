//! Which crops a figure shows: those that are named, and those where the tuned model gains or loses most.
//! Unaware of how they are drawn.

use pixels::Rgb8;
use spec::kinds::{Crop, Figure};

use super::read::{FigureError, Set};

/// A crop, in HR pixels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chosen {
    pub image: String,
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
    /// Why it is shown.
    pub why: Why,
}

impl Chosen {
    /// Its size and its place, for people.
    pub fn place(&self) -> String {
        let Self {
            x,
            y,
            width,
            height,
            ..
        } = self;
        format!("{width}×{height} at {x}, {y}")
    }
}

/// Why a crop is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It is named.
    Named,
    /// The tuned model gains most there.
    Better,
    /// It loses most there.
    Worse,
}

impl Why {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Better => "better",
            Self::Worse => "worse",
        }
    }
}

/// A window and what the tuned model gains in it: the baseline's squared error less its own, over R, G and B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub x: usize,
    pub y: usize,
    pub gain: i64,
}

/// The named crops, then the best of the images where it is best, then the worst of those where it is worst.
///
/// An image gives at most one crop for better and one for worse. A gain of nothing is none, so there may be fewer than
/// were asked for.
pub(super) fn crops(figure: &Figure, set: &Set) -> Result<Vec<Chosen>, FigureError> {
    let mut crops = Vec::new();
    for crop in &figure.crops {
        crops.push(named(crop, set)?);
    }
    if figure.better + figure.worse == 0 {
        return Ok(crops);
    }
    let mut found = Vec::new();
    for name in set.names().filter(|n| wanted(figure, n)) {
        let [hr, baseline, tuned] = set.restored(name)?;
        let side = side(figure, set, &hr);
        let windows = extremes(&hr, &baseline, &tuned, side, set.scale());
        found.push((name.to_owned(), side, windows));
    }
    crops.extend(best(&found, Why::Better, figure.better as usize));
    crops.extend(best(&found, Why::Worse, figure.worse as usize));
    Ok(crops)
}

fn wanted(figure: &Figure, name: &str) -> bool {
    figure.images.is_empty() || figure.images.iter().any(|i| i == name)
}

fn named(crop: &Crop, set: &Set) -> Result<Chosen, FigureError> {
    let [hr, ..] = set.restored(&crop.image)?;
    let [x, y, width, height] = [crop.x, crop.y, crop.width, crop.height].map(|v| v as usize);
    let scale = set.scale();
    let inside = x + width <= hr.width && y + height <= hr.height && width * height > 0;
    let whole = [x, y, width, height]
        .iter()
        .all(|v| v.is_multiple_of(scale));
    if !inside || !whole {
        return Err(FigureError::Crop(format!(
            "the crop {width}×{height} at {x}, {y} of `{}` ({}×{}) {}",
            crop.image,
            hr.width,
            hr.height,
            if inside {
                format!("is not made of whole LQ pixels: use multiples of {scale}")
            } else {
                "is not inside it".into()
            }
        )));
    }
    Ok(Chosen {
        image: crop.image.clone(),
        x,
        y,
        width,
        height,
        why: Why::Named,
    })
}

/// The window's sides: as asked for, in whole LQ pixels, and no larger than the image.
fn side(figure: &Figure, set: &Set, hr: &Rgb8) -> (usize, usize) {
    let scale = set.scale();
    let fit = |length: usize| (figure.window as usize).min(length) / scale * scale;
    (fit(hr.width), fit(hr.height))
}

type Found = (String, (usize, usize), [Window; 2]);

fn best(found: &[Found], why: Why, wanted: usize) -> Vec<Chosen> {
    let gain = |f: &Found| match why {
        Why::Worse => -f.2[1].gain,
        _ => f.2[0].gain,
    };
    let mut order: Vec<&Found> = found.iter().filter(|f| gain(f) > 0).collect();
    order.sort_by_key(|f| -gain(f));
    let chosen = |(name, (width, height), windows): &Found| {
        let Window { x, y, .. } = windows[usize::from(why == Why::Worse)];
        Chosen {
            image: name.clone(),
            x,
            y,
            width: *width,
            height: *height,
            why,
        }
    };
    order.into_iter().take(wanted).map(chosen).collect()
}

/// The windows with the most and the least gain, on a grid of whole LQ pixels; the first of equal ones.
pub(super) fn extremes(
    hr: &Rgb8,
    baseline: &Rgb8,
    tuned: &Rgb8,
    (width, height): (usize, usize),
    step: usize,
) -> [Window; 2] {
    let sums = summed(hr, baseline, tuned);
    let across = hr.width + 1;
    let mut windows = (0..=hr.height - height).step_by(step).flat_map(|y| {
        let sums = &sums;
        (0..=hr.width - width).step_by(step).map(move |x| {
            let at = |x: usize, y: usize| sums[y * across + x];
            let gain = at(x + width, y + height) - at(x, y + height) - at(x + width, y) + at(x, y);
            Window { x, y, gain }
        })
    });
    let first = windows.next().unwrap_or(Window {
        x: 0,
        y: 0,
        gain: 0,
    });
    windows.fold([first, first], |[most, least], w| {
        [
            if w.gain > most.gain { w } else { most },
            if w.gain < least.gain { w } else { least },
        ]
    })
}

/// The summed-area table of each pixel's gain: (width + 1) × (height + 1), zeros first.
fn summed(hr: &Rgb8, baseline: &Rgb8, tuned: &Rgb8) -> Vec<i64> {
    let across = hr.width + 1;
    let mut sums = vec![0i64; across * (hr.height + 1)];
    for y in 0..hr.height {
        let mut row = 0;
        for x in 0..hr.width {
            let at = (y * hr.width + x) * 3;
            row += (at..at + 3)
                .map(|i| squared(baseline.data[i], hr.data[i]) - squared(tuned.data[i], hr.data[i]))
                .sum::<i64>();
            sums[(y + 1) * across + x + 1] = sums[y * across + x + 1] + row;
        }
    }
    sums
}

fn squared(a: u8, b: u8) -> i64 {
    let d = i64::from(a) - i64::from(b);
    d * d
}
