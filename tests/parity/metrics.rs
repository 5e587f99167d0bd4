//! PSNR, SSIM, both resizes and the noise of the denoising tests, against `BasicSR`, `NumPy` and MATLAB.
//! Unaware of networks.

use pixels::{
    Channel, Rgb8, basicsr_bicubic_f32, gaussian_noise_bgr, matlab_bicubic_u8, matlab_bicubic_u8_to,
};
use pixels::{psnr, ssim};
use serde::Deserialize;
use tch::{Kind, Tensor};

use crate::case::{Case, Change, Outcome, Tensors, max_abs, tensor, worse};

/// `model: metrics`.
pub fn all(case: &Case, change: Change) -> Result<Outcome, String> {
    let tensors = case.tensors()?;
    let (psnr_db, ssim) = comparisons(case, &tensors, change)?;
    let values = [
        ("psnr_db", psnr_db),
        ("ssim", ssim),
        ("imresize", float_resizes(case, &tensors)?),
        ("noise", noises(case, &tensors, change)?),
        ("matlab_u8", matlab_resizes(case, &tensors, change)?),
    ];
    let quantities = values
        .into_iter()
        .map(|(name, value)| case.quantity(name, value));
    Ok(Outcome::Ran(quantities.collect::<Result<_, _>>()?))
}

/// One comparison of two images.
#[derive(Deserialize)]
struct Comparison {
    r#ref: String,
    deg: String,
    crop_border: usize,
    test_y_channel: bool,
    psnr: f64,
    ssim: f64,
}

/// The worst errors of PSNR and SSIM.
fn comparisons(case: &Case, tensors: &Tensors, change: Change) -> Result<(f64, f64), String> {
    let luma = if change == Change::Luma {
        Channel::YRounded
    } else {
        Channel::YUnrounded
    };
    let (mut worst_psnr, mut worst_ssim) = (0.0, 0.0);
    for c in case.get::<Vec<Comparison>>("/metrics")? {
        let (reference, restored) = (image(tensors, &c.r#ref)?, image(tensors, &c.deg)?);
        let channel = if c.test_y_channel { luma } else { Channel::Rgb };
        let text = |error: pixels::PixelError| error.to_string();
        let db = psnr(&restored, &reference, c.crop_border, channel).map_err(text)?;
        let similarity = ssim(&restored, &reference, c.crop_border, channel).map_err(text)?;
        worst_psnr = worse(worst_psnr, (db - c.psnr).abs());
        worst_ssim = worse(worst_ssim, (similarity - c.ssim).abs());
    }
    Ok((worst_psnr, worst_ssim))
}

/// One resize.
#[derive(Deserialize)]
struct Resize {
    key: String,
    src: String,
    mod_crop: Option<usize>,
    scale: f64,
    out_hw: [usize; 2],
}

impl Resize {
    fn source(&self, tensors: &Tensors) -> Result<Rgb8, String> {
        let image = image(tensors, &self.src)?;
        match self.mod_crop {
            Some(scale) => image.mod_crop(scale).map_err(|error| error.to_string()),
            None => Ok(image),
        }
    }
}

/// The worst error of the floating-point resize.
fn float_resizes(case: &Case, tensors: &Tensors) -> Result<f64, String> {
    let mut worst = 0.0;
    for resize in case.get::<Vec<Resize>>("/imresize")? {
        let expected = tensor(tensors, &resize.key)?.permute([2, 0, 1]);
        worst = worse(worst, max_abs(&float_resize(&resize, tensors)?, &expected));
    }
    Ok(worst)
}

/// (3, H, W) in [0, 1].
fn float_resize(resize: &Resize, tensors: &Tensors) -> Result<Tensor, String> {
    let source = resize.source(tensors)?;
    let out = basicsr_bicubic_f32(
        &source.to_chw_f32(),
        source.width,
        source.height,
        resize.scale,
    )
    .map_err(|error| error.to_string())?;
    Ok(Tensor::from_slice(&out.data).view([3, out.height as i64, out.width as i64]))
}

/// The worst error of the 8-bit resize, in grey levels.
fn matlab_resizes(case: &Case, tensors: &Tensors, change: Change) -> Result<f64, String> {
    let mut worst = 0.0;
    for resize in case.get::<Vec<Resize>>("/matlab_u8")? {
        let ours = match change {
            Change::Resize => (float_resize(&resize, tensors)?.clamp(0.0, 1.0) * 255.0)
                .round()
                .permute([1, 2, 0]),
            _ => hwc(&matlab_resize(&resize, tensors)?),
        };
        worst = worse(worst, max_abs(&ours, tensor(tensors, &resize.key)?));
    }
    Ok(worst)
}

fn matlab_resize(resize: &Resize, tensors: &Tensors) -> Result<Rgb8, String> {
    let source = resize.source(tensors)?;
    let factor = 1.0 / resize.scale;
    let whole = factor.round();
    if whole >= 1.0 && (factor - whole).abs() < 1e-9 {
        return Ok(matlab_bicubic_u8(&source, whole as usize));
    }
    let [height, width] = resize.out_hw;
    Ok(matlab_bicubic_u8_to(&source, width, height))
}

/// One draw of noise.
#[derive(Deserialize)]
struct Noise {
    key: String,
    sigma: f64,
    shape: [usize; 3],
}

fn noises(case: &Case, tensors: &Tensors, change: Change) -> Result<f64, String> {
    let seed = u32::from(change == Change::Seed);
    let mut worst = 0.0;
    for noise in case.get::<Vec<Noise>>("/noise")? {
        let [h, w, _] = noise.shape;
        let ours = Tensor::from_slice(&gaussian_noise_bgr(seed, h, w, noise.sigma));
        worst = worse(
            worst,
            max_abs(&ours, &tensor(tensors, &noise.key)?.flatten(0, -1)),
        );
    }
    Ok(worst)
}

/// The image that `img.0` or a top left part of it, `img.0[:96,:122]`, names.
fn image(tensors: &Tensors, name: &str) -> Result<Rgb8, String> {
    let (key, part) = name.split_once('[').unwrap_or((name, ""));
    let sides: Vec<i64> = part
        .split([':', ',', ']'])
        .filter_map(|n| n.trim().parse().ok())
        .collect();
    let mut pixels = tensor(tensors, key)?.to_kind(Kind::Uint8);
    for (dim, side) in (0..).zip(sides) {
        pixels = pixels.narrow(dim, 0, side);
    }
    let size = pixels.size();
    let data = Vec::<u8>::try_from(pixels.contiguous().flatten(0, -1))
        .map_err(|error| error.to_string())?;
    Rgb8::new(size[1] as usize, size[0] as usize, data).map_err(|error| error.to_string())
}

fn hwc(image: &Rgb8) -> Tensor {
    Tensor::from_slice(&image.data).view([image.height as i64, image.width as i64, 3])
}
