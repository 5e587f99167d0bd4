//! `prepare`: images of folders become HR/LR pairs.
//! Unaware of how an image is read or degraded.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::degrade::Degrade;
use super::reads::{Accepts, Listing, Reads};
use super::stage_kind::StageKind;
use crate::around::Around;
use crate::checker::Checker;
use crate::datasets::{Datasets, Source};
use crate::error::Problems;
use crate::labels::Labels;
use crate::lines::{Lines, Tag};

/// `prepare`: images of a folder become HR/LR pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// Folder of the HR (or clean) images: PNG, JPEG, BMP, TIFF and WebP, 8 or 16 bit.
    #[serde(default)]
    pub images: Option<PathBuf>,
    /// Instead of `images`: data sets by name below `root`, several of them joined. LR images that lie beside them are
    /// used.
    #[serde(default)]
    pub dataset: Datasets,
    /// The folder that holds the data sets.
    #[serde(default)]
    pub root: Option<PathBuf>,
    /// Folder of existing LQ images (LR ones), named as the HR ones or as the common releases do (docs/images.md).
    #[serde(default)]
    pub lq: Option<PathBuf>,
    /// The same, where that folder exists; where it does not, LQ images are made.
    #[serde(default)]
    pub lq_if_present: Option<PathBuf>,
    /// How LQ images are named after HR ones, as `filename_tmpl` of BasicSR: `"{}x4"`, `"{}_LRBI_x4"`.
    #[serde(default)]
    pub names: Option<String>,
    /// Whether images of sub-folders are read too. What is called `sub/a.png` has the name `sub__a`.
    #[serde(default)]
    pub recursive: bool,
    /// What is done to them.
    pub degrade: Degrade,
    /// Only these files of the folder, by name; all when empty.
    #[serde(default)]
    pub only: Vec<String>,
    /// Seed of the evaluation noise, the same for every image as in ART's test code; only with `denoise`.
    #[serde(default)]
    pub seed: u32,
    /// The name in tables; the data sets', else the folder's own (or its parent's, if that is `HR`) when absent. Not in
    /// the key.
    #[serde(default)]
    pub name: Option<String>,
}

impl Prepare {
    /// The folders that images come from, in the order in which they are named.
    pub fn sources(&self) -> Vec<Source> {
        let scale = match self.degrade {
            Degrade::Sr(scale) => Some(scale),
            Degrade::Denoise(_) => None,
        };
        let root = self.root.as_deref().unwrap_or(Path::new(""));
        let named = self.dataset.0.iter();
        let named = named.flat_map(|d| d.facts().sources(root, scale));
        let own = self.images.iter().map(|hr| Source {
            dataset: None,
            hr: hr.clone(),
            lr: self.lq.clone().or_else(|| self.lq_if_present.clone()),
            needs_lr: self.lq.is_some(),
        });
        own.chain(named).collect()
    }

    /// The name in tables: `name`, else the data sets', else the folder's, else (for `HR` and the like) its parent's.
    fn title(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let Some(folder) = &self.images else {
            return self.dataset.title();
        };
        let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
        let own = name(folder).unwrap_or_default();
        let generic = matches!(
            own.to_ascii_uppercase().as_str(),
            "HR" | "GT" | "GTMOD12" | "ORIGINAL"
        );
        if generic {
            folder.parent().and_then(name).unwrap_or(own)
        } else {
            own
        }
    }

    /// Whether the file `name` of an outside folder is read: a data set or `only` may narrow a folder.
    pub fn is_wanted(&self, role: &str, folder: &Path, name: &str) -> bool {
        if self.dataset.0.is_empty() {
            return role != "images" || self.only.is_empty() || self.only.iter().any(|o| o == name);
        }
        let here = |s: &Source| s.hr == folder || s.lr.as_deref() == Some(folder);
        let wanted = |s: &Source| s.dataset.is_some_and(|d| d.facts().has(name));
        self.sources().iter().any(|s| here(s) && wanted(s))
    }
}

impl StageKind for Prepare {
    const NAME: &'static str = "prepare";

    /// 1: first; 2: digests of images in `pairs.json`.
    const VERSION: u32 = 2;

    fn reads(&mut self, reads: &mut Reads<'_>) {
        let own = Listing::Images {
            recursive: self.recursive,
            optional: false,
        };
        let optional = Listing::Images {
            recursive: self.recursive,
            optional: true,
        };
        // Roles are words of manifests: they stay.
        for (field, role, path, listing) in [
            ("images", "images", &mut self.images, own.clone()),
            ("lq", "lr", &mut self.lq, own.clone()),
            (
                "lq_if_present",
                "lr_if_present",
                &mut self.lq_if_present,
                optional.clone(),
            ),
        ] {
            if let Some(path) = path {
                reads.file_as(field, role, path, listing);
            }
        }
        if let Some(root) = &mut self.root {
            reads.anchor("root", root);
        }
        for source in self.sources() {
            if source.dataset.is_some() {
                reads.derived("dataset", "images", &source.hr, own.clone());
                if let Some(lr) = &source.lr {
                    reads.derived("dataset", "lr_if_present", lr, optional.clone());
                }
            }
        }
    }

