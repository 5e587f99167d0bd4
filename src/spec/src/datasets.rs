//! The data sets of the field by name: where each lies below a root folder, how many images it has, who publishes it.
//! Unaware of the file system: whether a data set is there is asked elsewhere.
//!
//! To add one: a name in [`Dataset`], an entry in [`FACTS`]. A test walks both; `pipeline data check` shows it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::StrDeserializer;
use serde::de::{self, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

pub use crate::names::Dataset;

/// What is known of a data set.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Which one.
    pub dataset: Dataset,
    /// The name in tables and messages, as the field writes it.
    pub title: &'static str,
    /// Images it has: the weight of its mean in an average over sets.
    pub images: usize,
    /// The folders of its HR (clean) images, below the root.
    pub hr: &'static [&'static str],
    /// For each of them the folder of published LR images, `{}` for the scale; empty where none are published.
    pub lr: &'static [&'static str],
    /// Only these images of the folders, by name without ending; all when empty.
    pub only: &'static [&'static str],
    /// How the files are named.
    pub files: &'static str,
    /// Who publishes it, and what is to be done with what they publish.
    pub from: &'static str,
}

const DIV2K: &str = "data.vision.ee.ethz.ch/cvl/DIV2K: unpack the archives in DIV2K/; those of LR images (track bicubic) \
                     are optional";
const BENCHMARK: &str = "the test sets of EDSR, cv.snu.ac.kr/research/EDSR/benchmark.tar, or of CAT, \
                         github.com/zhengchen1999/CAT (section Datasets)";
const DENOISING: &str = "the colour test sets of ART, github.com/gladzhang/ART (section Datasets)";
const SAMPLES: &str = "part of this project: pipelines/photos/small";

/// Every data set, in the order of [`Dataset`] (paper §5.1; counts: METHOD, data).
pub const FACTS: &[Facts] = &[
    Facts {
        dataset: Dataset::Div2k,
        title: "DIV2K",
        images: 800,
        hr: &["DIV2K/DIV2K_train_HR"],
        lr: &["DIV2K/DIV2K_train_LR_bicubic/X{}"],
        only: &[],
        files: "0001.png … 0800.png; LR images 0001x4.png …",
        from: DIV2K,
    },
    Facts {
        // The first ten, which trainings stop by.
        dataset: Dataset::Div2kVal,
        title: "DIV2K-val",
        images: 10,
        hr: &["DIV2K/DIV2K_valid_HR"],
        lr: &["DIV2K/DIV2K_valid_LR_bicubic/X{}"],
        only: &[
            "0801", "0802", "0803", "0804", "0805", "0806", "0807", "0808", "0809", "0810",
        ],
        files: "0801.png … 0810.png, further ones are not read; LR images 0801x4.png …",
        from: DIV2K,
    },
    Facts {
        dataset: Dataset::Flickr2k,
        title: "Flickr2K",
        images: 2650,
        hr: &["Flickr2K/Flickr2K_HR"],
        lr: &["Flickr2K/Flickr2K_LR_bicubic/X{}"],
        only: &[],
        files: "000001.png … 002650.png; LR images 000001x4.png …",
        from: "cv.snu.ac.kr/research/EDSR/Flickr2K.tar",
    },
    Facts {
        // `val`, the third folder, is what BSD68 and B100 are taken from.
        dataset: Dataset::Bsd500,
        title: "BSD500",
        images: 400,
        hr: &[
            "BSR/BSDS500/data/images/train",
            "BSR/BSDS500/data/images/test",
        ],
        lr: &[],
        only: &[],
        files: "*.jpg, 200 in each folder; `val`, which BSD68 and B100 are taken from, is not read",
        from: "www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz",
    },
    Facts {
        dataset: Dataset::Wed,
        title: "WED",
        images: 4744,
        hr: &["WED"],
        lr: &[],
        only: &[],
        files: "00001.bmp … 04744.bmp, or the same as PNG",
        from: "the pristine images of ivc.uwaterloo.ca/database/WaterlooExploration",
    },
    benchmark(
        Dataset::Set5,
        "Set5",
        5,
        &["Set5/HR"],
        &["Set5/LR_bicubic/X{}"],
    ),
    benchmark(
        Dataset::Set14,
        "Set14",
        14,
        &["Set14/HR"],
        &["Set14/LR_bicubic/X{}"],
    ),
    benchmark(
        Dataset::B100,
        "B100",
        100,
        &["B100/HR"],
        &["B100/LR_bicubic/X{}"],
    ),
    benchmark(
        Dataset::Urban100,
        "Urban100",
        100,
        &["Urban100/HR"],
        &["Urban100/LR_bicubic/X{}"],
    ),
    benchmark(
        Dataset::Manga109,
        "Manga109",
        109,
        &["Manga109/HR"],
        &["Manga109/LR_bicubic/X{}"],
    ),
    denoising(Dataset::Bsd68, "BSD68", 68, &["CBSD68"]),
    denoising(Dataset::Kodak24, "Kodak24", 24, &["Kodak24"]),
    denoising(Dataset::McMaster, "McMaster", 18, &["McMaster"]),
    sample(
        Dataset::SampleTrain,
        "sample-train",
        &["coffee", "retina", "tissue"],
    ),
    sample(Dataset::SampleVal, "sample-val", &["deep_field"]),
    sample(Dataset::SampleA, "sample-a", &["astronaut"]),
    sample(Dataset::SampleB, "sample-b", &["cat"]),
    sample(Dataset::SampleC, "sample-c", &["rocket"]),
    sample(Dataset::SampleD, "sample-d", &["astronaut", "cat"]),
    sample(Dataset::SampleE, "sample-e", &["cat", "rocket"]),
];

