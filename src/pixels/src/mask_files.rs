//! Reads masks that others made for an image: a folder of PNG files, or the COCO JSON of SAM's amg.py.
//! Unaware of how many a network takes; the order of the files is kept.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{PixelError, Result, Size};
use crate::folder::list_images;
use crate::rle::Rle;

/// The masks of the image `stem` (its name without ending) in `dir`: the folder `dir/stem`, or the file
/// `dir/stem.json`. Errors: [`PixelError::MissingMasks`], [`PixelError::TwoMasks`], and those of
/// [`read_mask_folder`] and [`read_mask_json`].
pub fn read_masks(dir: &Path, stem: &str, width: usize, height: usize) -> Result<Vec<Rle>> {
    let (folder, json) = (dir.join(stem), dir.join(format!("{stem}.json")));
    match (folder.is_dir(), json.is_file()) {
        (true, false) => read_mask_folder(&folder, width, height),
        (false, true) => read_mask_json(&json, width, height),
        (false, false) => Err(PixelError::MissingMasks {
            dir: dir.into(),
            stem: stem.into(),
        }),
        (true, true) => Err(PixelError::TwoMasks {
            dir: dir.into(),
            stem: stem.into(),
        }),
    }
}

/// The masks in a folder of PNG files, one mask a file, non-zero inside; sorted by name, and by number where a
/// name is one (amg.py writes `0.png`, `1.png`, …, `10.png`). Files of other kinds are not looked at.
/// Errors: [`PixelError::EmptyFolder`], [`PixelError::MaskSize`], those of reading images.
pub fn read_mask_folder(folder: &Path, width: usize, height: usize) -> Result<Vec<Rle>> {
    let mut files = list_images(folder)?;
    files.sort_by_cached_key(|path| file_order(path));
    files
        .iter()
        .map(|path| read_mask_image(path, (width, height)))
        .collect()
}

/// Numbers first, by value, then names.
fn file_order(path: &Path) -> (bool, u64, PathBuf) {
    let number = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .and_then(|stem| stem.parse::<u64>().ok());
    (number.is_none(), number.unwrap_or(0), path.into())
}

fn read_mask_image(path: &Path, expected: Size) -> Result<Rle> {
    let bytes = std::fs::read(path).map_err(PixelError::read(path))?;
    let image = crate::io::decode(&bytes, path)?;
    let found = (image.width() as usize, image.height() as usize);
    if found != expected {
        return Err(PixelError::MaskSize {
            path: path.into(),
            what: "the mask".into(),
            expected,
            found,
        });
    }
    // 16 bits a sample and alpha dropped, so that no value but zero becomes zero.
    let inside: Vec<u8> = image
        .to_rgb16()
        .pixels()
        .map(|pixel| u8::from(pixel.0 != [0; 3]))
        .collect();
    Rle::from_bitmap(&inside, expected.0, expected.1)
}

/// One entry of amg.py's list; what else it holds (area, boxes, scores) is not needed.
#[derive(Deserialize)]
struct Record {
    segmentation: Segmentation,
}

#[derive(Deserialize)]
struct Segmentation {
    /// Height, then width.
    size: [usize; 2],
    counts: Counts,
}

/// COCO's compressed or uncompressed counts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Counts {
    Compressed(String),
    Plain(Vec<u32>),
}

