//! What masks are, of a file or of a folder, as JSON and as lines.
//! Unaware of images that are no masks.

use std::path::Path;

use pixels::{MaskFacts, MaskFolder};
use serde_json::{Value, json};

use super::lines::{Lines, line};
use crate::cli::Fatal;
use diagnostics::shown::counted;

/// Images of a folder that have a line; JSON has all.
const LISTED: usize = 40;

/// A JSON file of run lengths.
pub(super) fn file(path: &Path) -> Result<(Value, Lines), Fatal> {
    let facts = pixels::mask_json_facts(path).map_err(|e| Fatal::of_pixels(&e))?;
    let (found, text) = mask(&facts);
    Ok((
        json!({"format": facts.form, "images": [found]}),
        vec![line("masks", text)],
    ))
}

/// A folder of masks by the names of their images.
pub(super) fn folder(path: &Path) -> Result<(Value, Lines), Fatal> {
    let folder = MaskFolder::open(path).map_err(|e| Fatal::of_pixels(&e))?;
    let all = folder.facts();
    let count: usize = all.iter().map(|facts| facts.areas.len()).sum();
    let total = format!(
        "{} of {}",
        counted(count, "mask"),
        counted(all.len(), "image")
    );
    let mut lines = vec![line("masks", total)];
    let mut images = Vec::new();
    for (at, facts) in all.iter().enumerate() {
        let (found, text) = mask(facts);
        images.push(found);
        if at < LISTED {
            lines.push(line("", format!("{}: {text}", facts.title)));
        }
    }
    if all.len() > LISTED {
        lines.push(line(
            "",
            format!("and {} more; --json has all", all.len() - LISTED),
        ));
    }
    let left = folder.left.said(path);
    lines.extend(left.iter().map(|left| line("left out", left)));
    Ok((
        json!({"format": "folder", "masks": count, "images": images, "left_out": left}),
        lines,
    ))
}

/// The masks of one image.
pub(super) fn mask(facts: &MaskFacts) -> (Value, String) {
    let MaskFacts {
        title,
        form,
        sizes,
        areas,
        readings,
        refused,
    } = facts;
    let size =
        |((w, h), n): (&(usize, usize), &usize)| json!({"width": w, "height": h, "masks": n});
    let found = json!({
        "image": (!title.is_empty()).then_some(title), "form": form, "masks": areas.len(), "areas": areas,
        "sizes": sizes.iter().map(size).collect::<Vec<_>>(), "read": readings, "refused": refused,
    });
    let sizes: Vec<String> = sizes.keys().map(|(w, h)| format!("{w}×{h}")).collect();
    let inside: u64 = areas.iter().sum();
    let readings: Vec<String> = readings
        .iter()
        .map(|(how, n)| format!("`{how}`: {n}"))
        .collect();
    let mut text = match areas.len() {
        0 => String::new(),
        n => format!(
            "{} in {form}, {}, {inside} pixels inside",
            counted(n, "mask"),
            sizes.join(" and ")
        ),
    };
    if !readings.is_empty() {
        text += &format!(", read by {}", readings.join(", "));
    }
    if let Some(why) = refused {
        let why = why.replace("\nhint: ", "; hint: ");
        let joint = if text.is_empty() {
            "refused: "
        } else {
            "; refused: "
        };
        text += &format!("{joint}{why}");
    }
    if text.is_empty() {
        text += "no mask";
    }
    (found, text)
}