/// A test set for SR, laid out as EDSR's.
const fn benchmark(
    dataset: Dataset,
    title: &'static str,
    images: usize,
    hr: &'static [&'static str],
    lr: &'static [&'static str],
) -> Facts {
    Facts {
        dataset,
        title,
        images,
        hr,
        lr,
        only: &[],
        files: "*.png; LR images by the same name or with x2, x3, x4 behind it",
        from: BENCHMARK,
    }
}

/// A test set for colour denoising.
const fn denoising(
    dataset: Dataset,
    title: &'static str,
    images: usize,
    hr: &'static [&'static str],
) -> Facts {
    Facts {
        dataset,
        title,
        images,
        hr,
        lr: &[],
        only: &[],
        files: "*.png (what is published as TIFF is to be converted, such as by `mogrify -format png *.tif`)",
        from: DENOISING,
    }
}

/// Crops of this project's own photographs, for demonstrations.
const fn sample(dataset: Dataset, title: &'static str, only: &'static [&'static str]) -> Facts {
    Facts {
        dataset,
        title,
        images: only.len(),
        hr: &["small"],
        lr: &[],
        only,
        files: "the photographs' names, *.png",
        from: SAMPLES,
    }
}

impl Dataset {
    /// What is known of it.
    pub const fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }
}

/// Where images come from: a folder of HR images and perhaps one of LR images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The data set, where it has a name.
    pub dataset: Option<Dataset>,
    /// The HR (clean) images.
    pub hr: PathBuf,
    /// LR images, used where this folder exists.
    pub lr: Option<PathBuf>,
    /// Whether they must be there.
    pub needs_lr: bool,
}

impl Facts {
    /// Its folders below `root`; LR folders only where there is a scale.
    pub fn sources(&self, root: &Path, scale: Option<u32>) -> Vec<Source> {
        let lr = |at: usize| {
            let folder = self.lr.get(at)?.replace("{}", &scale?.to_string());
            Some(root.join(folder))
        };
        let source = |(at, hr): (usize, &&str)| Source {
            dataset: Some(self.dataset),
            hr: root.join(hr),
            lr: lr(at),
            needs_lr: false,
        };
        self.hr.iter().enumerate().map(source).collect()
    }

