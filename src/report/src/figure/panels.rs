//! The panels of each crop, with their PSNR; the table of both; the caption.
//! Unaware of where panels stand in the picture.

use pixels::{Channel, Rgb8};
use spec::kinds::Figure;

use super::choose::{Chosen, Why};
use super::read::{FigureError, Image, Set};

/// A crop and its panels, all of one size.
pub(super) struct Row {
    pub crop: Chosen,
    pub panels: Vec<Panel>,
    /// All of GT, smaller where it is large, to show the place of the crop on it.
    pub whole: Rgb8,
    /// Width and height of GT itself.
    pub size: (usize, usize),
}

/// One picture of a crop.
pub(super) struct Panel {
    pub name: String,
    pub picture: Rgb8,
    /// PSNR in dB of the crop to GT over R, G and B; none where there is nothing to compare.
    pub crop_psnr: Option<f64>,
    /// PSNR of the whole image as its evaluation has it.
    pub image_psnr: Option<f64>,
}

impl Panel {
    /// What is written below it: the crop's PSNR to two decimals, nothing where there is none.
    pub fn score(&self) -> String {
        let psnr = self.crop_psnr;
        psnr.map_or(String::new(), |v| format!("{v:.2} dB"))
    }
}

/// The most pixels of a side of a whole image.
const WHOLE: usize = 512;

/// All rows; differences are shown `gain` times as large.
pub(super) fn rows(
    figure: &Figure,
    set: &Set,
    crops: &[Chosen],
    gain: u32,
) -> Result<Vec<Row>, FigureError> {
    let row = |crop: &Chosen| {
        let hr = set.image(&crop.image)?.hr;
        Ok(Row {
            panels: panels(figure, set, crop, gain)?,
            whole: shrunk(&hr, hr.width.max(hr.height).div_ceil(WHOLE)),
            size: (hr.width, hr.height),
            crop: crop.clone(),
        })
    };
    crops.iter().map(row).collect()
}

/// What differences are multiplied with: what the figure says, else so much that the largest of its crops is white.
pub(super) fn gain(figure: &Figure, set: &Set, crops: &[Chosen]) -> Result<u32, FigureError> {
    if let Some(gain) = figure.gain {
        return Ok(gain);
    }
    let mut most = 0;
    for crop in crops {
        let image = set.image(&crop.image)?;
        let cut = |from: &Rgb8| from.crop(crop.x, crop.y, crop.width, crop.height);
        let (base, own) = (cut(&image.baseline)?, cut(&image.tuned)?);
        let samples = base.data.iter().zip(&own.data);
        most = samples.map(|(a, b)| a.abs_diff(*b)).fold(most, u8::max);
    }
    Ok(255 / u32::from(most.max(1)))
}

/// Blocks of so many pixels a side as one pixel, their mean; what is left over at the ends is left out.
fn shrunk(image: &Rgb8, factor: usize) -> Rgb8 {
    let factor = factor.max(1);
    let (width, height) = (image.width / factor, image.height / factor);
    let mut data = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let rows = (y * factor)..((y + 1) * factor);
                let sum: usize = rows
                    .map(|y| {
                        let row = image.row(y);
                        let columns = (x * factor)..((x + 1) * factor);
                        columns.map(|x| usize::from(row[x * 3 + c])).sum::<usize>()
                    })
                    .sum();
                data.push((sum / (factor * factor)) as u8);
            }
        }
    }
    Rgb8 {
        width,
        height,
        data,
    }
}

fn panels(figure: &Figure, set: &Set, crop: &Chosen, gain: u32) -> Result<Vec<Panel>, FigureError> {
    let image = set.image(&crop.image)?;
    let Image {
        hr,
        lq,
        masks,
        baseline,
        tuned,
    } = &image;
    let zoom = figure.zoom as usize;
    let cut = |from: &Rgb8| from.crop(crop.x, crop.y, crop.width, crop.height);
    let scale = set.scale();
    let cut_lq = |from: &Rgb8| {
        let [x, y, w, h] = [crop.x, crop.y, crop.width, crop.height].map(|v| v / scale);
        from.crop(x, y, w, h).map(|lq| enlarged(&lq, scale))
    };
    let (gt, base, own, low) = (cut(hr)?, cut(baseline)?, cut(tuned)?, cut_lq(lq)?);
    let of_image = |n: usize| set.psnr[n].get(&crop.image).copied();
    let panel = |name: &str, picture: &Rgb8, crop_psnr, image_psnr| Panel {
        name: name.to_owned(),
        picture: enlarged(picture, zoom),
        crop_psnr,
        image_psnr,
    };
    let mut panels = Vec::new();
    if let Some(masks) = masks {
        panels.push(panel("masks", &cut_lq(masks)?, None, None));
    }
    let noisy = if set.is_noise() {
        psnr(&low, &gt)?
    } else {
        None
    };
    panels.push(panel("LQ", &low, noisy, None));
    panels.push(panel("GT", &gt, None, None));
    panels.push(panel("baseline", &base, psnr(&base, &gt)?, of_image(0)));
    panels.push(panel("tuned", &own, psnr(&own, &gt)?, of_image(1)));
    let difference = difference(&own, &base, gain);
    let name = format!("|Δ| × {gain}");
    panels.push(panel(&name, &difference, None, None));
    Ok(panels)
}

