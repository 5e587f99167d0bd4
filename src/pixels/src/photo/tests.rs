use std::path::Path;

use super::*;
use crate::error::PixelError;

use moxcms::ColorProfile;

/// A TIFF structure of one entry, the orientation: turned by 90° clockwise.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

fn photo() -> Photo {
    let data = (0..40 * 30).flat_map(|i| [i % 40 * 6, i / 40 * 8, i * 7 % 256].map(|v| v as u8));
    Photo {
        image: Rgb8::new(40, 30, data.collect()).unwrap(),
        alpha: Some((0..40 * 30).map(|i| (i % 256) as u8).collect()),
        profile: ColorProfile::new_adobe_rgb().encode().ok(),
        exif: Some(exif(1)),
    }
}

fn again(photo: &Photo, form: Form) -> Photo {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write_photo(&path, photo, form).unwrap();
    read_photo(&path).unwrap().0
}

#[test]
fn what_a_photograph_carries_comes_through_each_format() {
    let photo = photo();
    assert!(photo.profile.is_some());
    for form in [Form::Png, Form::Webp] {
        assert_eq!(again(&photo, form), photo, "{form:?}");
    }
    let tiff = again(&photo, Form::Tiff);
    assert_eq!(
        tiff,
        Photo {
            exif: None,
            ..photo.clone()
        }
    );
    let jpeg = again(&photo, Form::Jpeg(95));
    assert_eq!((&jpeg.profile, &jpeg.exif), (&photo.profile, &photo.exif));
    assert_eq!(jpeg.alpha, None);
    let off = jpeg.image.data.iter().zip(&photo.image.data);
    assert!(off.map(|(a, b)| a.abs_diff(*b)).max().unwrap() < 60);
    for form in [Form::Png, Form::Webp, Form::Tiff, Form::Jpeg(95)] {
        let bare = Photo {
            alpha: None,
            profile: None,
            exif: None,
            ..photo.clone()
        };
        let found = again(&bare, form);
        assert_eq!((found.alpha, found.profile, found.exif), (None, None, None));
    }
}

#[test]
fn what_an_encoder_refuses_is_told_from_a_disk_that_takes_nothing() {
    let bare = |width: usize, height: usize| Photo {
        image: Rgb8::new(width, height, vec![7; 3 * width * height]).unwrap(),
        alpha: None,
        profile: None,
        exif: None,
    };
    let large = || {
        let mut photo = bare(200, 150);
        for (n, sample) in photo.image.data.iter_mut().enumerate() {
            *sample = (n * n * 31 % 251) as u8; // nothing that compresses well
        }
        photo
    };
    let full = Path::new("/dev/full");
    let folder = tempfile::tempdir().unwrap();
    let forms = [
        (Form::Png, "PNG"),
        (Form::Webp, "WebP"),
        (Form::Tiff, "TIFF"),
        (Form::Jpeg(95), "JPEG"),
    ];
    for (form, name) in forms {
        if full.exists() {
            // The disk is asked at the end, and in the middle of what does not fit into a buffer.
            for photo in [bare(64, 64), large()] {
                let error = write_photo(full, &photo, form).unwrap_err();
                let PixelError::Write { source, .. } = &error else {
                    panic!("{form:?}: {error}");
                };
                assert_eq!(source.kind(), std::io::ErrorKind::StorageFull, "{form:?}");
            }
        }
        // The disk is not asked where the encoder says no.
        let place = folder.path().join(form.ending());
        let error = write_photo(&place, &bare(0, 0), form).unwrap_err();
        let message = error.to_string();
        assert!(
            matches!(error, PixelError::Encode { .. }),
            "{form:?}: {message}"
        );
        assert!(message.contains(name), "{form:?}: {message}");
    }
    let wide = bare(Form::Webp.fits((1 << 20, 1)).unwrap_err() + 1, 1);
    let error = write_photo(&folder.path().join("wide"), &wide, Form::Webp).unwrap_err();
    assert!(error.to_string().contains("as WebP"), "{error}");
}

#[test]
fn a_profile_of_several_segments_is_put_together() {
    let mut photo = photo();
    let profile = photo.profile.as_mut().unwrap();
    profile.extend((0..200_000).map(|i| (i % 251) as u8));
    let profile = photo.profile.clone();
    assert_eq!(again(&photo, Form::Jpeg(90)).profile, profile);
}

#[test]
fn a_turned_photograph_is_read_upright_and_says_so() {
    let turned = Photo {
        exif: Some(exif(6)),
        ..photo()
    };
    for form in [Form::Png, Form::Webp, Form::Jpeg(100)] {
        let upright = again(&turned, form);
        assert_eq!(upright.image.size(), (30, 40), "{form:?}");
        assert_eq!(upright.exif, Some(exif(1)), "{form:?}");
        if form != Form::Jpeg(100) {
            // Turned clockwise, the first row is the last column.
            assert_eq!(upright.image.row(0)[29 * 3..], turned.image.row(0)[..3]);
            assert_eq!(upright.alpha.unwrap()[29], turned.alpha.clone().unwrap()[0]);
        }
    }
}

#[test]
fn grey_with_a_profile_of_its_own_becomes_srgb_and_other_profiles_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grey.png");
    let read = |profile: Vec<u8>| {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        image::ImageEncoder::set_icc_profile(&mut encoder, profile).unwrap();
        let data = [0, 128, 255, 64];
        let grey = image::ExtendedColorType::L8;
        image::ImageEncoder::write_image(encoder, &data, 4, 1, grey).unwrap();
        std::fs::write(&path, bytes).unwrap();
        read_photo(&path).unwrap()
    };
    let grey = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    let (photo, notes) = read(grey);
    assert_eq!(photo.profile, None);
    // Half the light is level 188 of sRGB.
    let row = photo.image.row(0);
    assert!(row[0] == 0 && row[9] > 130 && row[6] == 255, "{row:?}");
    assert!((186..=190).contains(&row[3]), "{row:?}");
    assert!(notes.contains(&Converted::GreyProfile), "{notes:?}");
    let (photo, notes) = read(b"no profile at all".repeat(20));
    assert_eq!((photo.profile, photo.image.row(0)[3]), (None, 128));
    assert!(notes.contains(&Converted::NoProfile), "{notes:?}");
}

#[test]
fn a_bomb_of_a_profile_is_not_unpacked() {
    use std::io::Write;
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        packed.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let chunk = [&b"x\0\0"[..], &packed.finish().unwrap()].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend((chunk.len() as u32).to_be_bytes());
    png.extend(b"iCCP");
    png.extend(chunk);
    assert_eq!(carried::profile(&png), None);
    for at in 0..png.len().min(200) {
        let _ = (carried::profile(&png[..at]), carried::exif(&png[..at]));
    }
}

#[test]
fn opacity_is_enlarged_as_pictures_are() {
    let alpha = vec![255; 12];
    assert_eq!(
        larger_alpha(alpha.clone(), (4, 3), 2).unwrap(),
        vec![255; 48]
    );
    assert_eq!(larger_alpha(alpha.clone(), (4, 3), 1).unwrap(), alpha);
    assert!(larger_alpha(alpha, (5, 3), 2).is_err());
}