    /// Whether the image of this file name is one of it; LR images are told by the name before `x<scale>`.
    pub fn has(&self, file: &str) -> bool {
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let plain = stem
            .rsplit_once('x')
            .filter(|(_, n)| ["2", "3", "4"].contains(n));
        let wanted = |name: &str| self.only.contains(&name);
        self.only.is_empty() || wanted(stem) || plain.is_some_and(|(name, _)| wanted(name))
    }
}

/// The data sets of a field that takes the name of one or a list of names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Datasets(pub Vec<Dataset>);

impl Datasets {
    /// Their titles, `DIV2K+Flickr2K`.
    pub fn title(&self) -> String {
        let titles: Vec<&str> = self.0.iter().map(|d| d.facts().title).collect();
        titles.join("+")
    }
}

impl<'de> Deserialize<'de> for Datasets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Datasets;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a data set or a list of names")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Datasets, E> {
        let name: StrDeserializer<'_, E> = name.into_deserializer();
        Ok(Datasets(vec![Dataset::deserialize(name)?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Datasets, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element()? {
            names.push(name);
        }
        Ok(Datasets(names))
    }
}

impl JsonSchema for Datasets {
    fn schema_name() -> Cow<'static, str> {
        "Datasets".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Dataset>();
        json_schema!({
            "description": "The name of a data set, or a list of names.",
            "anyOf": [one, {"type": "array", "items": one}],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_set_has_its_facts() {
        let listed: Vec<Dataset> = FACTS.iter().map(|f| f.dataset).collect();
        assert_eq!(listed, Dataset::ALL);
        for facts in FACTS {
            let name = facts.dataset.as_str();
            assert_eq!(facts.dataset.facts().dataset, facts.dataset, "{name}");
            assert!(!facts.hr.is_empty() && facts.images > 0, "{name}");
            assert!(!facts.files.is_empty() && !facts.from.is_empty(), "{name}");
            assert!(
                facts.lr.is_empty() || facts.lr.len() == facts.hr.len(),
                "{name}"
            );
            assert!(facts.lr.iter().all(|lr| lr.contains("{}")), "{name}");
            let listed = facts.only.len();
            assert!(listed == 0 || listed == facts.images, "{name}");
            let same = |other: &&Facts| other.title == facts.title;
            assert_eq!(FACTS.iter().filter(same).count(), 1, "{name}");
        }
    }

    #[test]
    fn the_counts_are_those_that_weight_the_papers_averages() {
        use Dataset::{B100, Bsd68, Kodak24, Manga109, McMaster, Set5, Set14, Urban100};

        let images = |names: &[Dataset]| names.iter().map(|d| d.facts().images).sum::<usize>();
        assert_eq!(images(&[Set5, Set14, B100, Urban100, Manga109]), 328);
        assert_eq!(images(&[Bsd68, Kodak24, McMaster, Urban100]), 210);
        assert_eq!(images(&[Dataset::Div2k, Dataset::Flickr2k]), 3450);
        assert_eq!(images(&[Dataset::Bsd500, Dataset::Wed]), 5144);
    }

    #[test]
    fn folders_lie_below_the_root_and_lr_images_need_a_scale() {
        let facts = Dataset::Set5.facts();
        let sources = facts.sources(Path::new("data"), Some(4));
        assert_eq!(sources[0].hr, Path::new("data/Set5/HR"));
        assert_eq!(
            sources[0].lr.as_deref(),
            Some(Path::new("data/Set5/LR_bicubic/X4"))
        );
        assert_eq!(facts.sources(Path::new("data"), None)[0].lr, None);
        assert_eq!(
            Dataset::Bsd500
                .facts()
                .sources(Path::new(""), Some(2))
                .len(),
            2
        );
    }

    #[test]
    fn a_part_of_a_folder_is_told_by_names() {
        let facts = Dataset::Div2kVal.facts();
        assert!(facts.has("0801.png") && facts.has("0810x4.png"));
        assert!(!facts.has("0811.png") && !facts.has("0811x4.png") && !facts.has("x4.png"));
        assert!(Dataset::Div2k.facts().has("anything.png"));
    }
}
