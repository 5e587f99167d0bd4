//! How the PSNR and SSIM of single images are counted, compared, written and read where they are infinite or undefined.
//! Unaware of how they are computed and of who averages them.
//!
//! An image is stored and shown as it is: a perfect one has a PSNR of `inf`, and an image on which a metric cannot be
//! computed (smaller than SSIM's window, or nothing left after shaving) has an empty cell. What is made of several images
//! counts a PSNR as at most [`CAP`], the 100 dB that many codes of the field give a perfect image, and leaves undefined
//! values out. Whether a value is undefined depends on the image's size alone, so the same images are left out of every
//! scheme and every iteration, and differences stay paired.

/// What a PSNR counts at most in means, differences and comparisons, in dB.
pub const CAP: f64 = 100.0;

/// What an image's value counts in a mean or a comparison; nothing where it is undefined.
pub fn counted(metric: &str, value: f64) -> Option<f64> {
    let value = if is_capped(metric, value) { CAP } else { value };
    value.is_finite().then_some(value)
}

/// Whether an image's value counts as less than it is.
pub fn is_capped(metric: &str, value: f64) -> bool {
    metric == "psnr" && value > CAP
}

/// The mean of what counts; nothing where nothing does.
pub fn mean(metric: &str, values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_usize);
    for value in values
        .into_iter()
        .filter_map(|value| counted(metric, value))
    {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

/// An image's value as it is stored; empty where it is undefined.
pub fn text(value: f64) -> String {
    if value.is_nan() {
        String::new()
    } else {
        value.to_string()
    }
}

/// Reads what [`text`] wrote; NaN where it is empty, nothing where it is no number.
pub fn parse(text: &str) -> Option<f64> {
    if text.is_empty() {
        return Some(f64::NAN);
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_image_counts_a_hundred_and_an_undefined_one_nothing() {
        let values = [f64::INFINITY, 30.0, f64::NAN, 120.0];
        assert_eq!(mean("psnr", values), Some(230.0 / 3.0));
        assert_eq!(mean("ssim", [f64::NAN, 0.5, 0.7]), Some(0.6));
        assert_eq!(mean("ssim", [f64::NAN]), None);
        assert_eq!(mean("psnr", []), None);
        assert_eq!(counted("psnr", f64::NAN), None);
        assert!(is_capped("psnr", 100.1) && !is_capped("psnr", 100.0));
    }

    #[test]
    fn what_is_written_is_read() {
        for value in [f64::INFINITY, 31.25, 0.0, -0.5, f64::NAN] {
            let read = parse(&text(value)).unwrap();
            assert_eq!(read.to_bits(), value.to_bits());
        }
        assert_eq!(text(f64::INFINITY), "inf");
        assert_eq!(parse("much"), None);
    }
}
