//! Which network restores, and who makes the masks that it reads: by a stage of a pipeline, or by an exported file.
//! Unaware of photographs.

use std::path::{Path, PathBuf};

use artifacts::{Contents, Exported, MaskSource, ModelCard};
use diagnostics::shown::line;
use engine::session::{Access, Session};
use spec::kinds::Network;
use spec::segmenters::Segmenter;
use spec::{Baseline, Kind, Weights};
use store::Key;

use super::args::RestoreArgs;
use crate::cli::finished::finished;
use crate::cli::{Fatal, open};

/// The network.
pub struct Model {
    pub weights: Weights,
    pub card: ModelCard,
    /// What it is compared with, if anything: itself without its units, or what it was tuned from.
    pub baseline: Option<Baseline>,
    /// Who makes its masks, if it reads any.
    pub masks: Option<MaskSource>,
}

impl Model {
    /// The model that is named.
    pub fn find(args: &RestoreArgs) -> Result<Self, Fatal> {
        let is_file = Path::new(&args.model)
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("safetensors"));
        let mut model = if is_file {
            exported(args)?
        } else {
            of_stage(args)?
        };
        let here = args.segmenter_path.as_deref();
        let reads_files = match &mut model.masks {
            Some(source) => place(source, here)?,
            None => false,
        };
        if here.is_some() && !reads_files {
            let why = match &model.masks {
                Some(_) => "has a segmenter that reads no files",
                None => "reads no masks",
            };
            let message = format!("`{}` {why}", line(&args.model));
            return Err(Fatal::usage(message, "leave --segmenter-path out"));
        }
        Ok(model)
    }

    /// Pixels of a restored photograph per pixel of the photograph along a side.
    pub fn scale(&self) -> usize {
        self.card.architecture.scale() as usize
    }
}

fn of_stage(args: &RestoreArgs) -> Result<Model, Fatal> {
    if args.backbone.is_some() {
        let message = "--backbone goes with a file that holds SPT units alone";
        return Err(Fatal::usage(message, "leave it out"));
    }
    let names = std::slice::from_ref(&args.model);
    let session = open(&args.common.pipeline(names)?, Access::Read)?;
    let (at, key) = trained(&session, &args.model)?;
    let folder = session.store.output_dir(&key);
    let card = ModelCard::read(&folder).map_err(|e| Fatal::failed(e.to_string(), e.hint()))?;
    let masks = card
        .spt
        .as_ref()
        .and_then(|_| mask_source(&session, at, "masks"));
    Ok(Model {
        weights: Weights::Stage(folder),
        baseline: without_units(&card).or_else(|| tuned_from(&session, at)),
        card,
        masks,
    })
}

fn without_units(card: &ModelCard) -> Option<Baseline> {
    card.spt.as_ref().map(|_| Baseline::WithoutUnits)
}

/// The result of the stage that a full fine-tuning began with.
fn tuned_from(session: &Session, at: usize) -> Option<Baseline> {
    let at = session.pipeline.stages[at].input("backbone")?;
    let key = session.plan().get(at)?.key?;
    session.store.record(&key).ok()??;
    Some(Baseline::Other(Weights::Stage(
        session.store.output_dir(&key),
    )))
}

/// The only stage of this name or pattern, which has a model, and the key of its result.
pub fn trained(session: &Session, wanted: &str) -> Result<(usize, Key), Fatal> {
    let at = the_only(session, wanted)?;
    let stage = &session.pipeline.stages[at];
    if stage.kind.network() == Network::None {
        let name = stage.kind.name();
        return Err(Fatal::usage(
            format!("`{}` is a stage `{name}`, which has no model", stage.name),
            "name a stage `tune`, `train` or `pretrained`; `pipeline export STAGE DIR` copies the results of any",
        ));
    }
    let keys = finished(session)?;
    let key = keys.first().map(|(_, key)| *key);
    let key = key.ok_or_else(|| Fatal::usage(format!("there is no stage `{wanted}`"), ""))?;
    Ok((at, key))
}

/// The one stage that is meant.
fn the_only(session: &Session, wanted: &str) -> Result<usize, Fatal> {
    let mut all = session.wanted.iter().copied();
    let (first, second) = (all.next(), all.next());
    match (first, second) {
        (Some(at), None) => Ok(at),
        (Some(a), Some(b)) => {
            let name = |at: usize| &session.pipeline.stages[at].name;
            let message = format!(
                "`{wanted}` are several stages: `{}`, `{}`, …",
                name(a),
                name(b)
            );
            Err(Fatal::usage(message, "name one"))
        }
        _ => Err(Fatal::usage(format!("there is no stage `{wanted}`"), "")),
    }
}

/// The mask stage that fills `role` of a stage, with what it reads in turn.
pub fn mask_source(session: &Session, at: usize, role: &str) -> Option<MaskSource> {
    let at = session.pipeline.stages[at].input(role)?;
    let Kind::Mask(mask) = &session.pipeline.stages[at].kind else {
        return None;
    };
    let of = mask_source(session, at, "segmenter.other.masks");
    Some(MaskSource {
        mask: mask.clone(),
        of: of.map(Box::new),
    })
}

fn exported(args: &RestoreArgs) -> Result<Model, Fatal> {
    let file = PathBuf::from(&args.model);
    let shown = files::Name(&file);
    let card = Exported::read(&file).map_err(|e| {
        let hint = "`pipeline export STAGE --to model.safetensors` writes one; a checkpoint of others is read by a stage \
                    `pretrained`";
        Fatal::failed(e.to_string(), hint)
    })?;
    match (card.contents, &args.backbone) {
        (Contents::Units, None) => {
            let message = format!("`{shown}` holds SPT units alone");
            let hint = "name the backbone's weights: --backbone FILE; or export with --merged";
            return Err(Fatal::usage(message, hint));
        }
        (Contents::Whole, Some(_)) => {
            let message = format!("`{shown}` holds its backbone");
            return Err(Fatal::usage(message, "leave --backbone out"));
        }
        (Contents::Units, Some(path)) if !path.is_file() => {
            let message = format!("--backbone: there is no file `{}`", files::Name(path));
            let hint = "name the weights that the units were tuned on: an exported file, or a checkpoint with the official \
                        names";
            return Err(Fatal::usage(message, hint));
        }
        _ => {}
    }
    Ok(Model {
        weights: Weights::Exported {
            file,
            backbone: args.backbone.clone(),
        },
        baseline: without_units(&card.model),
        card: card.model,
        masks: card.masks,
    })
}

/// Has the segmenters look for their files where these are; whether any reads files.
fn place(source: &mut MaskSource, here: Option<&Path>) -> Result<bool, Fatal> {
    let inner = match &mut source.of {
        Some(of) => place(of, here)?,
        None => false,
    };
    let (path, what) = match &mut source.mask.segmenter {
        Segmenter::Sam(sam) => (&mut sam.weights, "SAM's weights are"),
        Segmenter::Files(files) => (&mut files.path, "the folder of masks is"),
        Segmenter::Graph(_) | Segmenter::Zero(_) | Segmenter::Other(_) => return Ok(inner),
    };
    if let Some(here) = here {
        here.clone_into(path);
    }
    if path.exists() {
        return Ok(true);
    }
    let message = format!("{what} not at `{}`", files::Name(path));
    Err(Fatal::usage(message, "say where: --segmenter-path PATH"))
}