/// None for equal pictures, whose PSNR has no number.
fn psnr(picture: &Rgb8, gt: &Rgb8) -> Result<Option<f64>, FigureError> {
    let value = pixels::psnr(picture, gt, 0, Channel::Rgb)?;
    Ok(Some(value).filter(|v| v.is_finite()))
}

/// Each pixel as a square of pixels.
fn enlarged(image: &Rgb8, factor: usize) -> Rgb8 {
    let (width, height) = (image.width * factor, image.height * factor);
    let mut data = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for pixel in image.row(y / factor).chunks_exact(3) {
            for _ in 0..factor {
                data.extend_from_slice(pixel);
            }
        }
    }
    Rgb8 {
        width,
        height,
        data,
    }
}

/// The absolute difference of each sample, times `gain`.
fn difference(a: &Rgb8, b: &Rgb8, gain: u32) -> Rgb8 {
    let samples = a.data.iter().zip(&b.data);
    let amplified = |(a, b): (&u8, &u8)| (u32::from(a.abs_diff(*b)) * gain).min(255) as u8;
    Rgb8 {
        data: samples.map(amplified).collect(),
        ..*a
    }
}

/// One line a panel.
pub(super) fn csv(rows: &[Row]) -> Result<String, FigureError> {
    let mut text =
        String::from("row,image,x,y,width,height,chosen,panel,psnr_crop_rgb,psnr_image\n");
    let mut writer = csv::Writer::from_writer(Vec::new());
    let file = "figure.csv";
    for (n, row) in rows.iter().enumerate() {
        let Chosen {
            image,
            x,
            y,
            width,
            height,
            why,
        } = &row.crop;
        for panel in &row.panels {
            let number = |v: Option<f64>| v.map_or(String::new(), |v| v.to_string());
            let place = [n + 1, *x, *y, *width, *height].map(|v| v.to_string());
            let [n, x, y, width, height] = &place;
            let (crop, whole) = (number(panel.crop_psnr), number(panel.image_psnr));
            let record = [
                n,
                image,
                x,
                y,
                width,
                height,
                why.word(),
                &panel.name,
                &crop,
                &whole,
            ];
            writer
                .write_record(record)
                .map_err(FigureError::encode(file))?;
        }
    }
    let bytes = writer.into_inner().map_err(FigureError::encode(file))?;
    text += &String::from_utf8_lossy(&bytes);
    Ok(text)
}

/// What the picture shows, and how its crops came to be.
pub(super) fn caption(figure: &Figure, set: &Set, rows: &[Row], gain: u32) -> String {
    let mut lines: Vec<String> = Vec::new();
    if !figure.caption.is_empty() {
        lines.push(figure.caption.clone());
    }
    for (n, row) in rows.iter().enumerate() {
        lines.push(format!("{}. {}", n + 1, line(row)));
    }
    for (wanted, why) in [(figure.better, Why::Better), (figure.worse, Why::Worse)] {
        let found = rows.iter().filter(|r| r.crop.why == why).count();
        if found < wanted as usize {
            let word = why.word();
            lines.push(format!(
                "Of {wanted} crops for {word}, {found} found: no other image is {word} anywhere."
            ));
        }
    }
    let masks = if set.has_masks() { "masks on LQ, " } else { "" };
    let chosen = if figure.gain.is_none() {
        " (so that the largest difference is white)"
    } else {
        ""
    };
    lines.push(format!(
        "Panels: {masks}LQ, GT, baseline, tuned, and |Δ| = |tuned − baseline| × {gain}{chosen}. PSNR in dB: of the crop \
         over R, G and B (of the whole image as evaluated)."
    ));
    if figure.better + figure.worse > 0 {
        lines.push(
            "Better and worse: the window of each image in which the tuned result's squared error over R, G and B is \
             furthest below or above the baseline's; the images where it is furthest first."
                .into(),
        );
    }
    lines.join("\n") + "\n"
}

fn line(row: &Row) -> String {
    let Chosen { image, why, .. } = &row.crop;
    let scores = row
        .panels
        .iter()
        .filter_map(|p| Some((&p.name, p.crop_psnr?, p.image_psnr)));
    let scores = scores.map(|(name, crop, whole)| {
        let whole = whole.map_or(String::new(), |w| format!(" ({w:.4})"));
        format!("{name} {crop:.2}{whole}")
    });
    let scores: Vec<String> = scores.collect();
    format!(
        "{image}, {}, {}: {}",
        row.crop.place(),
        why.word(),
        scores.join(", ")
    )
}
