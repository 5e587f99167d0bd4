//! Figures of pictures made by hand: which crops are found, what the picture, the numbers and the caption hold.
//! Unaware of networks.

use std::path::Path;

use pixels::{MaskStack, Rgb8, Rle, read_rgb8, write_png};
use spec::kinds::{Crop, Figure};
use tempfile::TempDir;

use super::choose::{Window, extremes};
use super::{FigureError, Sources, write};

fn flat(width: usize, height: usize, value: u8) -> Rgb8 {
    Rgb8::new(width, height, vec![value; width * height * 3]).unwrap()
}

/// A square of this value in an image.
fn with_square(mut image: Rgb8, (x, y): (usize, usize), side: usize, value: u8) -> Rgb8 {
    for row in y..y + side {
        let at = (row * image.width + x) * 3;
        image.data[at..at + side * 3].fill(value);
    }
    image
}

/// Two images of 32×24 at ×2. GT is 100 everywhere and the baseline 104; of `a` the tuned result is right in a square
/// at (16, 8) and far off in one at (0, 0), of `b` it is the baseline's.
fn sources(folder: &Path) -> Sources {
    let make = |name: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.join("restored")).unwrap();
        path
    };
    let (pairs, masks) = (make("pairs"), make("masks"));
    let (baseline, tuned) = (make("baseline"), make("tuned"));
    for name in ["a", "b"] {
        write_png(&pairs.join(format!("hr-{name}.png")), &flat(32, 24, 100)).unwrap();
        write_png(&pairs.join(format!("lq-{name}.png")), &flat(16, 12, 90)).unwrap();
        let restored = format!("restored/{name}.png");
        let base = flat(32, 24, 104);
        write_png(&baseline.join(&restored), &base).unwrap();
        let own = if name == "a" {
            let better = with_square(base, (16, 8), 8, 100);
            with_square(better, (0, 0), 8, 120)
        } else {
            base
        };
        write_png(&tuned.join(&restored), &own).unwrap();
        let mask = Rle::from_bitmap(&[1; 16 * 12], 16, 12).unwrap();
        let stack = MaskStack::new(16, 12, 4, vec![mask]).unwrap();
        stack.write(&masks.join(format!("{name}.masks"))).unwrap();
    }
    let pair = |n: &str| {
        format!(
            r#"{{"name":"{n}","hr":"hr-{n}.png","lq":"lq-{n}.png","width":16,"height":12,"digest":"{n}","notes":[]}}"#
        )
    };
    let list = format!(
        r#"{{"degrade":{{"sr":2}},"seed":0,"pairs":[{},{}]}}"#,
        pair("a"),
        pair("b")
    );
    std::fs::write(pairs.join("pairs.json"), list).unwrap();
    let list = r#"{"count":4,"images":[{"name":"a","digest":"1","file":"a.masks","found":1,"padded":3,"truncated":0},
{"name":"b","digest":"2","file":"b.masks","found":1,"padded":3,"truncated":0}]}"#;
    std::fs::write(masks.join("masks.json"), list).unwrap();
    std::fs::write(
        baseline.join("metrics.csv"),
        "image,psnr,ssim\na,36.1,0.9\nb,36.2,0.9\n",
    )
    .unwrap();
    std::fs::write(
        tuned.join("metrics.csv"),
        "image,psnr,ssim\na,35.5,0.9\nb,36.2,0.9\n",
    )
    .unwrap();
    Sources {
        pairs,
        masks: Some(masks),
        baseline,
        tuned,
    }
}

fn figure() -> Figure {
    Figure {
        baseline: String::new(),
        tuned: String::new(),
        crops: Vec::new(),
        better: 2,
        worse: 1,
        window: 8,
        images: Vec::new(),
        zoom: 3,
        gain: Some(8),
        caption: "Where masks help".into(),
    }
}

fn written(figure: &Figure) -> (TempDir, Result<String, FigureError>) {
    let folder = tempfile::tempdir().unwrap();
    let sources = sources(folder.path());
    let result = write(figure, &sources, folder.path());
    (folder, result)
}

