//! What a file of weights was recognised as, and what readers of names and shapes share.
//! Unaware of which networks there are.

use tch::Device;
use tch::nn::{Path, VarStore};

use crate::nn::backbone::Backbone;
use crate::nn::cat;
use crate::nn::checkpoint::entry::{self, Shapes};

/// What a file's tensors seem to be the weights of.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// What stands before its names.
    pub prefix: String,
    /// The network and its scale, for people: `IMDN ×4`.
    pub title: String,
    /// What a pipeline file says to have exactly these names and shapes: `backbone: {…}`, or `model: …` of SAM.
    pub fits: Option<String>,
    /// What shows in no weight, or why no configuration has these.
    pub remark: String,
    /// What it expects of its input.
    pub input: &'static str,
    /// The names and shapes of that configuration.
    pub shapes: Shapes,
}

impl Recognised {
    /// As a hint goes on after "this looks like".
    pub fn text(&self) -> String {
        let mut text = self.title.clone();
        if let Some(fits) = &self.fits {
            text += &format!(": `{fits}` has its names and shapes");
        }
        if !self.remark.is_empty() {
            let joint = if self.fits.is_some() { "; " } else { ": " };
            text += &format!("{joint}{}", self.remark);
        }
        text
    }
}

/// What makes a network of some size at a path.
pub(super) type Build<'a> = &'a dyn Fn(&Path<'_>) -> Backbone;

pub(super) fn size(found: &Shapes, name: &str, dimension: usize) -> Option<i64> {
    found.get(name)?.get(dimension).copied()
}

/// How many of `name(0)`, `name(1)`, … are there.
pub(super) fn count(found: &Shapes, name: impl Fn(usize) -> String) -> usize {
    (0..1000)
        .take_while(|i| found.contains_key(&name(*i)))
        .count()
}

/// The field, unless it is the published network's.
pub(super) fn unless<T: PartialEq + std::fmt::Debug>(
    name: &str,
    value: &T,
    published: &T,
) -> String {
    if value == published {
        String::new()
    } else {
        format!(", {name}: {value:?}")
    }
}

pub(super) fn all_numbers(found: &Shapes) -> i64 {
    let numbers = |shape: &Vec<i64>| shape.iter().fold(1_i64, |n, side| n.saturating_mul(*side));
    found.values().map(numbers).fold(0, i64::saturating_add)
}

/// RGB in [0, 1], as every backbone here takes it.
const UNIT_RGB: &str = "RGB, 0 to 1";

impl Recognised {
    pub(super) fn unknown(title: &str, remark: String) -> Self {
        Self {
            prefix: String::new(),
            title: title.to_owned(),
            fits: None,
            remark,
            input: UNIT_RGB,
            shapes: Shapes::new(),
        }
    }

    /// With the configuration, if it is one that a pipeline file can say and has the file's names and shapes.
    pub(super) fn checked(
        title: &str,
        yaml: &str,
        build: Option<Build<'_>>,
        found: &Shapes,
        remark: String,
    ) -> Self {
        let Some(build) = build else {
            let remark = format!("`{{{yaml}}}` is a size that this program does not have");
            return Self::unknown(title, remark);
        };
        let store = VarStore::new(Device::Cpu);
        let _net = build(&store.root());
        let own = entry::shapes(&store);
        Self::compared(title, format!("backbone: {{{yaml}}}"), own, found, remark)
    }

    /// With what a pipeline file says, if the names and shapes of that are the file's.
    pub(super) fn compared(
        title: &str,
        says: String,
        own: Shapes,
        found: &Shapes,
        remark: String,
    ) -> Self {
        match differences(&own, found) {
            0 => Self {
                fits: Some(says),
                shapes: own,
                ..Self::unknown(title, remark)
            },
            n => {
                let remark = format!("but {n} of its names or shapes differ from `{says}`");
                Self::unknown(title, remark)
            }
        }
    }
}

/// Names and shapes that only one of both has, without masks that are stored beside weights.
fn differences(own: &Shapes, found: &Shapes) -> usize {
    let lacking = own
        .iter()
        .filter(|(name, shape)| found.get(*name) != Some(shape));
    let unknown = found
        .keys()
        .filter(|name| !own.contains_key(*name) && !cat::is_buffer(name));
    lacking.count() + unknown.count()
}
