//! The one error of this crate: what was read, what was expected of it, and what to do about it.
//! Unaware of how errors are shown; a message is lowercase, ends in a hint, and has no final period.

use std::path::{Path, PathBuf};

use files::Name;

use crate::left_out::LeftOut;

/// What any fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, PixelError>;

/// Width and height in pixels, as messages show them.
pub type Size = (usize, usize);

/// Everything that can go wrong with images and masks.
#[derive(Debug, thiserror::Error)]
pub enum PixelError {
    /// A file could not be opened or read to its end.
    #[error(
        "cannot read `{}`: {source}\nhint: {}",
        Name(path),
        file_hint(source, "check that the file exists and may be read")
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file could not be created or written.
    #[error(
        "cannot write `{}`: {source}\nhint: {}",
        Name(path),
        file_hint(source, "check that the folder exists")
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An image that the encoder of a format refuses, however much room the disk has.
    #[error("an image of {}x{} pixels cannot be encoded as {form}: {reason}\nhint: write it in another format, or scale it down", size.0, size.1)]
    Encode {
        /// The format's name.
        form: &'static str,
        /// Width and height.
        size: Size,
        /// What the encoder says.
        reason: String,
    },
    /// The content is of no format that is read, whatever the name says.
    #[error("`{}` is not an image: its content is not PNG, JPEG, BMP, TIFF or WebP{}\nhint: convert it to PNG; the name's ending is not looked at", Name(path), listed(found.as_deref()))]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// What it seems to be instead.
        found: Option<String>,
    },
    /// An image of a known format in a form that is not read.
    #[error(
        "`{}` is not read: {reason}\nhint: convert it to PNG with 8 or 16 bits a sample",
        Name(path)
    )]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Which form.
        reason: String,
    },
    /// An image that starts well and then ends or breaks.
    #[error(
        "`{}` is damaged: {reason}\nhint: fetch or write the file again",
        Name(path)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder met.
        reason: String,
    },
    /// A header that asks for more pixels than any image of this field has.
    #[error("`{}` says it is {}x{} pixels, more than the {limit} that are accepted\nhint: the header may be damaged; cut the image into parts, or set PIPELINE_MAX_PIXELS", Name(path), size.0, size.1)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Width and height that the header gives.
        size: Size,
        /// The largest accepted number of pixels.
        limit: usize,
    },
    /// Work that would take more memory than there is.
    #[error("{what} of {}x{} pixels takes about {}, more than the {} that it may take here (half of the memory, or PIPELINE_MAX_MEMORY)\nhint: cut the image into parts, scale it down, or use a machine with more memory", size.0, size.1, amount(*need), amount(*limit))]
    TooMuchMemory {
        /// The work, such as ``decoding `a.png` ``.
        what: String,
        /// Width and height of the image.
        size: Size,
        /// Bytes that it takes.
        need: u64,
        /// Bytes that it may take.
        limit: u64,
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
    #[error("{}", no_folder(path))]
    MissingFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file where a folder was expected.
    #[error(
        "`{}` is a file, not a folder\nhint: name the folder that holds the images",
        Name(path)
    )]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// A folder without a single image.
    #[error("the folder `{}` holds no image{}\nhint: names that end in {} are looked for", Name(path), listed(left.said(path).as_deref()), endings())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// What it holds instead.
        left: LeftOut,
    },
    /// A FIFO, a socket or a device where a file was expected.
    #[error(
        "`{}` is {what}, not a regular file\nhint: remove it, or give it another ending",
        Name(path)
    )]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What it is, with its article.
        what: &'static str,
    },
    /// Folders within folders without end.
    #[error(
        "`{}` lies in more than {limit} folders within each other\nhint: name a folder nearer to the images",
        Name(path)
    )]
    TooDeep {
        /// The folder.
        path: PathBuf,
        /// The most that are entered.
        limit: usize,
    },
    /// No masks were made for an image.
    #[error(
        "there are no masks for `{}` in `{}`: neither a folder `{}` nor a file `{}.json`\nhint: masks are found by the name of the image without its ending",
        Name(Path::new(stem)),
        Name(dir),
        Name(Path::new(stem)),
        Name(Path::new(stem))
    )]
    MissingMasks {
        /// Where they were looked for.
        dir: PathBuf,
        /// The image's name without its ending.
        stem: String,
    },
    /// Masks of one image in two places.
    #[error("masks for `{}` are in `{}` twice: {} and {}\nhint: remove one of the two", Name(Path::new(stem)), Name(dir), Name(Path::new(&both[0])), Name(Path::new(&both[1])))]
    TwoMasks {
        /// Where they were looked for.
        dir: PathBuf,
        /// The image's name without its ending.
        stem: String,
        /// What was found.
        both: [String; 2],
    },
    /// A folder without a single mask.
    #[error("there are no masks in `{}`{}\nhint: a folder of image files for each image, or a file of run lengths `IMAGE.json`, is looked for", Name(path), listed(left.said(path).as_deref()))]
    NoMasks {
        /// The folder.
        path: PathBuf,
        /// What it holds instead.
        left: LeftOut,
    },
    /// A mask file that can be understood in two ways, or not in the one that was asked for.
    #[error(
        "it is not clear which pixels of the mask `{}` are inside: {reason}\nhint: {hint}",
        Name(path)
    )]
    MaskReading {
        /// The file.
        path: PathBuf,
        /// What is in doubt.
        reason: String,
        /// The choices.
        hint: String,
    },
    /// A mask of another size than its image.
    #[error("{what} in `{}` is {}x{}, the image {}x{}\nhint: make the masks from the same degraded image, at its own size", Name(path), found.0, found.1, expected.0, expected.1)]
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
    #[error(
        "cannot understand the masks in `{}`: {reason}\nhint: the list that SAM's amg.py writes with --convert-to-rle, or the map of SA-1B, is expected",
        Name(path)
    )]
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
    #[error(
        "`{}` is not a mask stack\nhint: mask stages write them; masks of others are read as PNG folders or COCO JSON",
        Name(path)
    )]
    NotAStack {
        /// The file.
        path: PathBuf,
    },
    /// A mask stack of another version of this program.
    #[error(
        "`{}` is a mask stack of version {found}, this program reads version {expected}\nhint: run the mask stage again with this program",
        Name(path)
    )]
    StackVersion {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u8,
        /// The version that is read.
        expected: u8,
    },
    /// A mask stack that breaks off or contradicts itself.
    #[error(
        "the mask stack `{}` is damaged: {reason}\nhint: remove it and run the mask stage again",
        Name(path)
    )]
    DamagedStack {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// An amount of memory, in the unit in which it is more than nothing.
fn amount(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1e8 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.1} GB", bytes / 1e9),
    }
}

