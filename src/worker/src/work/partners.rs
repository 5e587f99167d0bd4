//! Finds the LR image of each HR image by name: the exact name, a template, or the names of the common releases.
//! Unaware of pixels and of which images are wanted.
//!
//! ```text
//!   a template? ── yes ──> its name, and no other
//!   no ──> the first rule by which every HR image has a partner; the exact name is the first rule
//!          none? ──> image by image: the exact name, else the only usual one
//! ```
//!
//! What leaves a choice is an error that names both: two files of one name, two rules that both serve every image, an LR
//! image that two HR images ask for. docs/images.md lists the rules.

use std::collections::BTreeMap;
use std::path::Path;

use ::files::Name;
use pixels::ImageFile;

use super::WorkError;

/// The end that is taken from the HR image's name, and what stands there in the LR image's; `#` is the scale.
const USUAL: &[(&str, &str)] = &[
    ("", ""),
    ("", "x#"),
    ("", "_x#"),
    ("", "X#"),
    ("", "_X#"),
    ("", "_LR"),
    ("", "_lr"),
    ("", "_LRx#"),
    ("", "_LR_x#"),
    ("", "_bicLRx#"),
    ("", "_LRBI_x#"),
    ("", "_SRF_#_LR"),
    ("", "_SRF_#"),
    ("_HR", "_LR"),
    ("_HR", "_LR#"),
    ("_HR", "_LRx#"),
    ("_hr", "_lr"),
    ("_x1", "_x#"),
    ("", "x#m"),
    ("", "x#d"),
    ("", "x#w"),
];

/// The LR images of a folder by their names without endings.
pub(super) struct LrImages {
    by_stem: BTreeMap<String, Vec<ImageFile>>,
    shown: String,
    scale: u32,
    template: Option<String>,
}

impl LrImages {
    /// The images of the folder `shown`.
    pub fn new(files: Vec<ImageFile>, shown: String, scale: u32, template: Option<&str>) -> Self {
        let mut by_stem: BTreeMap<String, Vec<ImageFile>> = BTreeMap::new();
        for file in files {
            by_stem
                .entry(file.stem().to_owned())
                .or_default()
                .push(file);
        }
        Self {
            by_stem,
            shown,
            scale,
            template: template.map(str::to_owned),
        }
    }

    /// The partner of each HR image, in the same order.
    pub fn partners(&self, images: &[&ImageFile]) -> Result<Vec<&ImageFile>, WorkError> {
        let stems: Vec<Option<String>> = match self.rule(images)? {
            Some(names) => names,
            None => images
                .iter()
                .map(|hr| self.alone(hr).map(Some))
                .collect::<Result<_, _>>()?,
        };
        let mut claimed: BTreeMap<String, &ImageFile> = BTreeMap::new();
        let mut partners = Vec::new();
        for (hr, stem) in images.iter().zip(stems) {
            let stem = stem.unwrap_or_default();
            partners.push(self.one(&stem)?.ok_or_else(|| self.missing(hr))?);
            if let Some(other) = claimed.insert(stem, hr) {
                let lr = partners.last().map_or("", |file| file.name.as_str());
                return Err(WorkError::new(
                    format!(
                        "the LR image `{lr}` in `{}` would serve both `{}` and `{}`",
                        self.shown, other.name, hr.name
                    ),
                    "rename one of the three, or say how LR images are named: `names: \"{}x4\"`",
                ));
            }
        }
        Ok(partners)
    }

    /// The names of all partners by the rule that serves every image, if there is one.
    fn rule(&self, images: &[&ImageFile]) -> Result<Option<Vec<Option<String>>>, WorkError> {
        if self.template.is_some() {
            return Ok(Some(images.iter().map(|hr| self.by_template(hr)).collect()));
        }
        let all = |rule: &(&str, &str)| -> Option<Vec<Option<String>>> {
            let name = |hr: &&ImageFile| self.named(hr, *rule).filter(|n| self.has(n)).map(Some);
            images.iter().map(name).collect()
        };
        let mut serving = USUAL.iter().filter_map(all);
        let Some(first) = serving.next() else {
            return Ok(None);
        };
        let exact = images
            .iter()
            .zip(&first)
            .all(|(hr, name)| Some(hr.stem()) == name.as_deref());
        match serving.next() {
            Some(second) if !exact => {
                let [a, b] = [&first, &second].map(|names| names[0].clone().unwrap_or_default());
                Err(self.two_names(images[0], &a, &b))
            }
            _ => Ok(Some(first)),
        }
    }

    /// The name of the only partner that an image has, whatever those of the others are called.
    fn alone(&self, hr: &ImageFile) -> Result<String, WorkError> {
        let names = USUAL.iter().filter_map(|rule| self.named(hr, *rule));
        let mut there = names.filter(|name| self.has(name));
        let first = there.next().ok_or_else(|| self.missing(hr))?;
        match there.next() {
            Some(second) if first != hr.stem() => Err(self.two_names(hr, &first, &second)),
            _ => Ok(first),
        }
    }

    fn has(&self, stem: &str) -> bool {
        self.by_stem.contains_key(stem)
    }

    fn named(&self, hr: &ImageFile, (from, to): (&str, &str)) -> Option<String> {
        let base = hr.stem().strip_suffix(from)?;
        Some(format!(
            "{base}{}",
            to.replace('#', &self.scale.to_string())
        ))
    }

