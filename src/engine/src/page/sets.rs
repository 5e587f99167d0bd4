//! The evaluations of the page, by the images that they are of.
//! Unaware of what is in their files.

use std::collections::{BTreeMap, BTreeSet};

use ::page::{Masks, Method, Set};
use spec::labels::NONE;
use spec::{Around, Kind, Stage};

use super::ended::Records;
use super::others::Others;
use crate::session::Session;

/// A set of images for each `images` stage whose evaluations have results.
pub(super) fn of(session: &Session, records: &Records) -> Vec<Set> {
    let gather = Gather {
        session,
        records,
        baselines: baselines(&session.pipeline.stages),
    };
    let evaluations = gather.evaluations();
    let others = (!evaluations.is_empty()).then(|| Others::read(session, records));
    let names = names(session, evaluations.keys().copied());
    let set = |(images, evaluations): (usize, Vec<usize>)| {
        let key = gather.key(images);
        let mut methods = gather.methods(&evaluations);
        if let Some(others) = &others {
            methods.extend(others.on(&key, &methods));
        }
        Set {
            name: names[&images].clone(),
            key,
            folder: gather.folder(images),
            methods,
            masks: gather.masks(&evaluations),
            ..Set::default()
        }
    };
    evaluations.into_iter().map(set).collect()
}

/// The evaluations that any table takes Δ to.
fn baselines(stages: &[Stage]) -> BTreeSet<usize> {
    stages
        .iter()
        .flat_map(|stage| stage.inputs_of("baseline"))
        .collect()
}

/// What all sets are made from.
struct Gather<'a> {
    session: &'a Session,
    records: &'a Records,
    baselines: BTreeSet<usize>,
}

impl Gather<'_> {
    fn stage(&self, at: usize) -> &Stage {
        &self.session.pipeline.stages[at]
    }

    fn key(&self, at: usize) -> String {
        self.records[&at].0.to_string()
    }

    fn folder(&self, at: usize) -> std::path::PathBuf {
        self.session.store.output_dir(&self.records[&at].0)
    }

    /// The stage that fills a role, where it has a result.
    fn input(&self, at: usize, role: &str) -> Option<usize> {
        let input = self.stage(at).input(role)?;
        self.records.contains_key(&input).then_some(input)
    }

    /// The evaluations with results, by the stage of their images.
    fn evaluations(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut sets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &at in self.records.keys() {
            if !matches!(self.stage(at).kind, Kind::Evaluate(_)) {
                continue;
            }
            if let Some(images) = self.input(at, "images") {
                sets.entry(images).or_default().push(at);
            }
        }
        sets
    }

    /// A method an evaluation, called after its model where no other evaluation of the set has that model.
    fn methods(&self, evaluations: &[usize]) -> Vec<Method> {
        let model = |at: usize| self.stage(at).input("model");
        let method = |&at: &usize| {
            let is_alone = evaluations
                .iter()
                .filter(|e| model(**e) == model(at))
                .count()
                == 1;
            let called_after = model(at).filter(|_| is_alone).unwrap_or(at);
            Method {
                name: unlike_the_others(&self.stage(called_after).name),
                stage: self.stage(at).name.clone(),
                key: self.key(at),
                folder: self.folder(at),
                baseline: self.baselines.contains(&at),
                masks: self
                    .stage(at)
                    .input("masks")
                    .map(|m| self.stage(m).name.clone()),
                other: false,
            }
        };
        evaluations.iter().map(method).collect()
    }

    /// The masks of any of the evaluations, each once.
    fn masks(&self, evaluations: &[usize]) -> Vec<Masks> {
        let stages = evaluations.iter().filter_map(|at| self.input(*at, "masks"));
        let masks = |at: usize| Masks {
            stage: self.stage(at).name.clone(),
            key: self.key(at),
            folder: self.folder(at),
        };
        stages
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(masks)
            .collect()
    }
}

/// A method's name beside the pictures that every image has.
fn unlike_the_others(stage: &str) -> String {
    match stage {
        "LQ" | "bicubic" | "GT" => format!("{stage} (stage)"),
        _ => stage.to_owned(),
    }
}

/// What sets of images are called: as tables call them, with the stage where that is not enough.
fn names(session: &Session, sets: impl Iterator<Item = usize>) -> BTreeMap<usize, String> {
    let stages = &session.pipeline.stages;
    let name = |at: usize| {
        let labels = Around::new(&session.pipeline, at).labels();
        let set = labels.get("set").filter(|set| *set != NONE);
        set.unwrap_or(&stages[at].name).clone()
    };
    let all: Vec<(usize, String)> = sets.map(|at| (at, name(at))).collect();
    let is_twice = |name: &String| all.iter().filter(|(_, n)| n == name).count() > 1;
    let full = |(at, name): &(usize, String)| {
        let name = if is_twice(name) {
            format!("{name} ({})", stages[*at].name)
        } else {
            name.clone()
        };
        (*at, name)
    };
    all.iter().map(full).collect()
}
