//! The one error of this crate: what was read, what was expected of it, and what to do about it.
//! Unaware of how errors are shown; a message is lowercase, ends in a hint, and has no final period.

use std::path::PathBuf;

/// What any fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, PixelError>;

/// Width and height in pixels, as messages show them.
pub type Size = (usize, usize);

/// Everything that can go wrong with images and masks.
#[derive(Debug, thiserror::Error)]
pub enum PixelError {
    /// A file could not be opened or read to its end.
    #[error("cannot read `{}`: {source}\nhint: check that the file exists and may be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file could not be created or written.
    #[error("cannot write `{}`: {source}\nhint: check that the folder exists, may be written, and has room", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The content is not PNG, JPEG or BMP, whatever the name says.
    #[error("`{}` is not an image: its content is not PNG, JPEG or BMP\nhint: convert it to PNG; the name's ending is not looked at", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
    },
    /// An image that starts well and then ends or breaks.
    #[error("`{}` is damaged: {reason}\nhint: fetch or write the file again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder met.
        reason: String,
    },
    /// A header that asks for more memory than any image of this field needs.
    #[error("`{}` says it is {}x{} pixels, more than the {limit} that are accepted\nhint: the header may be damaged; else cut the image into parts", path.display(), size.0, size.1)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Width and height that the header gives.
        size: Size,
        /// The largest accepted number of pixels.
        limit: usize,
    },
    /// A buffer whose length does not fit the size that came with it.
    #[error("a buffer of {found} values was given for {}x{} pixels, which need {expected}\nhint: width comes first, then height", size.0, size.1)]
    Buffer {
        /// Width and height.
        size: Size,
        /// The length that they need.
        expected: usize,
        /// The length that was given.
        found: usize,
    },
    /// A crop that leaves the image.
    #[error("a crop of {}x{} at ({}, {}) leaves an image of {}x{}\nhint: crops must lie inside", crop.0, crop.1, at.0, at.1, size.0, size.1)]
    Crop {
        /// Left and top.
        at: (usize, usize),
        /// Width and height of the crop.
        crop: Size,
        /// Width and height of the image.
        size: Size,
    },
    /// A scale that leaves nothing of an image.
    #[error("an image of {}x{} has no multiple of {scale} in it\nhint: the scale is 1 or more, and at most the shorter side", size.0, size.1)]
    Scale {
        /// Width and height of the image.
        size: Size,
        /// The scale.
        scale: usize,
    },
    /// Two images that should be compared have different sizes.
    #[error("the restored image is {}x{}, the reference {}x{}\nhint: crop the reference to the size of the input times the scale", restored.0, restored.1, reference.0, reference.1)]
    SizesDiffer {
        /// Width and height of the restored image.
        restored: Size,
        /// Width and height of the reference.
        reference: Size,
    },
    /// Too few pixels are left for a metric after the border was shaved off.
    #[error("an image of {}x{} with {shave} pixels shaved off each side is smaller than the {need}x{need} that {metric} needs\nhint: shave less, or leave this image out", size.0, size.1)]
    TooSmall {
        /// Width and height before shaving.
        size: Size,
        /// Pixels shaved off each side.
        shave: usize,
        /// The smallest side that works.
        need: usize,
        /// `psnr` or `ssim`.
        metric: &'static str,
    },
    /// A folder that is not there.
    #[error("there is no folder `{}`\nhint: check the spelling, and that the data set was unpacked there", path.display())]
    MissingFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file where a folder was expected.
    #[error("`{}` is a file, not a folder\nhint: name the folder that holds the images", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// A folder without a single image.
    #[error("the folder `{}` holds no image\nhint: files that end in png, jpg or jpeg are looked for, not those in folders below", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// No masks were made for an image.
    #[error("there are no masks for `{stem}` in `{}`: neither a folder `{stem}` nor a file `{stem}.json`\nhint: masks are found by the name of the image without its ending", dir.display())]
    MissingMasks {
        /// Where they were looked for.
        dir: PathBuf,
        /// The image's name without its ending.
        stem: String,
    },
    /// Both forms of masks exist for one image.
    #[error("masks for `{stem}` are in `{}` twice: a folder `{stem}` and a file `{stem}.json`\nhint: remove one of the two", dir.display())]
    TwoMasks {
        /// Where they were looked for.
        dir: PathBuf,
        /// The image's name without its ending.
        stem: String,
    },
    /// A mask of another size than its image.
    #[error("{what} in `{}` is {}x{}, the image {}x{}\nhint: make the masks from the same degraded image, at its own size", path.display(), found.0, found.1, expected.0, expected.1)]
    MaskSize {
        /// The file.
        path: PathBuf,
        /// Which mask.
        what: String,
        /// Width and height of the image.
        expected: Size,
        /// Width and height of the mask.
        found: Size,
    },
    /// A mask file that cannot be understood.
    #[error("cannot understand the masks in `{}`: {reason}\nhint: the list that SAM's amg.py writes with --convert-to-rle is expected", path.display())]
    MaskFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where they are known.
        reason: String,
    },
    /// Run lengths that do not describe a mask of their size.
    #[error("run lengths do not fit a mask of {}x{}: {reason}\nhint: column-major runs that start with zeros are expected", size.0, size.1)]
    Runs {
        /// Width and height.
        size: Size,
        /// What is wrong.
        reason: String,
    },
    /// A file of another kind was given as a mask stack.
    #[error("`{}` is not a mask stack\nhint: mask stages write them; masks of others are read as PNG folders or COCO JSON", path.display())]
    NotAStack {
        /// The file.
        path: PathBuf,
    },
    /// A mask stack of another version of this program.
    #[error("`{}` is a mask stack of version {found}, this program reads version {expected}\nhint: run the mask stage again with this program", path.display())]
    StackVersion {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u8,
        /// The version that is read.
        expected: u8,
    },
    /// A mask stack that breaks off or contradicts itself.
    #[error("the mask stack `{}` is damaged: {reason}\nhint: remove it and run the mask stage again", path.display())]
    DamagedStack {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl PixelError {
    /// For `map_err` after reading `path`.
    pub(crate) fn read(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Read { path, source }
    }

    /// For `map_err` after writing `path`.
    pub(crate) fn write(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Write { path, source }
    }
}