    fn by_template(&self, hr: &ImageFile) -> Option<String> {
        let (folder, name) = match hr.stem().rsplit_once('/') {
            Some((folder, name)) => (format!("{folder}/"), name),
            None => (String::new(), hr.stem()),
        };
        let template = self.template.as_ref()?;
        Some(format!("{folder}{}", template.replace("{}", name)))
    }

    /// The file of this name, unless there are two.
    fn one(&self, stem: &str) -> Result<Option<&ImageFile>, WorkError> {
        match self.by_stem.get(stem).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([file]) => Ok(Some(file)),
            Some([a, b, ..]) => Err(WorkError::new(
                format!(
                    "`{}` holds both `{}` and `{}`",
                    self.shown,
                    Name(Path::new(&a.name)),
                    Name(Path::new(&b.name))
                ),
                "remove one: LR images are found by the name without ending",
            )),
        }
    }

    fn two_names(&self, hr: &ImageFile, a: &str, b: &str) -> WorkError {
        let file = |stem: &str| self.by_stem[stem][0].name.clone();
        let (a, b) = (file(a), file(b));
        WorkError::new(
            format!(
                "`{}` holds two LR images for `{}`: `{a}` and `{b}`",
                self.shown, hr.name
            ),
            "say how they are named, as in `names: \"{}x4\"`, or remove one",
        )
    }

    fn missing(&self, hr: &ImageFile) -> WorkError {
        let message = format!(
            "there is no LR image for `{}` in `{}`",
            Name(Path::new(&hr.name)),
            self.shown
        );
        let expected = match self.by_template(hr) {
            Some(name) => format!("by `names` it is called `{name}.png`"),
            None => format!(
                "it is called `{0}.png`, `{0}x{1}.png` or another usual name; or say how: `names: \"{{}}_small\"`",
                hr.stem(),
                self.scale
            ),
        };
        WorkError::new(message, expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<ImageFile> {
        let file = |name: &&str| ImageFile {
            path: name.into(),
            name: (*name).into(),
        };
        names.iter().map(file).collect()
    }

    fn pairs(hr: &[&str], lr: &[&str], template: Option<&str>) -> Result<Vec<String>, String> {
        let lr = LrImages::new(files(lr), "lr".into(), 4, template);
        let hr = files(hr);
        let hr: Vec<&ImageFile> = hr.iter().collect();
        let partners = lr.partners(&hr).map_err(|e| e.to_string())?;
        Ok(partners.into_iter().map(|file| file.name.clone()).collect())
    }

    #[test]
    fn exact_names_win() {
        let both = ["house.png", "housex4.png"];
        assert_eq!(pairs(&both, &both, None).unwrap(), both);
        assert_eq!(pairs(&["house.png"], &both, None).unwrap(), ["house.png"]);
    }

    #[test]
    fn one_rule_serves_a_whole_folder() {
        let hr = ["house.png", "housex4.png"];
        let lr = ["housex4.png", "housex4x4.png"];
        assert_eq!(pairs(&hr, &lr, None).unwrap(), lr);
        for lr in [
            "baby_x4.png",
            "babyX4.bmp",
            "baby_bicLRx4.png",
            "baby_SRF_4_LR.png",
            "baby_LR.png",
            "baby_LRBI_x4.png",
            "babyx4m.png",
        ] {
            assert_eq!(
                pairs(&["baby.png"], &[lr, "other.png"], None).unwrap(),
                [lr]
            );
        }
        for (hr, lr) in [
            ("img_001_SRF_4_HR.png", "img_001_SRF_4_LR.png"),
            ("Canon_001_HR.png", "Canon_001_LR4.png"),
            ("sony_1_x1.png", "sony_1_x4.png"),
            ("a/b.png", "a/bx4.png"),
        ] {
            assert_eq!(pairs(&[hr], &[lr], None).unwrap(), [lr]);
        }
    }

    #[test]
    fn names_of_several_kinds_are_found_image_by_image() {
        let pairs = pairs(&["a.png", "b.png"], &["ax4.png", "b.png"], None);
        assert_eq!(pairs.unwrap(), ["ax4.png", "b.png"]);
    }

    #[test]
    fn what_leaves_a_choice_names_both() {
        let error = |hr: &[&str], lr: &[&str]| pairs(hr, lr, None).unwrap_err();
        let two = error(&["a.png"], &["a.jpg", "a.jpeg"]);
        assert!(two.contains("both `a.jpg` and `a.jpeg`"), "{two}");
        let two = error(&["a.png"], &["ax4.png", "a_LR.png"]);
        assert!(two.contains("`ax4.png` and `a_LR.png`"), "{two}");
        let two = error(&["a.png", "b.png"], &["ax4.png", "a_LR.png", "b.png"]);
        assert!(two.contains("`ax4.png` and `a_LR.png`"), "{two}");
        let shared = error(&["house.png", "housex4.png"], &["housex4.png"]);
        assert!(
            shared.contains("both `house.png` and `housex4.png`"),
            "{shared}"
        );
        let none = error(&["a.png"], &["b.png"]);
        assert!(none.contains("no LR image for `a.png` in `lr`"), "{none}");
    }

    #[test]
    fn a_template_is_the_only_name() {
        let lr = ["ax4.png", "a_small.png"];
        let template = Some("{}_small");
        assert_eq!(pairs(&["a.png"], &lr, template).unwrap(), ["a_small.png"]);
        assert_eq!(
            pairs(&["s/a.png"], &["s/a_small.png"], template).unwrap(),
            ["s/a_small.png"]
        );
        assert!(
            pairs(&["a.png"], &["ax4.png"], template)
                .unwrap_err()
                .contains("`a.png`")
        );
    }
}