    fn serves_as(&self) -> &'static [Accepts] {
        &[Accepts::Images]
    }

    fn wants(&self, role: &str, path: &Path, name: &str) -> bool {
        self.is_wanted(role, path, name)
    }

    fn found(&self, role: &str, names: &mut dyn Iterator<Item = &str>, lines: &mut Lines) {
        if role.starts_with("lr") && has_twins(names, self.degrade.scale()) {
            lines.put(Tag::Result, "lr_names", "exact first");
        }
    }

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        self.check_source(checker, problems);
        self.check_names(checker, problems);
        match self.degrade {
            Degrade::Sr(scale) => checker.need(
                (2..=4).contains(&scale),
                "degrade.sr",
                || format!("the scale {scale} is not 2, 3 or 4"),
                problems,
            ),
            Degrade::Denoise(sigma) => {
                let good = sigma > 0.0 && sigma <= 255.0;
                checker.need(
                    good,
                    "degrade.denoise",
                    || format!("sigma {sigma} is not in (0, 255]"),
                    problems,
                );
                checker.need(
                    self.lq.is_none() && self.lq_if_present.is_none(),
                    "lq",
                    || "existing LR images go with `degrade: {sr: …}`, not with noise".into(),
                    problems,
                );
            }
        }
    }

    fn outputs(&self) -> &'static [&'static str] {
        &["pairs.json"]
    }

    fn lines(&self, _: &Around<'_>, lines: &mut Lines) {
        // Folders' paths, data sets' names and the name in tables do not change the pairs; what `only` and a data set
        // leave out shows in the list of files, and so does what `recursive` adds.
        let Self {
            images: _,
            dataset: _,
            root: _,
            lq: _,
            lq_if_present: _,
            names,
            recursive: _,
            degrade,
            only: _,
            seed,
            name: _,
        } = self;
        // The usual names were tried before there was a template.
        lines.option(Tag::Result, "config.names", names.as_ref());
        match degrade {
            Degrade::Sr(scale) => lines.put(Tag::Result, "config.degrade.sr", scale),
            Degrade::Denoise(sigma) => {
                lines.put(Tag::Result, "config.degrade.denoise", sigma);
                lines.put(Tag::Result, "config.seed", seed);
            }
        }
    }

    fn numerics(&self) -> Option<Tag> {
        None
    }

    fn needs(&self, role: &str) -> &[String] {
        if role == "images" { &self.only } else { &[] }
    }

    fn degrade(&self) -> Option<Degrade> {
        Some(self.degrade)
    }

    fn labels(&self, _: &Around<'_>, labels: &mut Labels) {
        labels.insert("set".into(), self.title());
        labels.insert("degrade".into(), self.degrade.label());
    }
}

/// Whether a folder holds both `house` and `housex4`: there the second was taken for the first's LR image before.
fn has_twins(names: &mut dyn Iterator<Item = &str>, scale: u32) -> bool {
    let stem = |name: &str| name[..name.rfind('.').unwrap_or(name.len())].to_owned();
    let stems: BTreeSet<String> = names.map(stem).collect();
    let ending = format!("x{scale}");
    let plain = |stem: &String| {
        stem.strip_suffix(&ending)
            .is_some_and(|plain| stems.contains(plain))
    };
    stems.iter().any(plain)
}

impl Prepare {
    /// A folder or data sets, and not what belongs to the other.
    fn check_source(&self, checker: &Checker<'_>, problems: &mut Problems) {
        let named = !self.dataset.0.is_empty();
        checker.need(
            named != self.images.is_some(),
            "images",
            || "give one of `images: folder` and `dataset: name`".into(),
            problems,
        );
        checker.need(
            named == self.root.is_some(),
            "root",
            || "`root:` is the folder that holds the data sets of `dataset:`: give both".into(),
            problems,
        );
        let mut seen = BTreeSet::new();
        for (at, dataset) in self.dataset.0.iter().enumerate() {
            checker.need(
                seen.insert(dataset),
                &format!("dataset.{at}"),
                || format!("the data set `{dataset}` stands twice"),
                problems,
            );
        }
        let own = [
            ("lq", self.lq.is_none()),
            ("lq_if_present", self.lq_if_present.is_none()),
            ("only", self.only.is_empty()),
            ("names", self.names.is_none()),
            ("recursive", !self.recursive),
        ];
        for (field, absent) in own {
            checker.need(
                absent || !named,
                field,
                || format!("`{field}` goes with `images:`; a data set knows its own"),
                problems,
            );
        }
    }

    /// A template needs a place for the name, and LR images that it names.
    fn check_names(&self, checker: &Checker<'_>, problems: &mut Problems) {
        let Some(names) = &self.names else {
            return;
        };
        checker.need(
            names.matches("{}").count() == 1 && !names.contains('/'),
            "names",
            || format!("`{names}` is no template: write the HR image's name as `{{}}`, once, as in `{{}}x4`"),
            problems,
        );
        checker.need(
            self.lq.is_some() || self.lq_if_present.is_some(),
            "names",
            || "`names` says how the images of `lq` are named: give both".into(),
            problems,
        );
    }
}
