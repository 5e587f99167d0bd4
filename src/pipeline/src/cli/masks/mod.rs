//! `pipeline masks`: segments a person's own pictures, without a pipeline file and without the cache.
//! Unaware of how masks are computed: a worker does a `mask` stage for it.
//!
//! ```text
//!   pictures ─> read, converted to 8-bit RGB ─> a job in a folder of its own ─> worker ─> DIR/NAME.overlay.png
//!                                                                                         DIR/NAME.json (COCO)
//!                                                                                         DIR/NAME.labels.png (16 bits)
//!                                                                                         DIR/NAME.labels.view.png
//! ```

pub(super) mod job;
mod picture;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use pixels::read_rgb8;
use serde_json::{Value, json};
use spec::kinds::{Degrade, Mask};
use spec::names::Granularity;
use spec::segmenters::{Sam, Segmenter};

use super::ask::{Folder, Worker, cannot};
use super::{Exit, Fatal, say};
use engine::worker::DeviceChoice;
use picture::Picture;

/// `pipeline masks`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: pipeline masks photo.jpg --out masks\n         pipeline masks *.png --out masks \
                  --weights sam_vit_b_01ec64.pth --model vit-b --grid 32\n\n\
                  Of each picture DIR gets NAME.overlay.png (masks with outlines over it), NAME.json (COCO), NAME.labels.png (the \
                  number of the mask on top of each pixel, 16 bits, which viewers show black), NAME.labels.view.png (the same in \
                  colours)"
)]
pub struct MasksArgs {
    /// The pictures: PNG, JPEG, BMP, TIFF or WebP.
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Where the results go.
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    /// A checkpoint of Segment Anything; the graph segmenter, which needs none, when absent.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// The model that the weights belong to: vit-b, vit-l, vit-h, or as in a pipeline file in JSON.
    #[arg(long, default_value = "vit-h", requires = "weights")]
    pub model: String,
    /// Prompt grid and number of masks: coarse, medium or fine.
    #[arg(long, default_value = "coarse", value_parser = granularity)]
    pub granularity: Granularity,
    /// Prompt points a side, where it is not the granularity's.
    #[arg(long)]
    pub grid: Option<u32>,
    /// The most masks, where it is not the granularity's.
    #[arg(long)]
    pub count: Option<u32>,
    /// Set a value of the segmenter: `--set pred_iou_thresh=0.7` of Segment Anything, `--set min_size=50` of the graph
    /// segmenter.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub settings: Vec<String>,
    /// Where SAM computes.
    #[arg(long, default_value = "auto", value_name = "auto|cpu|cuda|cuda:N")]
    pub device: DeviceChoice,
}

fn granularity(text: &str) -> Result<Granularity, String> {
    let found = Granularity::ALL.iter().find(|g| g.as_str() == text);
    found
        .copied()
        .ok_or_else(|| "expected coarse, medium or fine".into())
}

/// Segments the pictures.
pub fn masks(args: &MasksArgs) -> Result<Exit, Fatal> {
    let mask = configuration(args)?;
    let pictures = read(&args.images)?;
    std::fs::create_dir_all(&args.out).map_err(|e| cannot("create", &args.out, &e))?;
    let work = Folder::new(&args.out, "masks")?;
    let images = work.below("images")?;
    let pairs = pictures
        .iter()
        .map(|p| job::add(&images, &p.number, &format!("{}.png", p.number), &p.image))
        .collect::<Result<_, _>>()?;
    job::finish(&images, Degrade::Sr(1), pairs)?;
    let inputs = BTreeMap::from([("images".into(), images)]);
    job::run(&mask, inputs, work.path(), &Worker::find(args.device)?)?;
    for picture in &pictures {
        let found = write::results(picture, work.path(), &args.out)?;
        say(&format!("{}: {found}", picture.name));
    }
    say(&format!("masks: {}/", args.out.display()));
    Ok(Exit::Done)
}

