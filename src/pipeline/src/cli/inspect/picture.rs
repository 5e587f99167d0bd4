//! What an image file is, and how it would be read as a mask, as JSON and as lines.
//! Unaware of folders.

use std::path::Path;

use pixels::{ImageFacts, Note};
use serde_json::{Value, json};

use super::lines::{Lines, line};
use super::masks;
use crate::cli::Fatal;

pub(super) fn image(path: &Path) -> Result<(Value, Lines), Fatal> {
    let facts = pixels::image_facts(path).map_err(|e| Fatal::of_pixels(&e))?;
    let mask = pixels::mask_image_facts(path).map_err(|e| Fatal::of_pixels(&e))?;
    let lost = lost(&facts);
    let (mask, mask_line) = masks::mask(&mask);
    let ImageFacts {
        format,
        size: (width, height),
        channels,
        bits,
        palette,
        lossy,
        orientation,
        profile,
        notes: _,
    } = facts;
    let found = json!({
        "format": format, "width": width, "height": height, "channels": channels, "bits": bits, "palette": palette,
        "lossy": lossy, "orientation": orientation, "profile": profile, "changed": lost, "mask": mask,
    });
    let form = match (palette, channels) {
        (true, _) => "palette",
        (_, 1) => "grey",
        (_, 2) => "grey with transparency",
        (_, 3) => "RGB",
        _ => "RGB with transparency",
    };
    let coded = if lossy { ", coded with losses" } else { "" };
    let turned = match orientation {
        1 => "upright".to_owned(),
        n => format!("orientation {n} in its Exif: turned to {width}×{height}"),
    };
    let lines = vec![
        line(
            "image",
            format!("{format}, {width}×{height}, {form}, {bits} bits a sample{coded}"),
        ),
        line("turned", turned),
        line(
            "profile",
            profile.map_or("none".to_owned(), |p| format!("{p}, which is ignored")),
        ),
        line(
            "changed",
            if lost.is_empty() {
                "nothing: it is read as it is".to_owned()
            } else {
                lost.join("; ")
            },
        ),
        line("as a mask", mask_line),
    ];
    Ok((found, lines))
}

/// What reading it changes or leaves out.
fn lost(facts: &ImageFacts) -> Vec<String> {
    let profile = facts
        .profile
        .filter(|p| *p != "sRGB")
        .map(|p| format!("{p} ignored"));
    facts
        .notes
        .iter()
        .map(Note::to_string)
        .chain(profile)
        .collect()
}
