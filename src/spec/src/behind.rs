//! What tables and figures read of stages behind their inputs: lists of images, curves, photographs and masks.
//! Unaware of keys. These stages are in the keys of the inputs, so they add nothing to a key.

use std::collections::BTreeSet;

use crate::around::Around;
use crate::edge::Edge;

/// What is read of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The list of its images.
    Pairs,
    /// The curve of a training.
    Curve,
    /// All of it.
    Whole,
}

impl Part {
    /// The output that holds it; `None` where any may be read.
    pub const fn file(self) -> Option<&'static str> {
        match self {
            Self::Pairs => Some("pairs.json"),
            Self::Curve => Some("steps.csv"),
            Self::Whole => None,
        }
    }
}

/// A stage behind an input, and what is read of its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The way from the reader: the role of the input, then `/` and a role of that stage (`from.0/images`), or what is
    /// read of a model's history (`from.0/trained_on.1`).
    pub role: String,
    /// Index into `Pipeline::stages`.
    pub stage: usize,
    /// What is read.
    pub part: Part,
}

/// What a table reads behind its evaluations: whether their images are among those that the models were trained on, and
/// the curves of the trainings, where it draws them.
pub(crate) fn evaluations(around: &Around<'_>, curves: bool) -> Vec<Behind> {
    let mut all = Vec::new();
    for Edge { role, stage, .. } in around.inputs() {
        let evaluation = around.of(*stage);
        let Some(model) = evaluation.input("model") else {
            continue;
        };
        let History {
            trained_on,
            stopped_by,
        } = History::of(&model);
        if trained_on.is_empty() && stopped_by.is_empty() {
            continue;
        }
        let images = evaluation.input("images").into_iter();
        let mut found: Vec<(String, usize, Part)> = images
            .map(|stage| ("images".to_owned(), stage.at(), Part::Pairs))
            .collect();
        for (name, stages) in [("trained_on", trained_on), ("stopped_by", stopped_by)] {
            let role = |(n, stage)| (format!("{name}.{n}"), stage, Part::Pairs);
            found.extend(stages.into_iter().enumerate().map(role));
        }
        if curves {
            found.push(("model".to_owned(), model.at(), Part::Curve));
        }
        all.extend(found.into_iter().map(|(name, stage, part)| Behind {
            role: format!("{role}/{name}"),
            stage,
            part,
        }));
    }
    all
}

/// What a figure reads behind the evaluation in the role `role`: its photographs and masks.
pub(crate) fn photographs(around: &Around<'_>, role: &str) -> Vec<Behind> {
    let Some(evaluation) = around.input(role) else {
        return Vec::new();
    };
    let of = |name: &&str| {
        Some(Behind {
            role: format!("{role}/{name}"),
            stage: evaluation.input(name)?.at(),
            part: Part::Whole,
        })
    };
    ["images", "masks"].iter().filter_map(of).collect()
}

/// The `prepare` stages that a model has seen, itself or what it was made from, the last training first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Whose images it was trained on.
    pub trained_on: Vec<usize>,
    /// Whose images decided when to stop, or which weights to hand on.
    pub stopped_by: Vec<usize>,
}

impl History {
    /// The history of the model that a stage makes.
    pub fn of(model: &Around<'_>) -> Self {
        let mut history = Self::default();
        let mut next = Some(*model);
        while let Some(stage) = next.filter(Around::trains) {
            let at = |role: &str| stage.input(role).map(|images| images.at());
            history.trained_on.extend(at("images"));
            history.stopped_by.extend(at("validate.images"));
            next = stage.input("backbone").or_else(|| stage.input("from"));
        }
        for list in [&mut history.trained_on, &mut history.stopped_by] {
            let mut seen = BTreeSet::new();
            list.retain(|at| seen.insert(*at));
        }
        history
    }
}
