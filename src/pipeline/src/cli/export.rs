//! `pipeline export STAGE --to FILE`: a trained model as one file that says what it is, and a card for people.
//! Unaware of libtorch and of running.
//!
//! ```text
//!   the stage's weights.safetensors, verified ── units alone, or all ──┐
//!   model.json, manifest, evaluations, mask stages ── Exported ────────┴─> FILE ── card ──> README.md beside it
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifacts::exported::{EXPORT_FORMAT, SPT};
use artifacts::{
    ArtifactError, Contents, Evaluated, Exported, MaskSource, Metrics, ModelCard, Tensors,
};
use diagnostics::shown::line;
use engine::session::{Access, Session};
use files::Name;
use spec::kinds::Degrade;
use spec::segmenters::Segmenter;
use spec::{Around, Kind};
use store::{Digest, Key, Record, WeightsDigest};

use super::args::{ExportArgs, Exported as Meant};
use super::ask::cannot;
use super::restore::{mask_source, trained};
use super::{Exit, Fatal, card, open, say};

/// The file with a stage's weights.
const WEIGHTS: &str = "weights.safetensors";

/// Writes the model of a stage to `to`.
pub fn model(args: &ExportArgs, meant: &Meant, to: &Path) -> Result<Exit, Fatal> {
    let readme = args.model_card.then(|| to.with_file_name("README.md"));
    for path in std::iter::once(to).chain(readme.as_deref()) {
        check_free(path, args.overwrite)?;
    }
    let session = open(&meant.pipeline()?, Access::Read)?;
    let (at, key) = trained(&session, &meant.stage)?;
    let weights = verified(&session, &key)?;
    let exported = described(&session, at, &key, &weights, args.merged)?;
    put(to, |path| {
        exported.write(&weights, path).map_err(|e| unreadable(&e))
    })?;
    let what = match exported.contents {
        Contents::Whole => "the whole network",
        Contents::Units => "its SPT units",
    };
    say(&format!(
        "{}: {what} → {}",
        line(&session.pipeline.stages[at].name),
        Name(to)
    ));
    if let Some(readme) = readme {
        let text = card::text(&exported, to);
        put(&readme, |path| {
            std::fs::write(path, &text).map_err(|e| cannot("write", path, &e))
        })?;
        say(&format!("card: {}", Name(&readme)));
    }
    Ok(Exit::Done)
}

fn check_free(path: &Path, overwrite: bool) -> Result<(), Fatal> {
    let is_there = std::fs::symlink_metadata(path).is_ok();
    if !is_there || overwrite && !path.is_dir() {
        return Ok(());
    }
    let message = format!("`{}` is there already", Name(path));
    Err(Fatal::usage(
        message,
        "put the model into a folder of its own, or say --overwrite",
    ))
}

/// Writes a file beside its place, and moves it there when it is whole.
fn put(to: &Path, write: impl FnOnce(&Path) -> Result<(), Fatal>) -> Result<(), Fatal> {
    let folder = to.parent().filter(|p| !p.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|e| cannot("create", folder, &e))?;
    }
    let name = format!(".export-{}", std::process::id());
    let beside = folder.map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name));
    let written = write(&beside)
        .and_then(|()| std::fs::rename(&beside, to).map_err(|e| cannot("write", to, &e)));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside); // it may not have been made
    }
    written
}

fn unreadable(error: &ArtifactError) -> Fatal {
    Fatal::failed(error.to_string(), error.hint())
}

/// The weights of a result, if they are what its record says.
fn verified(session: &Session, key: &Key) -> Result<Tensors, Fatal> {
    let path = session.store.output_dir(key).join(WEIGHTS);
    let record = session.store.record(key)?;
    let wanted = record
        .as_ref()
        .and_then(|r| r.output(WEIGHTS))
        .map(|o| o.digest);
    let bytes = std::fs::read(&path).map_err(|e| cannot("read", &path, &e))?;
    if wanted != Some(Digest::of(&bytes)) {
        let message = format!(
            "`{}` is damaged: its digest is not that of its record",
            Name(&path)
        );
        return Err(Fatal::failed(message, "run the stage again with --force"));
    }
    Tensors::open(&path).map_err(|e| unreadable(&e))
}

