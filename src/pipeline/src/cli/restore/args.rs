//! The command line of `pipeline restore`.
//! Unaware of what is done.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use spec::{TILES, Tiles};

use crate::cli::common_args::FileArgs;

/// `pipeline restore`.
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "pipeline restore [OPTIONS] --model <STAGE|FILE> --out <DIR> [FILE] PHOTO...",
    after_help = "Example: pipeline restore photo.jpg --model tuned -o restored\n         \
                  pipeline restore photos/ --model model.safetensors -o restored --format webp"
)]
pub struct RestoreArgs {
    /// The pipeline file that the stage is of [default: that of the last run], and the photographs (PNG, JPEG, WebP, TIFF or
    /// BMP), or folders of them.
    #[arg(required = true, value_name = "FILE|PHOTO")]
    pub photos: Vec<PathBuf>,
    /// What restores them: a stage with a model, or a file that `pipeline export --to` wrote (NAME.safetensors).
    #[arg(long, value_name = "STAGE|FILE")]
    pub model: String,
    /// The folder that restored photographs go to.
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    /// The format of restored photographs: png, jpeg, webp (without losses) or tiff.
    #[arg(long, value_name = "FORMAT", default_value = "png")]
    pub format: Format,
    /// The quality of JPEG files.
    #[arg(long, value_name = "1–100", default_value_t = 95, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: u8,
    /// How photographs are cut that do not fit into memory: auto, none, or the side of tiles in pixels.
    #[arg(long, value_name = "auto|none|N", default_value = "auto", value_parser = tiles)]
    pub tile: Tiles,
    /// The numbers that the network computes with: fp32; bf16 on CUDA and on processors with AVX512-BF16; tf32 on CUDA.
    #[arg(long, value_name = "fp32|tf32|bf16", default_value = "fp32")]
    pub precision: Numbers,
    /// Replace files of these names in DIR.
    #[arg(long)]
    pub overwrite: bool,
    /// Write a page beside them that compares each photograph with its bicubic enlargement, the baseline and the restored one:
    /// DIR/index.html.
    #[arg(long)]
    pub compare: bool,
    /// The backbone's weights, for a file that holds SPT units alone.
    #[arg(long, value_name = "FILE")]
    pub backbone: Option<PathBuf>,
    /// Where what the segmenter reads lies here: SAM's weights, or the folder of masks of others.
    #[arg(long, value_name = "PATH")]
    pub segmenter_path: Option<PathBuf>,
    /// Where the stage is.
    #[command(flatten)]
    pub common: FileArgs,
}

/// The numbers that networks compute with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Numbers {
    /// 32 bits.
    Fp32,
    /// 32 bits, of which products see 19.
    Tf32,
    /// bfloat16.
    Bf16,
}

impl Numbers {
    pub(super) const fn word(self) -> spec::names::Precision {
        match self {
            Self::Fp32 => spec::names::Precision::Fp32,
            Self::Tf32 => spec::names::Precision::Tf32,
            Self::Bf16 => spec::names::Precision::Bf16,
        }
    }
}

/// The formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Without losses.
    Png,
    /// With losses.
    Jpeg,
    /// Without losses.
    Webp,
    /// Without losses, not compressed.
    Tiff,
}

impl RestoreArgs {
    pub(super) const fn form(&self) -> spec::Form {
        match self.format {
            Format::Png => spec::Form::Png,
            Format::Jpeg => spec::Form::Jpeg(self.quality),
            Format::Webp => spec::Form::Webp,
            Format::Tiff => spec::Form::Tiff,
        }
    }
}

fn tiles(text: &str) -> Result<Tiles, String> {
    let side = text.parse().ok().filter(|side| TILES.contains(side));
    match (text, side) {
        ("auto", _) => Ok(Tiles::Auto),
        ("none", _) => Ok(Tiles::Whole),
        (_, Some(side)) => Ok(Tiles::Side(side)),
        _ => Err(format!(
            "expected auto, none, or {} to {} pixels",
            TILES.start(),
            TILES.end()
        )),
    }
}
