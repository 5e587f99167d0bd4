//! Reads what the stages behind a figure left: pairs, masks, restored images and their PSNR.
//! Unaware of crops.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifacts::{ArtifactError, MaskList, Metrics, PairEntry, PairList};
use pixels::{MaskStack, PixelError, Rgb8, noisy_chw_f32, overlay, read_rgb8};
use spec::kinds::Degrade;

/// Output folders of the stages that a figure shows.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Of the images.
    pub pairs: PathBuf,
    /// Of the tuned evaluation's masks, if it has any.
    pub masks: Option<PathBuf>,
    /// Of the baseline's evaluation, which kept its restored images.
    pub baseline: PathBuf,
    /// Of the tuned model's.
    pub tuned: PathBuf,
}

/// What went wrong with a figure.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// A file cannot be read or written, or does not hold what it should.
    #[error("cannot {what} `{}`: {why}", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The same of a file that a stage wrote.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// Something about images.
    #[error(transparent)]
    Pixels(#[from] PixelError),
    /// The bytes of a file could not be put together, before the disk was asked for room.
    #[error("cannot make `{file}`: {why}")]
    Encode {
        /// The file's name.
        file: &'static str,
        /// Why.
        why: String,
    },
    /// A crop that the images do not have.
    #[error("{0}")]
    Crop(String),
}

impl FigureError {
    pub(super) fn file(what: &'static str, path: &Path, why: &impl ToString) -> Self {
        Self::File {
            what,
            path: path.to_owned(),
            why: why.to_string(),
        }
    }

    /// For `map_err` where the bytes of a file are made.
    pub(super) fn encode<E: ToString>(file: &'static str) -> impl Fn(E) -> Self {
        move |why| Self::Encode {
            file,
            why: why.to_string(),
        }
    }

    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File { what: "write", .. } | Self::Pixels(PixelError::Write { .. }) => {
                "free space if the disk is full, and run again"
            }
            Self::Pixels(PixelError::Encode { .. }) => "ask for fewer or smaller crops",
            Self::Encode { .. } => "this is a defect of pipeline; please report it",
            Self::File { .. } | Self::Artifact(_) | Self::Pixels(_) => {
                "run the stages before it again with --force"
            }
            Self::Crop(_) => "crops lie inside an image, in HR pixels from its top left",
        }
    }
}

/// The images of a figure's evaluations.
pub(super) struct Set {
    sources: Sources,
    list: PairList,
    masks: BTreeMap<String, String>,
    /// PSNR by image, of baseline and tuned.
    pub psnr: [BTreeMap<String, f64>; 2],
}

/// An image with all that panels are cut from. HR, baseline and tuned have one size, the others that divided by the
/// scale.
pub(super) struct Image {
    pub hr: Rgb8,
    pub lq: Rgb8,
    pub masks: Option<Rgb8>,
    pub baseline: Rgb8,
    pub tuned: Rgb8,
}

impl Set {
    /// Opens all that is read once.
    pub fn open(sources: &Sources) -> Result<Self, FigureError> {
        let list = PairList::read(&sources.pairs)?;
        let masks = match &sources.masks {
            Some(folder) => MaskList::read(folder)?.images,
            None => Vec::new(),
        };
        Ok(Self {
            psnr: [psnr(&sources.baseline)?, psnr(&sources.tuned)?],
            sources: sources.clone(),
            list,
            masks: masks.into_iter().map(|m| (m.name, m.file)).collect(),
        })
    }

    /// The images' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.pairs.iter().map(|p| p.name.as_str())
    }

    /// HR pixels per LQ pixel along a side.
    pub const fn scale(&self) -> usize {
        self.list.degrade.scale() as usize
    }

    pub const fn has_masks(&self) -> bool {
        self.sources.masks.is_some()
    }

    pub const fn is_noise(&self) -> bool {
        matches!(self.list.degrade, Degrade::Denoise(_))
    }

    /// HR, baseline and tuned of an image.
    pub fn restored(&self, name: &str) -> Result<[Rgb8; 3], FigureError> {
        let pair = self.pair(name)?;
        let restored = format!("restored/{name}.png");
        let hr = read_rgb8(&self.sources.pairs.join(&pair.hr))?.image;
        let baseline = read_rgb8(&self.sources.baseline.join(&restored))?.image;
        let tuned = read_rgb8(&self.sources.tuned.join(&restored))?.image;
        if baseline.size() != hr.size() || tuned.size() != hr.size() {
            let why = "restored images have another size than their HR image";
            return Err(FigureError::file(
                "read",
                &self.sources.tuned.join(restored),
                &why,
            ));
        }
        Ok([hr, baseline, tuned])
    }

    /// All of an image.
    pub fn image(&self, name: &str) -> Result<Image, FigureError> {
        let [hr, baseline, tuned] = self.restored(name)?;
        let lq = self.lq(name, &hr)?;
        let masks = match (&self.sources.masks, self.masks.get(name)) {
            (Some(folder), Some(file)) => {
                let stack = MaskStack::read(&folder.join(file))?;
                Some(overlay(&lq, &stack))
            }
            _ => None,
        };
        Ok(Image {
            hr,
            lq,
            masks,
            baseline,
            tuned,
        })
    }

    /// The LQ image in 8 bits; with noise the noisy image, clipped.
    fn lq(&self, name: &str, hr: &Rgb8) -> Result<Rgb8, FigureError> {
        match (&self.pair(name)?.lq, self.list.degrade) {
            (Some(file), _) => Ok(read_rgb8(&self.sources.pairs.join(file))?.image),
            (None, Degrade::Denoise(sigma)) => {
                let noisy = noisy_chw_f32(hr, sigma, self.list.seed);
                Ok(Rgb8::from_chw_f32(&noisy, hr.width, hr.height)?)
            }
            (None, Degrade::Sr(_)) => {
                let why = format!("`{name}` has no LR image");
                Err(FigureError::file(
                    "read",
                    &PairList::path(&self.sources.pairs),
                    &why,
                ))
            }
        }
    }

    fn pair(&self, name: &str) -> Result<&PairEntry, FigureError> {
        let found = self.list.pairs.iter().find(|p| p.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.names().take(8).collect();
            FigureError::Crop(format!(
                "there is no image `{name}`; images: {}, …",
                names.join(", ")
            ))
        })
    }
}

/// PSNR of each image, as the evaluation measured it; nothing where it did not.
fn psnr(folder: &Path) -> Result<BTreeMap<String, f64>, FigureError> {
    Ok(Metrics::read(folder)?.by_image("psnr"))
}
