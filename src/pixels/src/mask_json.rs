//! Masks as run lengths in JSON: the list of SAM's amg.py, the map of SA-1B, as Python writes both.
//! Unaware of folders and of what else the records hold.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::{PixelError, Result, Size};
use crate::io::Reader;
use crate::rle::Rle;

/// The largest file of run lengths: a hundred times what SAM finds in a photograph.
const MOST_BYTES: u64 = 1 << 28;

/// The masks of a file in its order: a list of records, or a map with the list as `annotations`; each record has a
/// `segmentation` of `size` [height, width] and `counts`, a string or a list.
/// Errors: [`PixelError::Read`], [`PixelError::MaskFile`], [`PixelError::MaskSize`].
pub(crate) fn read_mask_json(
    read: &Reader<'_>,
    path: &Path,
    (width, height): Size,
) -> Result<Vec<Rle>> {
    decode_mask_json(&read_bytes(read, path)?, path, width, height)
}

/// The bytes of a file of run lengths.
pub(crate) fn read_bytes(read: &Reader<'_>, path: &Path) -> Result<Vec<u8>> {
    read(path, MOST_BYTES).map_err(PixelError::read(path))
}

/// The same of the bytes of a file; `path` is for messages only.
pub fn decode_mask_json(
    bytes: &[u8],
    path: &Path,
    width: usize,
    height: usize,
) -> Result<Vec<Rle>> {
    masks(bytes, path, Some((width, height)))
}

/// The masks of a file, each of the size that it says.
pub(crate) fn all_masks(bytes: &[u8], path: &Path) -> Result<Vec<Rle>> {
    masks(bytes, path, None)
}

fn masks(bytes: &[u8], path: &Path, size: Option<Size>) -> Result<Vec<Rle>> {
    let malformed = |reason: String| PixelError::MaskFile {
        path: path.into(),
        reason,
    };
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let records: Records = serde_json::from_slice(&standard(text))
        .map_err(|error| malformed(files::reason(&error)))?;
    if records.images > 1 {
        let reason = format!(
            "it describes {} images, and one is expected",
            records.images
        );
        return Err(malformed(reason));
    }
    let mask = |(index, record): (usize, Record)| {
        let [h, w] = record.segmentation.size;
        if let Some(expected) = size
            && expected != (w, h)
        {
            let what = format!("mask {index}");
            return Err(PixelError::MaskSize {
                path: path.into(),
                what,
                expected,
                found: (w, h),
            });
        }
        let mask = match record.segmentation.counts {
            Counts::Compressed(text) => Rle::from_coco_string(w, h, &text),
            Counts::Plain(counts) => Rle::new(w, h, &counts),
        };
        mask.map_err(|error| match error {
            PixelError::Runs { reason, .. } => {
                malformed(format!("mask {index}, run lengths: {reason}"))
            }
            other => other,
        })
    };
    records.list.into_iter().enumerate().map(mask).collect()
}

/// JSON without the words that Python writes for scores that are no numbers: `NaN` and `Infinity` become `null`.
fn standard(text: &[u8]) -> Cow<'_, [u8]> {
    const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let starts = |at: usize| WORDS.into_iter().find(|word| text[at..].starts_with(word));
    let (mut out, mut kept, mut at, mut within) = (Vec::new(), 0, 0, false);
    while at < text.len() {
        match text[at] {
            b'\\' if within => at += 1,
            b'"' => within = !within,
            b'-' | b'I' | b'N' if !within => {
                if let Some(word) = starts(at) {
                    out.extend(&text[kept..at]);
                    out.extend(b"null");
                    at += word.len();
                    kept = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.extend(&text[kept..]);
    Cow::Owned(out)
}

/// All masks of a file.
struct Records {
    list: Vec<Record>,
    /// How many images a map says that it is about.
    images: usize,
}

/// A map with the list of masks, as SA-1B and COCO have it.
#[derive(Deserialize)]
struct Annotated {
    annotations: Vec<Record>,
    #[serde(default)]
    images: Vec<IgnoredAny>,
}

impl<'de> Deserialize<'de> for Records {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(ListOrMap)
    }
}

struct ListOrMap;

impl<'de> Visitor<'de> for ListOrMap {
    type Value = Records;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of masks, or a map with such a list as `annotations`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> std::result::Result<Records, A::Error> {
        let list = Vec::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(Records { list, images: 1 })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Records, A::Error> {
        let map = Annotated::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Records {
            list: map.annotations,
            images: map.images.len(),
        })
    }
}

/// One entry of the list; what else it holds (area, boxes, scores) is not needed.
#[derive(Deserialize)]
struct Record {
    #[serde(deserialize_with = "run_lengths")]
    segmentation: Segmentation,
}

fn run_lengths<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Segmentation, D::Error> {
    from.deserialize_any(SizeAndCounts)
}

/// A derived reader would take a list of two as well, which a polygon may be.
struct SizeAndCounts;

impl<'de> Visitor<'de> for SizeAndCounts {
    type Value = Segmentation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("run lengths, a map of `size` and `counts` (polygons are not read)")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Segmentation, A::Error> {
        Segmentation::deserialize(MapAccessDeserializer::new(map))
    }
}

#[derive(Deserialize)]
struct Segmentation {
    /// Height, then width.
    size: [usize; 2],
    counts: Counts,
}

/// COCO's compressed or uncompressed counts.
enum Counts {
    Compressed(String),
    Plain(Vec<u32>),
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrList)
    }
}

