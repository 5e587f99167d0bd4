//! The sentences below a table: how the numbers were measured, where SPT units started, what to read with care.
//! Unaware of single cells.

use std::collections::{BTreeMap, BTreeSet};

use pixels::score;
use spec::kinds::{Table, TableValue};
use spec::labels::NONE;
use spec::metrics::Metric;
use spec::names::Luma;

use super::cell::Scored;
use super::layout::{Row, label};
use super::number::thousands;
use super::overlap::{Overlap, overlap};
use super::read::ReportError;

/// All sentences, the measurement first and the warnings last.
pub(super) fn notes(
    table: &Table,
    scored: &[Scored<'_>],
    rows: &[Row],
) -> Result<Vec<String>, ReportError> {
    let mut notes = vec![protocol(table, scored)];
    notes.extend(counted(table, scored));
    notes.extend(start(table, scored));
    notes.extend(interval(table, rows));
    notes.extend(seeds(rows));
    notes.extend(recorded(table));
    if !table.note.is_empty() {
        notes.push(table.note.clone());
    }
    notes.extend(warnings(scored)?);
    Ok(notes)
}

/// How the numbers were measured, in words.
fn protocol(table: &Table, scored: &[Scored<'_>]) -> String {
    let mut ways: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for s in scored {
        let summary = &s.scores.summary;
        ways.entry(channel(summary.luma))
            .or_default()
            .insert(summary.shave);
    }
    let way = |(channel, shaves): (&&str, &BTreeSet<u32>)| {
        let shaves: Vec<String> = shaves.iter().map(u32::to_string).collect();
        format!("{channel}, {} pixels shaved", shaves.join("/"))
    };
    let ways: Vec<String> = ways.iter().map(way).collect();
    let metric = table.metric.title();
    format!(
        "{metric} of 8-bit output on {}{}; means over images.",
        ways.join(" or "),
        tiling(scored)
    )
}

/// Which images do not count as what they are, or not at all, and in what.
fn counted(table: &Table, scored: &[Scored<'_>]) -> Vec<String> {
    let with_ssim = table.values.contains(&TableValue::Ssim);
    let other = (with_ssim && table.metric != Metric::Ssim).then_some(Metric::Ssim);
    let mut notes = Vec::new();
    for metric in std::iter::once(table.metric).chain(other) {
        let (name, cap) = (metric.as_str(), score::CAP);
        let capped = images(scored, name, |v| score::is_capped(name, v));
        if !capped.is_empty() {
            notes.push(format!(
                "A PSNR above {cap} dB counts as {cap} dB in means and differences: {}.",
                listed(&capped)
            ));
        }
        let undefined = images(scored, name, f64::is_nan);
        if !undefined.is_empty() {
            let name = name.to_uppercase();
            notes.push(format!(
                "Too small for {name} after shaving, and left out of its means and differences: {}.",
                listed(&undefined)
            ));
        }
    }
    notes
}

/// The images of which `is` is true of a metric's value in an evaluation or its baseline, each with its set.
fn images(scored: &[Scored<'_>], metric: &str, is: impl Fn(f64) -> bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for s in scored {
        let set = label(s.evaluation, "set");
        let baseline = s.baseline.as_ref().map(|(_, scores)| scores);
        for scores in std::iter::once(&s.scores).chain(baseline) {
            let values = scores.metrics.values.get(metric).into_iter().flatten();
            let named = scores.metrics.images.iter().zip(values);
            let named = named.filter(|(_, value)| is(**value));
            found.extend(named.map(|(name, _)| match set.as_str() {
                NONE => name.clone(),
                set => format!("{name} ({set})"),
            }));
        }
    }
    found
}

/// Images that a sentence lists before the rest is counted.
const LISTED: usize = 8;

fn listed(names: &BTreeSet<String>) -> String {
    let some: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    let some = some.join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => some,
        rest => format!("{some} and {rest} more"),
    }
}

fn channel(luma: Luma) -> &'static str {
    match luma {
        Luma::Rounded => "Y of BT.601 rounded to 8 bits",
        Luma::Unrounded => "Y of BT.601, not rounded",
        Luma::Rgb => "R, G and B",
    }
}

/// How images were tiled.
fn tiling(scored: &[Scored<'_>]) -> String {
    let ways = scored.iter().map(|s| s.scores.summary.tiling.to_string());
    let ways: BTreeSet<String> = ways.collect();
    if ways.is_empty() {
        return String::new();
    }
    let ways: Vec<String> = ways.into_iter().collect();
    format!(", tiling {}", ways.join("/"))
}

/// Where SPT units started; the label says it where it is one of the table's own.
fn start(table: &Table, scored: &[Scored<'_>]) -> Option<String> {
    let own = table.rows.iter().chain(&table.columns).any(|l| l == "init");
    let init = scored.iter().map(|s| label(s.evaluation, "init"));
    let init: BTreeSet<String> = init.filter(|i| i != NONE).collect();
    if own || init.is_empty() {
        return None;
    }
    let init: Vec<String> = init.iter().map(|i| format!("`{i}`")).collect();
    Some(format!("SPT units start from init {}.", init.join(" or ")))
}

fn interval(table: &Table, rows: &[Row]) -> Option<String> {
    let any = rows
        .iter()
        .any(|r| r.cells.iter().any(|c| c.interval.is_some()));
    any.then(|| {
        format!(
            "95 % intervals of Δ: paired bootstrap over images within each set, {} resamples, seed {}.",
            thousands(f64::from(table.interval.resamples)),
            table.interval.seed
        )
    })
}

fn seeds(rows: &[Row]) -> Option<String> {
    let cells = rows.iter().flat_map(|r| &r.cells);
    let counts: BTreeSet<usize> = cells
        .filter(|c| c.deviation.is_some())
        .map(|c| c.seeds)
        .collect();
    if counts.is_empty() {
        return None;
    }
    let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
    Some(format!(
        "±: standard deviation over {} seeds (n − 1).",
        counts.join(" or ")
    ))
}

/// Seconds and memory are facts of one training on one machine.
fn recorded(table: &Table) -> Option<String> {
    let named = [
        (TableValue::Seconds, "seconds"),
        (
            TableValue::PeakMemory,
            "peak memory (of the GPU where one was used)",
        ),
    ];
    let named = named.iter().filter(|(v, _)| table.values.contains(v));
    let names: Vec<&str> = named.map(|(_, name)| *name).collect();
    (!names.is_empty()).then(|| {
        format!(
            "As recorded when the trainings ran, not determined by their keys: {}.",
            names.join(", ")
        )
    })
}

fn warnings(scored: &[Scored<'_>]) -> Result<Vec<String>, ReportError> {
    let mut found = Vec::new();
    for s in scored {
        let text = overlap(s.evaluation)?.map(|o| warning(&o));
        found.extend(text.filter(|t| !found.contains(t)));
    }
    Ok(found)
}

fn warning(overlap: &Overlap) -> String {
    let Overlap {
        set,
        images,
        trained,
        stopped,
    } = overlap;
    let trained = (*trained > 0).then(|| format!("a model was trained on {trained}"));
    let stopped = (*stopped > 0)
        .then(|| format!("{stopped} decided when its training stopped or which weights were kept"));
    let parts: Vec<String> = trained.into_iter().chain(stopped).collect();
    format!(
        "Warning: of the {images} images of {set}, {}. These are no test images.",
        parts.join(", and ")
    )
}