/// All pictures, each with a name of its own.
fn read(paths: &[PathBuf]) -> Result<Vec<Picture>, Fatal> {
    let mut pictures: Vec<Picture> = Vec::new();
    for path in paths {
        let loaded = read_rgb8(path).map_err(|e| Fatal::of_pixels(&e))?;
        let stem = path.file_stem().unwrap_or_default();
        let name = stem.to_string_lossy().into_owned();
        if pictures.iter().any(|p| p.name == name) {
            let message = format!("two pictures are called `{name}`");
            return Err(Fatal::usage(
                message,
                "results are named after pictures without their ending: rename one",
            ));
        }
        for note in &loaded.notes {
            say(&format!("{name}: {note}"));
        }
        pictures.push(Picture {
            name,
            number: pictures.len().to_string(),
            image: loaded.image,
        });
    }
    Ok(pictures)
}

/// Settings of a segmenter by name.
type Settings = serde_json::Map<String, Value>;

/// The `mask` stage that a pipeline file would have.
fn configuration(args: &MasksArgs) -> Result<Mask, Fatal> {
    let mut settings = Settings::new();
    if let Some(weights) = &args.weights {
        settings.insert("weights".into(), json!(weights));
        settings.insert("model".into(), value(&args.model));
    }
    for setting in &args.settings {
        let Some((name, text)) = setting.split_once('=') else {
            let message = format!("`{setting}` is not `NAME=VALUE`");
            return Err(Fatal::usage(message, "--set pred_iou_thresh=0.7"));
        };
        settings.insert(name.into(), value(text));
    }
    let segmenter = if args.weights.is_some() {
        "sam"
    } else {
        "graph"
    };
    let stage = json!({
        "images": "images", "granularity": args.granularity, "grid": args.grid, "count": args.count,
        "segmenter": {segmenter: &settings},
    });
    let mask: Mask =
        serde_json::from_value(stage).map_err(|e| wrong_setting(args, &settings, &e))?;
    check(&mask)?;
    Ok(mask)
}

/// What is wrong with a setting: most often it is one of SAM, and no weights were given.
fn wrong_setting(args: &MasksArgs, settings: &Settings, error: &serde_json::Error) -> Fatal {
    let of_sam = |(name, value): (&String, &Value)| {
        let one = json!({"weights": "", "model": "vit-h", name: value});
        serde_json::from_value::<Sam>(one).is_ok() && name != "weights" && name != "model"
    };
    let of_sam: Vec<&str> = settings
        .iter()
        .filter(|setting| args.weights.is_none() && of_sam(*setting))
        .map(|(name, _)| name.as_str())
        .collect();
    if of_sam.is_empty() {
        let message = format!("`--set` of the masks: {error}");
        return Fatal::usage(
            message,
            "docs/reference.md has every setting of each segmenter",
        );
    }
    let are = if of_sam.len() == 1 {
        "is a setting"
    } else {
        "are settings"
    };
    Fatal::usage(
        format!(
            "`{}` {are} of Segment Anything, and without --weights the graph segmenter makes the masks",
            of_sam.join("`, `")
        ),
        "give SAM's checkpoint, `--weights sam_vit_b_01ec64.pth --model vit-b`, or set what the graph segmenter has: sigma, k, \
         min_size",
    )
}

/// JSON where it is JSON, else a text.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn check(mask: &Mask) -> Result<(), Fatal> {
    let range = |name: &str, value: usize, most: usize| {
        if (1..=most).contains(&value) {
            Ok(())
        } else {
            Err(Fatal::usage(
                format!("--{name} {value} is not in 1..={most}"),
                "",
            ))
        }
    };
    range("grid", mask.grid(), 128)?;
    range("count", mask.count(), 4096)?;
    let Segmenter::Sam(sam) = &mask.segmenter else {
        return Ok(());
    };
    if let Some((field, expected)) = sam.wrong().first() {
        return Err(Fatal::usage(format!("`{field}`: expected {expected}"), ""));
    }
    match (sam.weights.is_file(), sam.model.published()) {
        (true, _) => Ok(()),
        (false, _) if files::is_pattern(&sam.weights) => Err(Fatal::usage(
            format!("`{}` {}", sam.weights.display(), files::NOT_EXPANDED),
            "name the file",
        )),
        (false, published) => Err(Fatal::failed(
            format!("there is no file `{}`", sam.weights.display()),
            published.map_or(String::new(), |p| {
                format!("{} ({}) can be had from {}", p.file, p.size, p.url)
            }),
        )),
    }
}
