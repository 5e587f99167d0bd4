//! How the names of images end.
//! Unaware of folders and of what is in a file.

/// How the names of images end, in any case.
pub const ENDINGS: &[&str] = &[
    "png", "jpg", "jpeg", "jpe", "jfif", "bmp", "tif", "tiff", "webp",
];
