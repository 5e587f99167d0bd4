//! The data sets that stages name: which are there, which are missing or not whole, and what is to be done.
//! Unaware of files: what a folder holds is told to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use diagnostics::shown::counted;
use spec::datasets::{Dataset, Facts, Source};
use spec::kinds::{Degrade, Prepare};
use spec::{Kind, Listing};

use crate::world::{Found, Outside};

/// A data set below one root, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetState {
    /// Which one.
    pub dataset: Dataset,
    /// The folder that should hold it.
    pub root: PathBuf,
    /// Images found of it; `None` where one of its folders is missing or holds none of them.
    pub images: Option<usize>,
    /// The scales that LR images are wanted at, each with the images found; `None` where they will be made.
    pub lr: BTreeMap<u32, Option<usize>>,
}

impl DatasetState {
    /// The warning that the number of images is not the published one.
    pub fn odd(&self) -> Option<String> {
        let facts = self.dataset.facts();
        let found = self.images.filter(|n| *n != facts.images)?;
        Some(format!(
            "the data set {} has {} in {}, and {} are expected: its means are not the published set's",
            facts.title,
            counted(found, "image"),
            folders(facts.hr, &self.root),
            facts.images
        ))
    }

    /// What is missing and where it is to be put.
    pub fn absent(&self) -> Option<String> {
        if self.images.is_some() {
            return None;
        }
        let facts = self.dataset.facts();
        let mut text = format!(
            "the data set {} is missing: put its {} images into {}\n  files: {}\n",
            facts.title,
            facts.images,
            folders(facts.hr, &self.root),
            facts.files
        );
        let lr: Vec<String> = lr_folders(facts, &self.root, self.lr.keys());
        if !lr.is_empty() {
            text += &format!("  optional LR images: {}\n", lr.join(", "));
        }
        Some(text + &format!("  from: {}", facts.from))
    }
}

fn folders(names: &[&str], root: &Path) -> String {
    let shown: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", tidy(&root.join(name)).display()))
        .collect();
    shown.join(" and ")
}

fn lr_folders<'a>(
    facts: &Facts,
    root: &Path,
    scales: impl Iterator<Item = &'a u32>,
) -> Vec<String> {
    let sources = scales.flat_map(|scale| facts.sources(root, Some(*scale)));
    let lr = sources.filter_map(|source| source.lr);
    lr.map(|lr| format!("`{}`", tidy(&lr).display())).collect()
}

/// The path as a person would write it: what a file in another folder names by `../` without going there and back.
pub fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        let back = part == Component::ParentDir;
        match out.components().next_back() {
            Some(Component::Normal(_)) if back => drop(out.pop()),
            _ => out.push(part),
        }
    }
    out
}

/// The data sets of these stages, each once for each root, in the order of [`Dataset`].
pub fn states<'k>(kinds: impl Iterator<Item = &'k Kind>, outside: &Outside) -> Vec<DatasetState> {
    let mut wanted: BTreeMap<(Dataset, &Path), BTreeSet<u32>> = BTreeMap::new();
    for kind in kinds {
        let Kind::Prepare(prepare) = kind else {
            continue;
        };
        let root = prepare.root.as_deref().unwrap_or(Path::new(""));
        for dataset in &prepare.dataset.0 {
            let scales = wanted.entry((*dataset, root)).or_default();
            scales.extend(scale(prepare));
        }
    }
    let state = |((dataset, root), scales)| state(dataset, root, &scales, outside);
    wanted.into_iter().map(state).collect()
}

const fn scale(prepare: &Prepare) -> Option<u32> {
    match prepare.degrade {
        Degrade::Sr(scale) => Some(scale),
        Degrade::Denoise(_) => None,
    }
}

fn state(dataset: Dataset, root: &Path, scales: &BTreeSet<u32>, outside: &Outside) -> DatasetState {
    let facts = dataset.facts();
    let count = |optional: bool, path: PathBuf| {
        let listing = Listing::Images {
            recursive: false,
            optional,
        };
        own(dataset, outside.get(&(listing, path)))
    };
    let hr = |source: Source| count(false, source.hr);
    let lr = |scale: &u32| {
        let sources = facts.sources(root, Some(*scale)).into_iter();
        let lr = sources.filter_map(|source| source.lr);
        let found = lr.map(|lr| count(true, lr)).sum();
        (*scale, found)
    };
    let has_lr = !facts.lr.is_empty();
    DatasetState {
        dataset,
        root: root.to_owned(),
        images: facts.sources(root, None).into_iter().map(hr).sum(),
        lr: scales.iter().filter(|_| has_lr).map(lr).collect(),
    }
}

/// How many images of the data set a folder holds; `None` when it holds none.
fn own(dataset: Dataset, found: Option<&Found>) -> Option<usize> {
    let files = found?.as_ref().ok()?;
    let own = files.iter().filter(|(name, _)| dataset.facts().has(name));
    Some(own.count()).filter(|n| *n > 0)
}

/// Whose an outside folder is: a data set's, and whether it is for LR images.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    dataset: Dataset,
    is_lr: bool,
}

/// The data set that an outside path of a stage belongs to.
pub(super) fn owner(kind: &Kind, path: &Path) -> Option<Owner> {
    let Kind::Prepare(prepare) = kind else {
        return None;
    };
    prepare.sources().into_iter().find_map(|source| {
        let is_lr = source.lr.as_deref() == Some(path);
        let here = is_lr || source.hr == path;
        let dataset = source.dataset?;
        here.then_some(Owner { dataset, is_lr })
    })
}

/// Why a stage cannot be run with what was found in a folder of a data set.
pub(super) fn trouble(owner: Owner, path: &Path, found: &Found) -> Option<String> {
    let title = owner.dataset.facts().title;
    let path = tidy(path);
    match found {
        Err(why) if owner.is_lr => Some(format!("LR images of {title}: {why}")),
        Ok(_) if owner.is_lr => None,
        _ if own(owner.dataset, Some(found)).is_some() => None,
        _ if files::is_pattern(&path) => Some(format!(
            "`{}` {}\nhint: `root:` is the folder that holds the data sets",
            path.display(),
            files::NOT_EXPANDED
        )),
        _ => Some(format!(
            "the data set {title} is missing (`{}`)",
            path.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_do_not_go_there_and_back() {
        let tidied = |path: &str| tidy(Path::new(path)).display().to_string();
        assert_eq!(tidied("pipelines/common/../../data/Set5"), "data/Set5");
        assert_eq!(tidied("../a/../../data"), "../../data");
        assert_eq!(tidied("/a/../b"), "/b");
    }
}
