//! Compares metrics, both resizes and noise with the golden file that the official codes made.
//! Unaware of how it was made; tests/golden/manifest.json says that, and the tolerances.

use std::path::Path;

use pixels::{Channel, Rgb8};
use safetensors::SafeTensors;
use serde_json::Value;

/// The golden file and its case in the manifest.
struct Golden {
    bytes: Vec<u8>,
    case: Value,
}

impl Golden {
    fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
        let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let cases = manifest["cases"].as_array().unwrap();
        let case = cases
            .iter()
            .find(|case| case["id"] == "metrics")
            .unwrap()
            .clone();
        Self {
            bytes: std::fs::read(folder.join("metrics.safetensors")).unwrap(),
            case,
        }
    }

    fn list(&self, name: &str) -> &[Value] {
        self.case[name].as_array().unwrap()
    }

    fn tolerance(&self, name: &str) -> f64 {
        self.case["tolerance"][name].as_f64().unwrap()
    }

    /// Height, width and the bytes of a tensor height × width × 3.
    fn tensor(&self, key: &str) -> (usize, usize, Vec<u8>) {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = tensors.tensor(key).unwrap();
        (view.shape()[0], view.shape()[1], view.data().to_vec())
    }

    fn image(&self, key: &str) -> Rgb8 {
        let (height, width, data) = self.tensor(key);
        Rgb8::new(width, height, data).unwrap()
    }

    /// An image such as `img.0` or `img.0[:21,:17]` (rows, then columns).
    fn source(&self, text: &str) -> Rgb8 {
        let (key, part) = text.split_once('[').unwrap_or((text, ""));
        let image = self.image(key);
        let sides: Vec<usize> = part
            .split([':', ',', ']'])
            .filter_map(|side| side.parse().ok())
            .collect();
        if let [h, w] = sides[..] {
            image.crop(0, 0, w, h).unwrap()
        } else {
            image
        }
    }

    /// The source of a resize, cut as its entry says.
    fn resize_source(&self, entry: &Value) -> Rgb8 {
        let image = self.source(entry["src"].as_str().unwrap());
        entry["mod_crop"].as_u64().map_or(image.clone(), |scale| {
            image.mod_crop(scale as usize).unwrap()
        })
    }
}

#[test]
fn psnr_and_ssim_are_those_of_basicsr() {
    let golden = Golden::read();
    for entry in golden.list("metrics") {
        let (a, b) = (
            golden.source(entry["deg"].as_str().unwrap()),
            golden.source(entry["ref"].as_str().unwrap()),
        );
        let channel = if entry["test_y_channel"] == true {
            Channel::YUnrounded
        } else {
            Channel::Rgb
        };
        let shave = entry["crop_border"].as_u64().unwrap() as usize;
        let (psnr, ssim) = pixels::metrics(&a, &b, shave, channel).unwrap();
        let far = |value: f64, name: &str| (value - entry[name].as_f64().unwrap()).abs();
        assert!(
            far(psnr, "psnr") <= golden.tolerance("psnr_db") / 100.0,
            "{entry}: {psnr}"
        );
        assert!(
            far(ssim, "ssim") <= golden.tolerance("ssim") / 100.0,
            "{entry}: {ssim}"
        );
    }
}

/// IMDN's test code on the same images with skimage 0.26.0: `rgb2ycbcr`, clipped and rounded to 8 bits,
/// `peak_signal_noise_ratio`, and `structural_similarity(K1=0.01, K2=0.03, gaussian_weights=True, sigma=1.5,
/// use_sample_covariance=False)`: image, shave, PSNR, SSIM.
const IMDN: [(usize, usize, f64, f64); 9] = [
    (0, 2, 30.461_707_493_182_427, 0.859_154_420_743_234_7),
    (0, 3, 30.393_926_724_248_765, 0.857_574_708_151_426_4),
    (0, 4, 30.315_883_893_426_495, 0.856_383_405_699_432_7),
    (1, 2, 32.520_980_000_529_896, 0.847_006_192_895_019_1),
    (1, 3, 32.652_352_402_066_86, 0.846_680_078_035_466_7),
    (1, 4, 32.782_847_194_229_9, 0.846_009_721_838_102_4),
    (2, 2, 27.851_382_547_961_09, 0.785_133_667_473_243_6),
    (2, 3, 27.976_163_055_461_51, 0.785_816_008_137_962),
    (2, 4, 28.165_517_504_751_84, 0.786_590_956_656_953_3),
];

#[test]
fn rounded_psnr_and_ssim_are_those_of_imdn() {
    let golden = Golden::read();
    for (index, shave, psnr, ssim) in IMDN {
        let restored = golden.image(&format!("deg.{index}"));
        let reference = golden
            .image(&format!("img.{index}"))
            .crop(0, 0, restored.width, restored.height)
            .unwrap();
        let found = pixels::metrics(&restored, &reference, shave, Channel::YRounded).unwrap();
        assert!(
            (found.0 - psnr).abs() < 1e-9 && (found.1 - ssim).abs() < 1e-9,
            "{index} {shave}: {found:?}"
        );
    }
}

#[test]
fn the_8_bit_resize_is_that_of_matlab() {
    let golden = Golden::read();
    for entry in golden.list("matlab_u8") {
        let source = golden.resize_source(entry);
        let scale = (1.0 / entry["scale"].as_f64().unwrap()).round() as usize;
        let expected = golden.image(entry["key"].as_str().unwrap());
        assert_eq!(
            pixels::matlab_bicubic_u8(&source, scale),
            expected,
            "{entry}"
        );
    }
}

#[test]
fn the_float_resize_is_that_of_basicsr() {
    let golden = Golden::read();
    for entry in golden.list("imresize") {
        let source = golden.resize_source(entry);
        let scale = entry["scale"].as_f64().unwrap();
        let found =
            pixels::basicsr_bicubic_f32(&source.to_chw_f32(), source.width, source.height, scale)
                .unwrap();
        let (height, width, bytes) = golden.tensor(entry["key"].as_str().unwrap());
        assert_eq!((found.height, found.width), (height, width), "{entry}");
        for (i, bytes) in bytes.as_chunks::<4>().0.iter().enumerate() {
            let sample = found.data[i % 3 * height * width + i / 3];
            let error = f64::from((sample - f32::from_le_bytes(*bytes)).abs());
            assert!(error <= golden.tolerance("imresize"), "{entry}: {error}");
        }
    }
}

#[test]
fn noise_is_that_of_arts_test() {
    let golden = Golden::read();
    for entry in golden.list("noise") {
        let (height, width, bytes) = golden.tensor(entry["key"].as_str().unwrap());
        let noise = pixels::gaussian_noise_bgr(0, height, width, entry["sigma"].as_f64().unwrap());
        assert_eq!(noise.len(), bytes.len() / 8);
        for (noise, bytes) in noise.iter().zip(bytes.as_chunks::<8>().0) {
            assert!((noise - f64::from_le_bytes(*bytes)).abs() <= golden.tolerance("noise"));
        }
    }
}
