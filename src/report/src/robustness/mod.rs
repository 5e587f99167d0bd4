//! How well masks of LQ images agree with those of their HQ images (METHOD: Figure 1's premise).
//! Unaware of segmenters; it reads the masks it is pointed at.
//!
//! ```text
//!   masks of LQ images ── enlarged to HQ size ──┐                        ┌─> images.csv: each image, full precision
//!                                               ├─ agreement (an image) ─┤
//!   masks of HQ images ─────────────────────────┘                        └─> means ── sheet ──> text, Markdown, LaTeX,
//!                                                                                               table.csv
//! ```

mod agreement;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifacts::{MaskEntry, MaskList};
use rayon::prelude::*;
use spec::kinds::Robustness;

use super::table::{ReportError, Sheet, Text, latex, markdown, text};
use agreement::{Agreement, agreement};

/// The masks of one set of images, of LQ and of HQ.
#[derive(Clone, Debug)]
pub struct Pair {
    /// What can be said of them (`spec::Around::labels`).
    pub labels: BTreeMap<String, String>,
    /// The output folder of the masks of LQ images.
    pub lq: PathBuf,
    /// The same of HQ images.
    pub hq: PathBuf,
}

/// Labels that make the rows.
const LABELS: [&str; 4] = ["set", "degrade", "segmenter", "granularity"];
/// What the columns behind them show.
const COLUMNS: [&str; 6] = [
    "images",
    "LQ masks",
    "HQ masks",
    "IoU of LQ in HQ",
    "IoU of HQ in LQ",
    "LQ with IoU ≥ 0.5",
];
const MISSING: &str = "missing";

/// An image of a pair of mask stages.
struct Row {
    name: String,
    agreement: Agreement,
}

/// Measures all pairs and writes the files of the table into `out`; returns what a terminal shows.
pub fn write(robustness: &Robustness, pairs: &[Pair], out: &Path) -> Result<String, ReportError> {
    let measured: Vec<Vec<Row>> = pairs.iter().map(measure).collect::<Result<_, _>>()?;
    let sheet = sheet(robustness, pairs, &measured);
    let shown = text(&sheet);
    let files = [
        ("table.txt", shown.clone()),
        ("table.md", markdown(&sheet)),
        ("table.tex", latex(&sheet)),
        (
            "table.csv",
            csv_of(
                &sheet.headings,
                sheet.lines.iter().map(|l| l.iter().map(|c| c.text.clone())),
            )?,
        ),
        ("images.csv", images_csv(pairs, &measured)?),
    ];
    for (name, content) in files {
        let path = out.join(name);
        std::fs::write(&path, content).map_err(|source| ReportError::Write { path, source })?;
    }
    Ok(shown)
}

/// The agreement of each image, in the order of the LQ masks.
fn measure(pair: &Pair) -> Result<Vec<Row>, ReportError> {
    let hq: BTreeMap<String, (String, String)> = MaskList::read(&pair.hq)?
        .images
        .into_iter()
        .map(|m| (m.name, (m.digest, m.file)))
        .collect();
    let images = MaskList::read(&pair.lq)?.images;
    let one = |image: MaskEntry| {
        let path = pair.lq.join(&image.file);
        let wrong = |path: &Path, why: String| ReportError::Read {
            path: path.to_owned(),
            why,
        };
        let other = hq.get(&image.name);
        let (digest, other) =
            other.ok_or_else(|| wrong(&path, "its image has no masks in `hq`".into()))?;
        if *digest != image.digest {
            let why = "its image is another photograph than that of the same name in `hq`";
            return Err(wrong(&path, why.into()));
        }
        let other = pair.hq.join(other);
        let read =
            |path: &Path| pixels::MaskStack::read(path).map_err(|e| wrong(path, e.to_string()));
        let agreement = agreement(&read(&path)?, &read(&other)?);
        Ok(Row {
            name: image.name,
            agreement: agreement.map_err(|e| wrong(&path, e.to_string()))?,
        })
    };
    images.into_par_iter().map(one).collect()
}