/// A folder that is not there, or never could be.
fn no_folder(path: &Path) -> String {
    let shown = Name(path);
    if files::is_pattern(path) {
        let expected = "name the folder: all files of its that end as images or masks do are read";
        format!("`{shown}` {}\nhint: {expected}", files::NOT_EXPANDED)
    } else {
        let hint = "check the spelling, and that the data set was unpacked there";
        format!("there is no folder `{shown}`\nhint: {hint}")
    }
}

/// What a folder holds instead of images, behind a colon.
fn listed(why: Option<&str>) -> String {
    why.map_or(String::new(), |why| format!(": {why}"))
}

/// The endings of images' names, `png, jpg or bmp`.
fn endings() -> String {
    match crate::endings::ENDINGS.split_last() {
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// What to do where a file cannot be opened or written, by what the system says.
pub(crate) fn file_hint(source: &std::io::Error, otherwise: &'static str) -> &'static str {
    use std::io::ErrorKind::{InvalidFilename, IsADirectory, PermissionDenied, StorageFull};
    match source.kind() {
        _ if files::NotAsPlanned::is_why(source) => files::NotAsPlanned::HINT,
        _ if files::was_pattern(source) => "name one file, or a folder",
        InvalidFilename => "the name is too long for the file system: shorten it",
        PermissionDenied => "check the permissions",
        StorageFull => "free some room",
        IsADirectory => "it is a folder: name a file",
        _ => otherwise,
    }
}

impl PixelError {
    /// The file or folder that this is about, for callers that call it otherwise than it was opened by.
    pub fn path_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Read { path, .. }
            | Self::Write { path, .. }
            | Self::NotAnImage { path, .. }
            | Self::Unsupported { path, .. }
            | Self::Damaged { path, .. }
            | Self::TooLarge { path, .. }
            | Self::MissingFolder { path }
            | Self::NotAFolder { path }
            | Self::EmptyFolder { path, .. }
            | Self::NotRegular { path, .. }
            | Self::TooDeep { path, .. }
            | Self::MissingMasks { dir: path, .. }
            | Self::TwoMasks { dir: path, .. }
            | Self::NoMasks { path, .. }
            | Self::MaskReading { path, .. }
            | Self::MaskSize { path, .. }
            | Self::MaskFile { path, .. }
            | Self::NotAStack { path }
            | Self::StackVersion { path, .. }
            | Self::DamagedStack { path, .. } => Some(path),
            Self::Encode { .. }
            | Self::TooMuchMemory { .. }
            | Self::Buffer { .. }
            | Self::Crop { .. }
            | Self::Scale { .. }
            | Self::SizesDiffer { .. }
            | Self::TooSmall { .. }
            | Self::Runs { .. } => None,
        }
    }

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