/// The masks of a JSON file as amg.py writes it with `--convert-to-rle`: a list of records with a
/// `segmentation` of `size` [height, width] and `counts`, a string or a list; in the order of the file.
/// Errors: [`PixelError::Read`], [`PixelError::MaskFile`], [`PixelError::MaskSize`].
pub fn read_mask_json(path: &Path, width: usize, height: usize) -> Result<Vec<Rle>> {
    let bytes = std::fs::read(path).map_err(PixelError::read(path))?;
    let malformed = |reason: String| PixelError::MaskFile {
        path: path.into(),
        reason,
    };
    let records: Vec<Record> =
        serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    let mask = |(index, record): (usize, Record)| {
        let [h, w] = record.segmentation.size;
        if (w, h) != (width, height) {
            let what = format!("mask {index}");
            return Err(PixelError::MaskSize {
                path: path.into(),
                what,
                expected: (width, height),
                found: (w, h),
            });
        }
        let mask = match record.segmentation.counts {
            Counts::Compressed(text) => Rle::from_coco_string(w, h, &text),
            Counts::Plain(counts) => Rle::new(w, h, &counts),
        };
        mask.map_err(|error| match error {
            PixelError::Runs { reason, .. } => {
                malformed(format!("mask {index}, run lengths: {reason}"))
            }
            other => other,
        })
    };
    records.into_iter().enumerate().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::GrayImage;

    fn save(path: &Path, width: u32, values: &[u8]) {
        let height = values.len() as u32 / width;
        GrayImage::from_raw(width, height, values.to_vec())
            .unwrap()
            .save(path)
            .unwrap();
    }

    #[test]
    fn folders_are_read_in_numeric_order() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cat");
        std::fs::create_dir(&folder).unwrap();
        save(&folder.join("10.png"), 3, &[0, 0, 0, 0, 0, 255]);
        save(&folder.join("9.png"), 3, &[1, 0, 0, 0, 0, 0]);
        save(&folder.join("extra.png"), 3, &[0; 6]);
        std::fs::write(folder.join("metadata.csv"), "id,area\n").unwrap();
        let masks = read_masks(dir.path(), "cat", 3, 2).unwrap();
        let counts: Vec<&[u32]> = masks.iter().map(Rle::counts).collect();
        assert_eq!(counts, [&[0, 1, 5][..], &[5, 1], &[6]]);
        assert!(matches!(
            read_masks(dir.path(), "cat", 2, 3),
            Err(PixelError::MaskSize { .. })
        ));
        assert!(matches!(
            read_masks(dir.path(), "dog", 3, 2),
            Err(PixelError::MissingMasks { .. })
        ));
        std::fs::write(dir.path().join("cat.json"), "[]").unwrap();
        assert!(matches!(
            read_masks(dir.path(), "cat", 3, 2),
            Err(PixelError::TwoMasks { .. })
        ));
    }

    #[test]
    fn coco_json_is_read_with_strings_and_lists() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"[{"segmentation": {"size": [4, 5], "counts": "5220003"}, "area": 6, "bbox": [1, 1, 2, 1],
            "predicted_iou": 0.9, "point_coords": [[1.0, 1.0]], "stability_score": 0.99, "crop_box": [0, 0, 5, 4]},
            {"segmentation": {"size": [4, 5], "counts": [0, 20]}}]"#;
        std::fs::write(dir.path().join("a.json"), text).unwrap();
        let masks = read_masks(dir.path(), "a", 5, 4).unwrap();
        assert_eq!(masks.iter().map(Rle::area).collect::<Vec<_>>(), [6, 20]);
        assert_eq!(masks[0].bbox(), [1, 1, 3, 2]);
    }

    #[test]
    fn malformed_json_is_an_error_that_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        let error = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_mask_json(&path, 5, 4).unwrap_err().to_string()
        };
        assert!(error("[{\n 7").contains("line 2"));
        assert!(error(r#"{"segmentation": 1}"#).contains("a.json"));
        let short = error(r#"[{"segmentation": {"size": [4, 5], "counts": [0, 19]}}]"#);
        assert!(short.contains("mask 0") && short.contains("19"), "{short}");
        let turned = error(r#"[{"segmentation": {"size": [5, 4], "counts": [20]}}]"#);
        assert!(turned.contains("4x5") && turned.contains("5x4"), "{turned}");
        assert!(
            error(r#"[{"segmentation": {"size": [4, 5], "counts": "\u00e9"}}]"#).contains("mask 0")
        );
    }
}
