//! Crops of restored images for tools that show them beside the numbers of a training: of the evaluations of its model that
//! kept their images, with the same crops of LQ and GT.
//! Unaware of file formats of those tools.

use std::path::Path;

use artifacts::{PairEntry, PairList};
use pixels::{PixelError, Rgb8, encode_png, read_rgb8};
use spec::Kind;

use crate::page::Records;
use crate::session::Session;

/// Images of an evaluation.
const IMAGES: usize = 4;
/// The side of a crop in pixels of GT, from the middle of the image.
const SIDE: usize = 256;

/// A crop as a PNG.
pub struct Crop {
    /// `<evaluation>/<image>/restored`, `…/GT` or `…/LQ`.
    pub tag: String,
    pub png: Vec<u8>,
    /// Width and height.
    pub size: (usize, usize),
}

/// The crops of a training's evaluations.
pub fn of(session: &Session, records: &Records, training: usize) -> Result<Vec<Crop>, String> {
    let mut crops = Vec::new();
    for (at, (key, record)) in records {
        let stage = &session.pipeline.stages[*at];
        let is_own =
            matches!(stage.kind, Kind::Evaluate(_)) && stage.input("model") == Some(training);
        let has_pictures = record
            .outputs
            .iter()
            .any(|o| o.path.starts_with("restored/"));
        let images = stage
            .input("images")
            .and_then(|images| records.get(&images));
        let (true, true, Some((images, _))) = (is_own, has_pictures, images) else {
            continue;
        };
        let pairs = session.store.output_dir(images);
        let restored = session.store.output_dir(key).join("restored");
        let list = PairList::read(&pairs).map_err(|e| e.to_string())?;
        let is_kept = |pair: &&PairEntry| restored.join(format!("{}.png", pair.name)).is_file();
        for pair in list.pairs.iter().filter(is_kept).take(IMAGES) {
            let own = of_image(&pairs, &restored, pair).map_err(|e| e.to_string())?;
            for (what, picture) in own {
                crops.push(Crop {
                    tag: format!("{}/{}/{what}", stage.name, pair.name),
                    png: encode_png(&picture).map_err(|e| e.to_string())?,
                    size: picture.size(),
                });
            }
        }
    }
    Ok(crops)
}

/// The middle of LQ, of the restored image and of GT.
fn of_image(
    pairs: &Path,
    restored: &Path,
    pair: &PairEntry,
) -> Result<Vec<(&'static str, Rgb8)>, PixelError> {
    let picture = |path: &Path| read_rgb8(path).map(|loaded| loaded.image);
    let mut found = Vec::new();
    if let Some(lq) = &pair.lq {
        let small = picture(&pairs.join(lq))?;
        let (width, _) = pixels::image_size(&pairs.join(&pair.hr))?;
        let scale = (width / small.width.max(1)).max(1);
        found.push(("LQ", middle(&small, SIDE / scale)?));
    }
    found.push((
        "restored",
        middle(
            &picture(&restored.join(format!("{}.png", pair.name)))?,
            SIDE,
        )?,
    ));
    found.push(("GT", middle(&picture(&pairs.join(&pair.hr))?, SIDE)?));
    Ok(found)
}

fn middle(image: &Rgb8, side: usize) -> Result<Rgb8, PixelError> {
    let [width, height] = [image.width, image.height].map(|length| length.min(side.max(1)));
    image.crop(
        (image.width - width) / 2,
        (image.height - height) / 2,
        width,
        height,
    )
}
