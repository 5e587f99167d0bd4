//! What a person gets of a picture's masks: an overlay, COCO JSON as SAM's `amg.py` writes it, a label map and its colours.
//! Unaware of how the masks came about.

use std::path::Path;

use artifacts::{MaskList, MaskRecord, MaskRecords};
use pixels::{MaskStack, Rle, label_colors, largest_first, overlay, write_label_map, write_png};
use serde::Serialize;

use super::picture::Picture;
use crate::cli::Fatal;
use crate::cli::ask::cannot;

/// Writes the files of `picture` and says how many masks there are.
pub fn results(picture: &Picture, work: &Path, out: &Path) -> Result<String, Fatal> {
    let (stack, records) = read(picture, work)?;
    let name = &picture.name;
    let failed = |e: pixels::PixelError| Fatal::failed(e.to_string(), "");
    let sorted = MaskStack {
        masks: largest_first(&stack)
            .into_iter()
            .map(|i| stack.masks[i].clone())
            .collect(),
        ..stack.clone()
    };
    let picture = overlay(&picture.image, &sorted);
    write_png(&out.join(format!("{name}.overlay.png")), &picture).map_err(failed)?;
    let colors = out.join(format!("{name}.labels.view.png"));
    write_png(&colors, &label_colors(&stack)).map_err(failed)?;
    write_label_map(&out.join(format!("{name}.labels.png")), &stack).map_err(failed)?;
    let list: Vec<Coco> = stack
        .masks
        .iter()
        .enumerate()
        .map(|(n, mask)| Coco::new(mask, records.masks.get(n)))
        .collect();
    let path = out.join(format!("{name}.json"));
    let text = serde_json::to_string(&list).map_err(|e| Fatal::failed(e.to_string(), ""))?;
    std::fs::write(&path, text).map_err(|e| cannot("write", &path, &e))?;
    let left_out = stack.truncated();
    let more = if left_out == 0 {
        String::new()
    } else {
        format!(", {left_out} more left out (--count)")
    };
    Ok(format!("{} masks{more}", stack.masks.len()))
}

/// The masks of a picture, and what SAM says of each; nothing of it for other segmenters.
fn read(picture: &Picture, work: &Path) -> Result<(MaskStack, MaskRecords), Fatal> {
    let folder = work.join("out");
    let failed = |why: String| Fatal::failed(why, "this is a defect of pipeline");
    let list = MaskList::read(&folder).map_err(|e| failed(e.to_string()))?;
    let size = picture.image.size();
    let entry = list
        .images
        .iter()
        .find(|image| image.name == picture.number)
        .ok_or_else(|| failed(format!("there are no masks of `{}`", picture.name)))?;
    let file = folder.join(&entry.file);
    let stack = MaskStack::read(&file).map_err(|e| failed(e.to_string()))?;
    if (stack.width, stack.height) != size {
        return Err(failed(format!(
            "the masks of `{}` have another size",
            picture.name
        )));
    }
    let records = MaskRecords::read(&file).map_err(|e| failed(e.to_string()))?;
    Ok((stack, records.unwrap_or_default()))
}

/// A record as `amg.py` writes it with `--convert-to-rle`; its fields in alphabetical order. What only SAM knows is left
/// out for other segmenters. Boxes are left, top, width and height in pixels.
#[derive(Serialize)]
struct Coco {
    area: u64,
    bbox: [i64; 4],
    #[serde(skip_serializing_if = "Option::is_none")]
    crop_box: Option<[i64; 4]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    point_coords: Option<[[f64; 2]; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicted_iou: Option<f32>,
    segmentation: Runs,
    #[serde(skip_serializing_if = "Option::is_none")]
    stability_score: Option<f32>,
}

/// Run lengths as COCO has them; the size is height and width.
#[derive(Serialize)]
struct Runs {
    counts: String,
    size: [usize; 2],
}

impl Coco {
    fn new(mask: &Rle, sam: Option<&MaskRecord>) -> Self {
        let [left, top, right, bottom] = mask.bbox().map(|v| v as i64);
        Self {
            area: mask.area(),
            bbox: sam.map_or([left, top, right - left, bottom - top], |sam| sam.bbox),
            crop_box: sam.map(|sam| sam.crop_box),
            point_coords: sam.map(|sam| [sam.point_coords]),
            predicted_iou: sam.map(|sam| sam.predicted_iou),
            segmentation: Runs {
                counts: mask.to_coco_string(),
                size: [mask.height(), mask.width()],
            },
            stability_score: sam.map(|sam| sam.stability_score),
        }
    }
}
