//! What a person gets of a picture's masks: an overlay, COCO JSON as SAM's `amg.py` writes it, a label map.
//! Unaware of how the masks came about.

use std::path::Path;

use artifacts::MaskList;
use pixels::{MaskStack, Rle, largest_first, overlay, write_label_map, write_png};
use serde_json::{Value, json};

use super::{Picture, cannot};
use crate::cli::Fatal;

/// More than SAM says of the masks of a picture.
const RECORDS_BYTES: u64 = 1 << 30;

/// Writes the three files of `picture` and says how many masks there are.
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
    write_label_map(&out.join(format!("{name}.labels.png")), &stack).map_err(failed)?;
    let list: Vec<Value> = stack
        .masks
        .iter()
        .enumerate()
        .map(|(n, mask)| coco(mask, records.get(n)))
        .collect();
    let path = out.join(format!("{name}.json"));
    let text = Value::from(list).to_string();
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
fn read(picture: &Picture, work: &Path) -> Result<(MaskStack, Vec<Value>), Fatal> {
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
    let records = files::read_to_string(&file.with_extension("json"), RECORDS_BYTES);
    let records = records.unwrap_or_default();
    let records: Value = serde_json::from_str(&records).unwrap_or_default();
    let records = records["masks"].as_array().cloned().unwrap_or_default();
    Ok((stack, records))
}

/// A record as `amg.py` writes it with `--convert-to-rle`. What only SAM knows (predicted IoU, stability, point, crop) is
/// left out for other segmenters.
fn coco(mask: &Rle, sam: Option<&Value>) -> Value {
    let [left, top, right, bottom] = mask.bbox();
    let mut record = json!({
        "segmentation": {"size": [mask.height(), mask.width()], "counts": mask.to_coco_string()},
        "bbox": [left, top, right - left, bottom - top],
        "area": mask.area(),
    });
    if let Some(sam) = sam {
        for name in ["predicted_iou", "stability_score", "crop_box", "bbox"] {
            record[name] = sam[name].clone();
        }
        record["point_coords"] = json!([sam["point_coords"]]);
    }
    record
}