fn described(
    session: &Session,
    at: usize,
    key: &Key,
    weights: &Tensors,
    merged: bool,
) -> Result<Exported, Fatal> {
    let folder = session.store.output_dir(key);
    let model = ModelCard::read(&folder).map_err(|e| unreadable(&e))?;
    let record = session.store.record(key)?;
    let units = model.spt.is_some();
    let mut masks = mask_source(session, at, "masks").filter(|_| units);
    if let Some(source) = &mut masks {
        without_folders(source);
    }
    Ok(Exported {
        format: EXPORT_FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        stage: session.pipeline.stages[at].name.clone(),
        key: key.to_string(),
        contents: if units && !merged {
            Contents::Units
        } else {
            Contents::Whole
        },
        degrade: degrade(session, at, &model),
        base: units.then(|| base(weights)).transpose()?,
        masks,
        config: record.as_ref().map(config).unwrap_or_default(),
        metrics: metrics(session, at)?,
        model,
    })
}

/// What was done to the images that the network was trained on; of weights of others only the scale is known.
fn degrade(session: &Session, at: usize, model: &ModelCard) -> Degrade {
    let around = Around::new(&session.pipeline, at);
    match around.input("images") {
        Some(_) => around.degrade(),
        None => Degrade::Sr(model.architecture.scale()),
    }
}

/// Digest over the backbone's tensors.
fn base(weights: &Tensors) -> Result<String, Fatal> {
    let mut digest = WeightsDigest::default();
    let each = weights.each(|name, shape, bytes| {
        if !name.starts_with(SPT) {
            digest.add(name, shape, bytes);
        }
    });
    each.map_err(|e| unreadable(&e))?;
    Ok(digest.finish().to_string())
}

/// Where files lie on this machine is nobody else's business.
fn without_folders(source: &mut MaskSource) {
    let path = match &mut source.mask.segmenter {
        Segmenter::Sam(sam) => Some(&mut sam.weights),
        Segmenter::Files(files) => Some(&mut files.path),
        Segmenter::Graph(_) | Segmenter::Zero(_) | Segmenter::Other(_) => None,
    };
    if let Some(path) = path {
        *path = path.file_name().map(PathBuf::from).unwrap_or_default();
    }
    if let Some(of) = &mut source.of {
        without_folders(of);
    }
}

/// The lines of a manifest that are configuration.
fn config(record: &Record) -> BTreeMap<String, String> {
    let lines = record.manifest.lines();
    let pairs = lines.filter_map(|line| line.strip_prefix("config.")?.split_once('\t'));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The means of the model's evaluations that have a result.
fn metrics(session: &Session, model: usize) -> Result<BTreeMap<String, Evaluated>, Fatal> {
    let plan = session.plan_as(&session.numerics);
    let mut found = BTreeMap::new();
    for (at, stage) in session.pipeline.stages.iter().enumerate() {
        let is_its = matches!(stage.kind, Kind::Evaluate(_)) && stage.input("model") == Some(model);
        let key = plan.get(at).and_then(|p| p.key).filter(|_| is_its);
        let Some(key) = key else { continue };
        if session.store.record(&key)?.is_none() {
            continue;
        }
        let metrics = Metrics::read(&session.store.output_dir(&key)).map_err(|e| unreadable(&e))?;
        let labels = Around::new(&session.pipeline, at).labels();
        let evaluated = Evaluated {
            set: labels.get("set").cloned().unwrap_or_default(),
            images: metrics.images.len(),
            means: metrics.means(),
        };
        found.insert(stage.name.clone(), evaluated);
    }
    Ok(found)
}