/// Without a copy of the list in between, which would be ten times as large.
struct TextOrList;

impl<'de> Visitor<'de> for TextOrList {
    type Value = Counts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("run lengths: a string or a list of numbers")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Counts, E> {
        Ok(Counts::Compressed(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> std::result::Result<Counts, A::Error> {
        let list = Vec::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(Counts::Plain(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Rle>> {
        decode_mask_json(text.as_bytes(), Path::new("a.json"), 5, 4)
    }

    const MASK: &str = r#"{"segmentation": {"size": [4, 5], "counts": "5220003"}, "area": 6, "bbox": [1, 1, 2, 1],
        "predicted_iou": 0.9, "point_coords": [[1.0, 1.0]], "stability_score": 0.99, "crop_box": [0, 0, 5, 4]}"#;

    #[test]
    fn coco_json_is_read_with_strings_and_lists() {
        let masks = read(&format!(
            r#"[{MASK}, {{"segmentation": {{"size": [4, 5], "counts": [0, 20]}}}}]"#
        ));
        let masks = masks.unwrap();
        assert_eq!(masks.iter().map(Rle::area).collect::<Vec<_>>(), [6, 20]);
        assert_eq!(masks[0].bbox(), [1, 1, 3, 2]);
        assert_eq!(read("[]").unwrap(), []);
    }

    #[test]
    fn the_map_of_sa_1b_is_read() {
        let image = r#"{"image_id": 1, "width": 5, "height": 4, "file_name": "sa_1.jpg"}"#;
        let masks = read(&format!(r#"{{"image": {image}, "annotations": [{MASK}]}}"#));
        assert_eq!(masks.unwrap()[0].area(), 6);
        let many = format!(r#"{{"images": [{image}, {image}], "annotations": [{MASK}]}}"#);
        let error = read(&many).unwrap_err().to_string();
        assert!(error.contains("2 images"), "{error}");
        let error = read(r#"{"masks": []}"#).unwrap_err().to_string();
        assert!(error.contains("`annotations`"), "{error}");
    }

    #[test]
    fn a_byte_order_mark_and_pythons_numbers_that_are_none_are_read() {
        let odd = MASK.replace("0.99", "NaN").replace("0.9,", "-Infinity,");
        let odd = odd.replace("\"area\"", r#""note": "NaN \" Infinity", "area""#);
        let masks = read(&format!("\u{feff}[{odd}]")).unwrap();
        assert_eq!(masks[0].area(), 6);
        assert_eq!(&*standard(br#"["NaN", NaN]"#), br#"["NaN", null]"#);
    }

    #[test]
    fn malformed_json_is_an_error_that_says_where() {
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert!(error("[{\n 7").contains("line 2"));
        assert!(error(r#"{"segmentation": 1}"#).contains("a.json"));
        assert!(error("7").contains("a list of masks"));
        let short = error(r#"[{"segmentation": {"size": [4, 5], "counts": [0, 19]}}]"#);
        assert!(short.contains("mask 0") && short.contains("19"), "{short}");
        let turned = error(r#"[{"segmentation": {"size": [5, 4], "counts": [20]}}]"#);
        assert!(turned.contains("4x5") && turned.contains("5x4"), "{turned}");
        let text = r#"[{"segmentation": {"size": [4, 5], "counts": "\u00e9"}}]"#;
        assert!(error(text).contains("mask 0"));
        let polygon = error(r#"[{"segmentation": [[1.0, 2.0, 3.0, 4.0]]}]"#);
        assert!(
            polygon.contains("struct Segmentation") || polygon.contains("polygon"),
            "{polygon}"
        );
    }
}
