//! One cell: a mean over images and seeds, its difference to the baseline with an interval, or a fact about the model.
//! Unaware of where it stands.

use std::collections::BTreeMap;

use pixels::score;
use spec::kinds::{Table, TableValue};

use super::interval::interval;
use super::layout::{Cell, Column, label};
use super::read::{Evaluation, ReportError, Scores};

/// An evaluation with its numbers and those of its baseline.
pub(super) struct Scored<'a> {
    pub evaluation: &'a Evaluation,
    pub scores: Scores,
    pub baseline: Option<(&'a Evaluation, Scores)>,
    pub is_baseline: bool,
}

/// Evaluations of one seed: one an image set.
type Group<'m, 'a> = Vec<&'m Scored<'a>>;

/// The cell of `column` in the row of these evaluations.
pub(super) fn cell(
    column: &Column,
    members: &[&Scored<'_>],
    table: &Table,
) -> Result<Cell, ReportError> {
    match column {
        Column::Metric(heading) => {
            let across = table.columns.as_deref().unwrap_or_default();
            let here = |s: &&&Scored<'_>| label(s.evaluation, across) == *heading;
            let members: Vec<&Scored<'_>> = members.iter().filter(here).copied().collect();
            metric_cell(&members, table)
        }
        Column::Average(_) => metric_cell(members, table),
        Column::Value(value) => Ok(value_cell(*value, members, table)),
        // Filled in by `scores`, which knows the files.
        Column::Score(_) => Ok(Cell::default()),
    }
}

/// The mean over all images of these evaluations, each weighted by its number of images, and over seeds.
fn metric_cell(members: &[&Scored<'_>], table: &Table) -> Result<Cell, ReportError> {
    let metric = table.metric.as_str();
    let groups = groups(members, table.seeds);
    let mut cell = Cell {
        is_baseline: !members.is_empty() && members.iter().all(|s| s.is_baseline),
        on: groups.first().map(sets).unwrap_or_default(),
        seeds: groups.len(),
        ..about(members)
    };
    if groups.iter().any(|g| sets(g) != cell.on) {
        // Seeds that were judged on other images have no common mean.
        return Ok(cell);
    }
    let sum = |g: &Group<'_, '_>| g.iter().map(|s| s.scores.images()).sum::<usize>();
    cell.images = groups.first().map_or(0, sum);
    let values = groups.iter().map(|g| weighted(g, metric));
    let Some(values) = values.collect::<Option<Vec<f64>>>() else {
        return Ok(cell);
    };
    (cell.value, cell.deviation) = (mean(&values), deviation(&values));
    if !cell.is_baseline
        && let Some(strata) = differences(&groups, metric)?
    {
        cell.delta = mean(&strata.concat());
        cell.interval = interval(&strata, &table.interval);
    }
    Ok(cell)
}

/// Where a cell comes from.
fn about(members: &[&Scored<'_>]) -> Cell {
    let baselines = members.iter().filter_map(|s| s.baseline.as_ref());
    let mut baseline_keys: Vec<String> = baselines.map(|(b, _)| b.key.clone()).collect();
    baseline_keys.sort_unstable();
    baseline_keys.dedup();
    Cell {
        keys: members.iter().map(|s| s.evaluation.key.clone()).collect(),
        labels: members
            .iter()
            .map(|s| s.evaluation.labels.clone())
            .collect(),
        baseline_keys,
        ..Cell::default()
    }
}

/// The evaluations by seed, in order of first appearance; all together where seeds are not joined.
fn groups<'m, 'a>(members: &[&'m Scored<'a>], seeds: bool) -> Vec<Group<'m, 'a>> {
    let mut groups: Vec<(String, Group<'m, 'a>)> = Vec::new();
    for &member in members {
        let seed = if seeds {
            label(member.evaluation, "seed")
        } else {
            String::new()
        };
        match groups.iter_mut().find(|(s, _)| *s == seed) {
            Some((_, group)) => group.push(member),
            None => groups.push((seed, vec![member])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn sets(group: &Group<'_, '_>) -> Vec<String> {
    let mut sets: Vec<String> = group.iter().map(|s| s.evaluation.images.clone()).collect();
    sets.sort_unstable();
    sets
}

/// `None` when there is nothing or when one of the parts is missing: a mean of the rest would be another number. Images
/// on which the metric is undefined are left out, as they are of what this is compared with.
fn weighted(group: &Group<'_, '_>, metric: &str) -> Option<f64> {
    let (mut sum, mut images) = (0.0, 0_usize);
    for s in group {
        let counted: Vec<f64> = s.scores.metrics.counted(metric)?.collect();
        sum += counted.iter().sum::<f64>();
        images += counted.len();
    }
    (images > 0).then(|| sum / images as f64)
}

/// Each image's difference to its baseline, averaged over seeds, by set; `None` where a baseline is missing.
fn differences(
    groups: &[Group<'_, '_>],
    metric: &str,
) -> Result<Option<Vec<Vec<f64>>>, ReportError> {
    let mut sets: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    for s in groups.iter().flatten() {
        let Some(pairs) = paired(s, metric)? else {
            return Ok(None);
        };
        let set = sets.entry(s.evaluation.images.as_str()).or_default();
        for (name, difference) in pairs {
            *set.entry(name).or_default() += difference / groups.len() as f64;
        }
    }
    let strata = sets.into_values().map(|set| set.into_values().collect());
    Ok(Some(strata.collect()))
}

/// The difference of each image to the same image of the baseline, by name.
fn paired<'s>(
    scored: &'s Scored<'_>,
    metric: &str,
) -> Result<Option<Vec<(&'s str, f64)>>, ReportError> {
    let Some((_, baseline)) = &scored.baseline else {
        return Ok(None);
    };
    let values = |scores: &'s Scores| {
        let values = scores.metrics.values.get(metric)?;
        let named = scores
            .metrics
            .images
            .iter()
            .map(String::as_str)
            .zip(values.iter());
        Some(named.collect::<BTreeMap<&str, &f64>>())
    };
    let (Some(own), Some(base)) = (values(&scored.scores), values(baseline)) else {
        return Ok(None);
    };
    if !own.keys().eq(base.keys()) || own.len() != scored.scores.images() {
        let folder = scored.evaluation.folder.clone();
        return Err(ReportError::Unpaired { folder });
    }
    let pairs = own.into_iter().filter_map(|(name, v)| {
        let counted = |v: &f64| score::counted(metric, *v);
        Some((name, counted(v)? - counted(base[name])?))
    });
    Ok(Some(pairs.collect()))
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample standard deviation, with n − 1.
fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

fn value_cell(value: TableValue, members: &[&Scored<'_>], table: &Table) -> Cell {
    let groups = groups(members, table.seeds);
    let found = groups.iter().map(|group| value_of(value, group));
    let found: Option<Vec<f64>> = found.collect();
    let found = found.unwrap_or_default();
    // A count that is the same for all seeds does not vary: there is nothing to say of its spread.
    let is_count = matches!(value, TableValue::Iterations | TableValue::Trainable);
    Cell {
        value: mean(&found),
        deviation: deviation(&found).filter(|d| *d > 0.0 || !is_count),
        seeds: groups.len(),
        images: groups
            .first()
            .map_or(0, |g| g.iter().map(|s| s.scores.images()).sum()),
        ..about(members)
    }
}

/// Something about the model, which all evaluations of it must agree in; SSIM and masks over all images.
fn value_of(value: TableValue, group: &Group<'_, '_>) -> Option<f64> {
    let model = |pick: fn(&Scored<'_>) -> Option<f64>| {
        let mut values = group.iter().map(|s| pick(s));
        let first = values.next().flatten();
        first.filter(|f| values.all(|v| v == Some(*f)))
    };
    match value {
        TableValue::Ssim => weighted(group, "ssim"),
        // A number that the file fixes is the number; where a training stops by itself, how far its weights are.
        TableValue::Iterations => model(|s| {
            let fixed = s.evaluation.iterations;
            let reached = s.scores.summary.model.iterations;
            fixed.or(reached).map(|n| n as f64)
        }),
        TableValue::Trainable => model(|s| s.scores.summary.model.trainable.map(|n| n as f64)),
        TableValue::Masks => masks(group),
        TableValue::Seconds => model(|s| s.evaluation.facts.get("training_seconds").copied()),
        TableValue::PeakMemory => model(|s| {
            let facts = &s.evaluation.facts;
            let gpu = facts.get("peak_gpu_memory_mib");
            gpu.or_else(|| facts.get("peak_memory_mib")).copied()
        }),
    }
}

/// Masks found an image, over all images; nothing for models that read none.
fn masks(group: &Group<'_, '_>) -> Option<f64> {
    let (mut sum, mut images) = (0.0, 0);
    for s in group {
        sum += s.scores.summary.masks_found? * s.scores.images() as f64;
        images += s.scores.images();
    }
    (images > 0).then(|| sum / images as f64)
}
