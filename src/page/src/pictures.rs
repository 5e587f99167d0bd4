//! The files of `img/`: pictures and masks as scripts that hand over their bytes, thumbnails.
//! Unaware of who restored what.
//!
//! A page that is opened from a disk may not read the pixels of other files, but it may run scripts: so a picture is
//! `page.picture("<name>", "<base64 of the PNG>")`.

use std::collections::BTreeSet;
use std::path::Path;

use artifacts::MaskRecords;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pixels::{MaskStack, Rgb8};
use serde::Serialize;

use crate::{PageError, Shelf};

/// More than a picture takes.
const MOST: u64 = 1 << 31;

/// Width of a thumbnail in pixels.
const THUMBNAIL: usize = 128;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The files of the page, as they are written.
pub struct Files<'a> {
    shelf: &'a dyn Shelf,
    names: BTreeSet<String>,
}

impl<'a> Files<'a> {
    pub const fn new(shelf: &'a dyn Shelf) -> Self {
        Self {
            shelf,
            names: BTreeSet::new(),
        }
    }

    /// All names, sorted.
    pub fn names(self) -> Vec<String> {
        self.names.into_iter().collect()
    }

    pub const fn shelf(&self) -> &'a dyn Shelf {
        self.shelf
    }

    /// Whether the file is one of the page's.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The file is one of the page's.
    pub fn keep(&mut self, name: String) {
        self.names.insert(name);
    }

    pub fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), PageError> {
        put(self.shelf, name, bytes)?;
        self.keep(name.to_owned());
        Ok(())
    }
}

pub fn put(shelf: &dyn Shelf, name: &str, bytes: &[u8]) -> Result<(), PageError> {
    shelf.put(name, bytes).map_err(|source| PageError::Write {
        name: name.to_owned(),
        source,
    })
}

/// The file of a picture or masks in `img/`.
pub fn script(name: &str) -> String {
    format!("img/{name}.js")
}

/// Hands over a picture's file as it is; one that is no PNG becomes one.
pub fn picture(shelf: &dyn Shelf, name: &str, file: &Path) -> Result<(), PageError> {
    if shelf.has(&script(name)) {
        return Ok(());
    }
    let bytes = files::read(file, MOST).map_err(|e| PageError::Read {
        path: file.to_owned(),
        why: e.to_string(),
    })?;
    if bytes.starts_with(PNG) {
        return hand_over(shelf, name, &bytes);
    }
    drawn(shelf, name, &pixels::decode_rgb8(&bytes, file)?.image)
}

/// Hands over a picture that lies in no file.
pub fn drawn(shelf: &dyn Shelf, name: &str, picture: &Rgb8) -> Result<(), PageError> {
    if shelf.has(&script(name)) {
        return Ok(());
    }
    hand_over(shelf, name, &pixels::encode_png(picture)?)
}

fn hand_over(shelf: &dyn Shelf, name: &str, png: &[u8]) -> Result<(), PageError> {
    let mut text = format!("page.picture(\"{name}\",\"");
    STANDARD.encode_string(png, &mut text);
    text += "\");\n";
    put(shelf, &script(name), text.as_bytes())
}

/// Masks as the page reads them.
#[derive(Serialize)]
struct Runs<'a> {
    width: usize,
    height: usize,
    /// COCO's counts: column by column, zeros first.
    masks: Vec<&'a [u32]>,
    /// What SAM says of each; nothing of other segmenters.
    iou: Vec<f32>,
}

/// Hands over the masks of an image.
pub fn masks(shelf: &dyn Shelf, name: &str, file: &Path) -> Result<(), PageError> {
    if shelf.has(&script(name)) {
        return Ok(());
    }
    let stack = MaskStack::read(file)?;
    let records = MaskRecords::read(file)?.unwrap_or_default();
    let runs = Runs {
        width: stack.width,
        height: stack.height,
        masks: stack.masks.iter().map(pixels::Rle::counts).collect(),
        iou: records.masks.iter().map(|m| m.predicted_iou).collect(),
    };
    let runs = serde_json::to_string(&runs).unwrap_or_default();
    let text = format!("page.masks(\"{name}\",{runs});\n");
    put(shelf, &script(name), text.as_bytes())
}

/// A small picture: means over squares of whole pixels.
pub fn thumbnail(picture: &Rgb8) -> Rgb8 {
    let step = picture.width.div_ceil(THUMBNAIL).max(1);
    let (width, height) = (
        (picture.width / step).max(1),
        (picture.height / step).max(1),
    );
    let mut data = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let rows = (y * step..(y + 1) * step).filter(|y| *y < picture.height);
                let square = rows.flat_map(|y| {
                    let row = picture.row(y);
                    (x * step..(x + 1) * step).filter_map(move |x| row.get(x * 3 + c))
                });
                let (sum, n) =
                    square.fold((0_u32, 0_u32), |(sum, n), v| (sum + u32::from(*v), n + 1));
                data.push((sum / n.max(1)) as u8);
            }
        }
    }
    Rgb8 {
        width,
        height,
        data,
    }
}

/// High-frequency content: the mean absolute difference of neighbours along rows, over R, G and B, in levels of 255.
pub fn detail(picture: &Rgb8) -> f64 {
    let mut sum = 0_u64;
    for y in 0..picture.height {
        let row = picture.row(y);
        let neighbours = row.iter().zip(row.iter().skip(3));
        sum += neighbours
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum::<u64>();
    }
    let count = picture.width.saturating_sub(1) * picture.height * 3;
    sum as f64 / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_is_of_means_and_detail_of_steps() {
        let (width, height) = (THUMBNAIL * 2, 4);
        let stripes = (0..width * height * 3).map(|i| if i / 3 % 2 == 0 { 0 } else { 100 });
        let picture = Rgb8 {
            width,
            height,
            data: stripes.collect(),
        };
        let small = thumbnail(&picture);
        assert_eq!((small.width, small.height), (THUMBNAIL, 2));
        assert!(small.data.iter().all(|v| *v == 50));
        assert!((detail(&picture) - 100.0).abs() < 1e-9);
    }

    struct Memory(std::sync::Mutex<String>);

    impl Shelf for Memory {
        fn has(&self, _: &str) -> bool {
            false
        }

        fn put(&self, _: &str, bytes: &[u8]) -> std::io::Result<()> {
            *self.0.lock().unwrap() = String::from_utf8_lossy(bytes).into_owned();
            Ok(())
        }
    }

    #[test]
    fn masks_come_with_what_sam_says_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.masks");
        let mask = pixels::Rle::new(2, 2, &[1, 3]).unwrap();
        let stack = MaskStack::new(2, 2, 4, vec![mask]).unwrap();
        stack.write(&file).unwrap();
        let shelf = Memory(std::sync::Mutex::default());
        let written = |shelf: &Memory| {
            masks(shelf, "a", &file).unwrap();
            shelf.0.lock().unwrap().clone()
        };
        let plain = "page.masks(\"a\",{\"width\":2,\"height\":2,\"masks\":[[1,3]],\"iou\":[]});\n";
        assert_eq!(written(&shelf), plain);
        let record = r#"{"masks":[{"area":3,"bbox":[0,0,2,2],"predicted_iou":0.5,"stability_score":1,"point_coords":[0,0],"crop_box":[0,0,2,2]}]}"#;
        std::fs::write(file.with_extension("json"), record).unwrap();
        assert!(written(&shelf).contains("\"iou\":[0.5]"));
    }
}
