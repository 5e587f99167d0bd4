//! Mutated images, mask files and run lengths: an error or a result within its bounds, never a panic.
//! Unaware of which it is. `make soak` sets how long it goes on.

use std::io::Write;
use std::path::Path;

use pixels::{MaskFolder, MaskRead, Reading, Rle, decode_mask_json, decode_rgb8};

use crate::dice::Dice;
use crate::fuzzer::fuzz;

fn golden() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden_jpeg");
    let mut files = pixels::list_images(&folder, false).unwrap().files;
    files.retain(|file| !file.name.starts_with("41") && !file.name.starts_with("44"));
    files
        .iter()
        .map(|file| std::fs::read(&file.path).unwrap())
        .collect()
}

/// A picture of random runs, 13×11, in a form that the encoders here do not write.
fn bmp(bits: u16, compression: u32) -> Vec<u8> {
    let mut dice = Dice(7);
    let colours = if bits <= 8 { 1_u32 << bits } else { 0 };
    let body: Vec<u8> = (0..13 * 11 * 4).map(|_| dice.roll(256) as u8).collect();
    let offset = 54 + 4 * colours;
    let mut file = b"BM".to_vec();
    file.extend((offset + body.len() as u32).to_le_bytes());
    file.extend([0; 4]);
    file.extend(offset.to_le_bytes());
    for number in [40_u32, 13, 11] {
        file.extend(number.to_le_bytes());
    }
    file.extend(1_u16.to_le_bytes());
    file.extend(bits.to_le_bytes());
    for number in [compression, body.len() as u32, 0, 0, colours, 0] {
        file.extend(number.to_le_bytes());
    }
    file.extend((0..colours).flat_map(|n| [n as u8, (n * 7) as u8, 0, 0]));
    file.extend(body);
    file
}

#[test]
fn images() {
    let mut corpus = golden();
    corpus
        .extend([(1, 0), (4, 0), (8, 0), (8, 1), (4, 2), (24, 0), (32, 0)].map(|(b, c)| bmp(b, c)));
    let at = Path::new("a");
    fuzz("images", 6.0, &corpus, |bytes| {
        if let Ok(loaded) = decode_rgb8(bytes, at) {
            let (width, height) = loaded.image.size();
            assert_eq!(loaded.image.data.len(), width * height * 3);
        }
    });
}

#[test]
fn mask_files() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("a");
    std::fs::create_dir(&inside).unwrap();
    let path = inside.join("0.png");
    let readings = [
        MaskRead::Auto,
        MaskRead::By(Reading::Nonzero),
        MaskRead::By(Reading::Half),
        MaskRead::By(Reading::Alpha),
        MaskRead::By(Reading::Index),
    ];
    fuzz("mask_files", 3.0, &golden(), |bytes| {
        std::fs::File::create(&path)
            .unwrap()
            .write_all(bytes)
            .unwrap();
        let opened = MaskFolder::open(folder.path()).unwrap();
        for how in readings {
            if let Ok(read) = opened.read("a", (40, 32), how) {
                assert!(read.masks.iter().all(|m| m.area() <= 40 * 32));
            }
        }
    });
}

#[test]
fn mask_json() {
    let mask = r#"{"segmentation": {"size": [4, 5], "counts": "5220003"}, "area": 6, "predicted_iou": NaN}"#;
    let list =
        r#"{"segmentation": {"size": [4, 5], "counts": [3, 4, 0, 2, 11]}, "bbox": [1, 1, 2, 1]}"#;
    let corpus = [
        format!("[{mask}, {list}]"),
        format!("\u{feff}{{\"image\": {{\"image_id\": 1}}, \"annotations\": [{mask}]}}"),
        format!("{{\"images\": [{{}}], \"annotations\": [{list}, {list}]}}"),
    ];
    let corpus = corpus.map(String::into_bytes);
    fuzz("mask_json", 2.0, &corpus, |bytes| {
        if let Ok(masks) = decode_mask_json(bytes, Path::new("a.json"), 5, 4) {
            assert!(masks.iter().all(|m| m.area() <= 20));
        }
    });
}

#[test]
fn run_lengths() {
    let corpus = ["5220003", "0o0", "d5l5P2Q2O1"].map(|text| text.as_bytes().to_vec());
    fuzz("run_lengths", 1.0, &corpus, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(mask) = Rle::from_coco_string(5, 4, &text) {
            assert_eq!(
                Rle::from_coco_string(5, 4, &mask.to_coco_string()).unwrap(),
                mask
            );
            assert_eq!(Rle::from_bitmap(&mask.to_bitmap(), 5, 4).unwrap(), mask);
        }
    });
}
