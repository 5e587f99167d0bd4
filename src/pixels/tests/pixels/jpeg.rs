//! JPEG files decode to the very samples that Pillow's libjpeg-turbo gives: those of `tests/golden_jpeg`, and `BSDS500`'s.
//! Unaware of how the digests were made; `tests/golden_jpeg/make.py` says that.

use std::path::{Path, PathBuf};

use pixels::read_rgb8;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden_jpeg")
}

#[test]
fn own_files_of_every_sampling_are_pillows_to_the_bit() {
    let digests = std::fs::read_to_string(folder().join("digests.csv")).unwrap();
    let mut read = 0;
    for line in digests.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let &[name, width, height, digest] = fields.as_slice() else {
            panic!("{line}");
        };
        let loaded = read_rgb8(&folder().join(name)).unwrap();
        let size = (width.parse().unwrap(), height.parse().unwrap());
        assert_eq!(loaded.image.size(), size, "{name}");
        assert_eq!(
            blake3::hash(&loaded.image.data).to_string(),
            digest,
            "{name}"
        );
        assert_eq!(
            loaded.notes.len(),
            usize::from(name.starts_with("grey") || name == "mask.jpg"),
            "{name}"
        );
        read += 1;
    }
    assert_eq!(read, 17);
}

#[test]
fn the_photographs_of_bsds500_are_pillows_to_the_bit() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/real");
    let real = std::env::var_os("PIPELINE_REAL").map_or(beside, PathBuf::from);
    let mut files = Vec::new();
    for part in ["train", "valid"] {
        let listed = pixels::list_images(&real.join("bsd").join(part), false);
        files.extend(listed.unwrap_or_default().files);
    }
    if files.is_empty() {
        println!(
            "skipped: the_photographs_of_bsds500_are_pillows_to_the_bit: no photographs (set PIPELINE_REAL)"
        );
        return;
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let mut digest = blake3::Hasher::new();
    for file in &files {
        digest.update(&read_rgb8(&file.path).unwrap().image.data);
    }
    let expected = std::fs::read_to_string(folder().join("bsd.txt")).unwrap();
    assert_eq!(format!("{} {}\n", files.len(), digest.finalize()), expected);
}