#[test]
fn crops_are_found_where_the_error_differs_most() {
    let (folder, caption) = written(&figure());
    let caption = caption.unwrap();
    let expected = "\
Where masks help
1. a, 8×8 at 16, 8, better: baseline 36.09 (36.1000)
2. a, 8×8 at 0, 0, worse: baseline 36.09 (36.1000), tuned 22.11 (35.5000)
Of 2 crops for better, 1 found: no other image is better anywhere.
";
    assert!(caption.starts_with(expected), "{caption}");
    let csv = std::fs::read_to_string(folder.path().join("figure.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 2 * 6, "{csv}");
    assert!(csv.contains("2,a,0,0,8,8,worse,tuned,22.11"), "{csv}");
    assert!(csv.contains("1,a,16,8,8,8,better,masks,,\n"), "{csv}");
}

#[test]
fn the_picture_shows_the_panels_in_their_order() {
    let named = Figure {
        crops: vec![Crop {
            image: "a".into(),
            x: 0,
            y: 0,
            width: 32,
            height: 24,
        }],
        better: 0,
        worse: 0,
        ..figure()
    };
    let (folder, caption) = written(&named);
    caption.unwrap();
    let picture = read_rgb8(&folder.path().join("figure.png")).unwrap().image;
    // Panels of 96×72 with 8 between, below two lines of text of 17 and a margin of 8.
    assert_eq!(picture.size(), (6 * 96 + 7 * 8, 8 + 3 * 17 + 72 + 8));
    let pixel = |panel: usize, x: usize, y: usize| {
        let at = (y + 42) * picture.width + 8 + panel * 104 + x;
        picture.data[at * 3..at * 3 + 3].to_vec()
    };
    assert_ne!(pixel(0, 50, 50), [90; 3], "a mask is coloured");
    assert_eq!(pixel(1, 50, 50), [90; 3]);
    assert_eq!(pixel(2, 50, 50), [100; 3]);
    assert_eq!(pixel(3, 50, 50), [104; 3]);
    assert_eq!(pixel(4, 50, 30), [100; 3], "the tuned result in its square");
    assert_eq!(pixel(5, 50, 30), [32; 3], "4 apart, times 8");
    assert_eq!(pixel(5, 90, 70), [0; 3]);
    let top = &picture.data[..picture.width * 3 * 40];
    assert!(top.contains(&0), "there is text above");
}

/// What a reader of PDF needs: the parts, their places, texts as text, a picture a panel with its size.
#[test]
fn the_page_for_papers_has_pictures_and_texts() {
    let (folder, caption) = written(&figure());
    caption.unwrap();
    let bytes = std::fs::read(folder.path().join("figure.pdf")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("%PDF-1.7") && text.trim_end().ends_with("%%EOF"));
    // Six panels and the whole image for each of two crops.
    assert_eq!(text.matches("/Subtype /Image").count(), 14, "{text}");
    assert_eq!(
        text.matches("/Width 24").count(),
        12,
        "panels of 8 pixels, three times"
    );
    let streams: Vec<&[u8]> = bytes
        .windows(7)
        .enumerate()
        .filter(|(_, w)| w == b"stream\n")
        .map(|(at, _)| &bytes[at + 7..])
        .collect();
    let last = streams.iter().rev().find_map(|stream| {
        let mut text = String::new();
        let mut decoder = flate2::read::ZlibDecoder::new(*stream);
        std::io::Read::read_to_string(&mut decoder, &mut text).ok()?;
        text.contains("BT").then_some(text)
    });
    let drawn = last.unwrap();
    assert!(
        drawn.contains("(whole image) Tj") && drawn.contains("/P13 Do"),
        "{drawn}"
    );
    assert!(drawn.contains("(36.09 dB) Tj"), "{drawn}");
    assert!(drawn.contains("/Symbol 13 Tf\n(D) Tj"), "{drawn}");
}

#[test]
fn crops_that_images_do_not_have_are_refused() {
    let refused = |image: &str, x: u32, width: u32| {
        let crop = Crop {
            image: image.into(),
            x,
            y: 0,
            width,
            height: 8,
        };
        let (_folder, result) = written(&Figure {
            crops: vec![crop],
            ..figure()
        });
        result.unwrap_err().to_string()
    };
    assert!(refused("c", 0, 8).contains("there is no image `c`; images: a, b"));
    assert!(refused("a", 28, 8).contains("is not inside it"));
    assert!(refused("a", 1, 8).contains("use multiples of 2"));
}

#[test]
fn windows_are_compared_by_their_sums() {
    let hr = flat(12, 12, 100);
    let baseline = flat(12, 12, 102);
    let tuned = with_square(
        with_square(flat(12, 12, 102), (8, 4), 4, 100),
        (0, 8),
        4,
        105,
    );
    let [most, least] = extremes(&hr, &baseline, &tuned, (4, 4), 4);
    assert_eq!(
        most,
        Window {
            x: 8,
            y: 4,
            gain: 16 * 3 * 4
        }
    );
    assert_eq!(
        least,
        Window {
            x: 0,
            y: 8,
            gain: 16 * 3 * (4 - 25)
        }
    );
    let [most, least] = extremes(&hr, &baseline, &baseline, (12, 12), 4);
    assert_eq!((most, least.gain), (least, 0));
}
