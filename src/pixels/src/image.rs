//! The image everything works on: 8-bit RGB, interleaved, with the two conversions from and to floats.
//! Unaware of files, colour spaces other than RGB, and networks.

use crate::error::{PixelError, Result};

/// An 8-bit RGB image, rows from the top, three bytes (R, G, B) a pixel.
///
/// `data.len() == width * height * 3`; [`Rgb8::new`] checks it, and who fills the fields by hand keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb8 {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Samples, height × width × 3, each 0 to 255.
    pub data: Vec<u8>,
}

impl Rgb8 {
    /// An image of `data`, height × width × 3. Errors: [`PixelError::Buffer`].
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Result<Self> {
        check_length((width, height), data.len())?;
        Ok(Self {
            width,
            height,
            data,
        })
    }

    /// Width and height.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Row `y`, width × 3 samples.
    pub fn row(&self, y: usize) -> &[u8] {
        let bytes = self.width * 3;
        &self.data[y * bytes..][..bytes]
    }

    /// The part of `w`×`h` pixels whose top left pixel is (`x`, `y`). Errors: [`PixelError::Crop`].
    pub fn crop(&self, x: usize, y: usize, w: usize, h: usize) -> Result<Self> {
        let inside = |at: usize, length: usize, side: usize| {
            at.checked_add(length).is_some_and(|end| end <= side)
        };
        if !inside(x, w, self.width) || !inside(y, h, self.height) {
            return Err(PixelError::Crop {
                at: (x, y),
                crop: (w, h),
                size: self.size(),
            });
        }
        let data = (y..y + h)
            .flat_map(|row| &self.row(row)[x * 3..(x + w) * 3])
            .copied()
            .collect();
        Ok(Self {
            width: w,
            height: h,
            data,
        })
    }

    /// The largest top left part whose sides are multiples of `scale`, as reference images are cut before
    /// they are scaled down. Errors: [`PixelError::Scale`] where nothing would be left.
    pub fn mod_crop(&self, scale: usize) -> Result<Self> {
        if scale == 0 || scale > self.width.min(self.height) {
            return Err(PixelError::Scale {
                size: self.size(),
                scale,
            });
        }
        self.crop(
            0,
            0,
            self.width - self.width % scale,
            self.height - self.height % scale,
        )
    }

    /// The samples as floats in [0, 1], 3 × height × width.
    pub fn to_chw_f32(&self) -> Vec<f32> {
        let channel = |c: usize| {
            self.data
                .iter()
                .skip(c)
                .step_by(3)
                .map(|&v| f32::from(v) / 255.0)
        };
        (0..3).flat_map(channel).collect()
    }

    /// An image of floats, 3 × `height` × `width`: clamped to [0, 1], times 255, rounded half to even as
    /// `NumPy` does (the protocol of `BasicSR` and IMDN). NaN becomes 0. Errors: [`PixelError::Buffer`].
    pub fn from_chw_f32(chw: &[f32], width: usize, height: usize) -> Result<Self> {
        check_length((width, height), chw.len())?;
        let plane = width * height;
        let sample = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
        let data = (0..plane)
            .flat_map(|i| [0, 1, 2].map(|c| sample(chw[c * plane + i])))
            .collect();
        Ok(Self {
            width,
            height,
            data,
        })
    }
}

/// Whether `found` values make three channels of `size`, without overflow.
pub(crate) fn check_length(size: (usize, usize), found: usize) -> Result<()> {
    let expected = size.0.saturating_mul(size.1).saturating_mul(3);
    if expected == found {
        Ok(())
    } else {
        Err(PixelError::Buffer {
            size,
            expected,
            found,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: usize, height: usize) -> Rgb8 {
        Rgb8::new(
            width,
            height,
            (0..width * height * 3).map(|i| (i % 251) as u8).collect(),
        )
        .unwrap()
    }

    #[test]
    fn a_buffer_of_the_wrong_length_is_refused() {
        let error = Rgb8::new(2, 2, vec![0; 11]).unwrap_err().to_string();
        assert!(
            error.contains("11 values") && error.contains("12") && error.contains("hint:"),
            "{error}"
        );
        assert!(Rgb8::new(usize::MAX, 2, vec![]).is_err());
        assert!(Rgb8::from_chw_f32(&[0.0; 5], 1, 2).is_err());
    }

    #[test]
    fn crops_keep_pixels_and_refuse_to_leave_the_image() {
        let image = ramp(5, 4);
        let crop = image.crop(1, 2, 3, 2).unwrap();
        assert_eq!(crop.row(1), &image.row(3)[3..12]);
        assert!(image.crop(3, 0, 3, 1).is_err());
        assert!(image.crop(usize::MAX, 0, 2, 1).is_err());
        assert_eq!(image.crop(0, 0, 5, 4).unwrap(), image);
    }

    #[test]
    fn mod_crop_keeps_the_top_left() {
        let image = ramp(7, 5);
        assert_eq!(image.mod_crop(2).unwrap(), image.crop(0, 0, 6, 4).unwrap());
        assert!(image.mod_crop(0).is_err());
        assert!(image.mod_crop(6).is_err());
    }

    #[test]
    fn floats_round_half_to_even_and_clamp() {
        let half = |k: u8| (f32::from(k) + 0.5) / 255.0;
        let chw = [half(2), half(3), -0.1, 1.5, f32::NAN, 1.0];
        let image = Rgb8::from_chw_f32(&chw, 2, 1).unwrap();
        assert_eq!(image.data, [2, 0, 0, 4, 255, 255]);
    }

    #[test]
    fn every_level_survives_the_way_through_floats() {
        let image = Rgb8::new(16, 16, (0..768).map(|i| (i / 3) as u8).collect()).unwrap();
        assert_eq!(
            Rgb8::from_chw_f32(&image.to_chw_f32(), 16, 16).unwrap(),
            image
        );
    }
}