fn sheet(robustness: &Robustness, pairs: &[Pair], measured: &[Vec<Row>]) -> Sheet {
    let line = |(pair, rows): (&Pair, &Vec<Row>)| {
        let label = |name: &&str| pair.labels.get(*name).cloned().unwrap_or_default();
        let mut cells: Vec<String> = LABELS.iter().map(label).collect();
        cells.push(rows.len().to_string());
        let count = |pick: fn(&Agreement) -> usize| {
            let values: Vec<f64> = rows.iter().map(|r| pick(&r.agreement) as f64).collect();
            mean(&values).map_or(MISSING.into(), |m| format!("{m:.1}"))
        };
        cells.push(count(|a| a.lq));
        cells.push(count(|a| a.hq));
        for pick in [of_lq as fn(&Agreement) -> Option<f64>, of_hq, matched] {
            let values: Vec<f64> = rows.iter().filter_map(|r| pick(&r.agreement)).collect();
            cells.push(mean(&values).map_or(MISSING.into(), |m| format!("{m:.4}")));
        }
        let plain = |text| Text { text, best: false };
        cells.into_iter().map(plain).collect()
    };
    let mut notes = vec![
        "IoU (0 to 1) of each mask with the best match of the other image, LQ masks enlarged to HQ size; mean over the \
         masks of an image, then over images."
            .to_owned(),
    ];
    let without = measured
        .iter()
        .flatten()
        .filter(|r| of_lq(&r.agreement).is_none())
        .count();
    if without > 0 {
        let s = if without == 1 { " has" } else { "s have" };
        notes.push(format!(
            "{without} image{s} no masks on one side and are not in the means of IoU."
        ));
    }
    notes.extend(Some(robustness.note.clone()).filter(|n| !n.is_empty()));
    Sheet {
        latex: spec::kinds::LatexWidth::Natural,
        caption: robustness.caption.clone(),
        labels: LABELS.len(),
        headings: LABELS
            .iter()
            .chain(&COLUMNS)
            .map(|h| (*h).to_owned())
            .collect(),
        lines: pairs.iter().zip(measured).map(line).collect(),
        notes,
    }
}

const fn of_lq(agreement: &Agreement) -> Option<f64> {
    agreement.lq_in_hq
}

const fn of_hq(agreement: &Agreement) -> Option<f64> {
    agreement.hq_in_lq
}

const fn matched(agreement: &Agreement) -> Option<f64> {
    agreement.matched
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Every image with its labels and numbers in full precision; an empty field where there is no number.
fn images_csv(pairs: &[Pair], measured: &[Vec<Row>]) -> Result<String, ReportError> {
    let names = [
        "image",
        "lq_masks",
        "hq_masks",
        "iou_lq_in_hq",
        "iou_hq_in_lq",
        "lq_matched",
    ];
    let headings: Vec<String> = LABELS
        .iter()
        .chain(&names)
        .map(|h| (*h).to_owned())
        .collect();
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    let lines = pairs.iter().zip(measured).flat_map(|(pair, rows)| {
        rows.iter().map(move |row| {
            let label = |name: &&str| pair.labels.get(*name).cloned().unwrap_or_default();
            let a = &row.agreement;
            let own = [
                row.name.clone(),
                a.lq.to_string(),
                a.hq.to_string(),
                number(a.lq_in_hq),
                number(a.hq_in_lq),
                number(a.matched),
            ];
            LABELS.iter().map(label).chain(own).collect::<Vec<String>>()
        })
    });
    csv_of(&headings, lines)
}

fn csv_of(
    headings: &[String],
    lines: impl Iterator<Item = impl IntoIterator<Item = String>>,
) -> Result<String, ReportError> {
    let wrong = |e: csv::Error| ReportError::Csv(e.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(headings).map_err(wrong)?;
    for line in lines {
        writer
            .write_record(line.into_iter().collect::<Vec<String>>())
            .map_err(wrong)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|e| ReportError::Csv(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| ReportError::Csv(e.to_string()))
}
