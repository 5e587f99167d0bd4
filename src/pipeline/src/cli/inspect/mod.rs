//! `pipeline inspect`: what a checkpoint, an image, masks or a folder of masks are as this program would read them.
//! Unaware of stages and of the cache; runs nothing that a file says.
//!
//! ```text
//!   a path ─┬─ a folder ────────────────> masks: a line an image
//!           ├─ opens like an image ─────> image: what it is, and how it would be read as a mask
//!           ├─ opens like JSON ─────────> masks: run lengths
//!           └─ anything else ─> worker ─> checkpoint: tensors, the network that it looks like
//!                      │
//!                      v
//!               one JSON value ─> printed as it is, or as lines
//! ```
//!
//! The JSON has `inspect: 1`; fields are added without another number, and never change what they mean.

mod checkpoint;
mod lines;
mod masks;
mod picture;

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Exit, Fatal, print_json, print_lines};
use lines::Lines;

/// `pipeline inspect`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: pipeline inspect IMDN_x4.pth\n         pipeline inspect photo.png --json\n         \
                        pipeline inspect masks/"
)]
pub struct InspectArgs {
    /// A checkpoint, an image, a file of masks, or a folder of masks.
    pub file: PathBuf,
    /// One JSON object, with every tensor and every image.
    #[arg(long)]
    pub json: bool,
}

/// The version of the JSON.
const FORMAT: u32 = 1;

/// Says what a file is.
pub fn inspect(args: &InspectArgs) -> Result<Exit, Fatal> {
    let path = &args.file;
    let (kind, found, lines) = look(path)?;
    if args.json {
        let mut value =
            json!({"inspect": FORMAT, "path": path.display().to_string(), "kind": kind});
        if let (Value::Object(value), Value::Object(found)) = (&mut value, found) {
            value.extend(found);
        }
        print_json(&format!("{value}\n"));
    } else {
        for (what, text) in lines {
            print_lines(&format!("{what:<12}{text}\n"));
        }
    }
    Ok(Exit::Done)
}

/// What a file is: a word, the JSON of it, lines for people.
fn look(path: &Path) -> Result<(&'static str, Value, Lines), Fatal> {
    if path.is_dir() {
        return masks::folder(path).map(|(found, lines)| ("masks", found, lines));
    }
    let mut start = Vec::new();
    let file = files::open(path).map_err(|e| cannot(path, &e))?;
    let bytes = file.metadata().map_or(0, |m| m.len());
    file.take(64)
        .read_to_end(&mut start)
        .map_err(|e| cannot(path, &e))?;
    let (kind, mut found, lines) = if pixels::is_image(&start) {
        let (found, lines) = picture::image(path)?;
        ("image", found, lines)
    } else if is_json(&start) {
        let (found, lines) = masks::file(path)?;
        ("masks", found, lines)
    } else {
        let (found, lines) = checkpoint::checkpoint(path)?;
        ("checkpoint", found, lines)
    };
    found["bytes"] = bytes.into();
    Ok((kind, found, lines))
}

/// Whether a file opens like JSON: `{` or `[` behind white space and a byte order mark.
fn is_json(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let text = start.trim_ascii_start();
    match text {
        // A pickle of protocol 0 may open with `]` or `}`, but not with these two.
        [b'{' | b'[', next, ..] => {
            next.is_ascii_whitespace() || matches!(next, b'"' | b'{' | b'[' | b']' | b'}')
        }
        _ => false,
    }
}

fn cannot(path: &Path, error: &std::io::Error) -> Fatal {
    Fatal::failed(format!("cannot read `{}`: {error}", path.display()), "")
}
