//! What is not read of a folder of images or masks, as counts and as a sentence.
//! Unaware of how folders are gone through.

use std::collections::BTreeMap;
use std::path::Path;

/// What a stage does not read of a folder, counted by the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Files that would be read if they did not lie in sub-folders.
    pub below: usize,
    /// Whether there are more than were counted.
    pub more_below: bool,
    /// Images whose names begin with a dot.
    pub hidden: usize,
    /// Files that end otherwise, by ending.
    pub others: BTreeMap<String, usize>,
    /// Images that are read although their names are not UTF-8, as they are called here.
    pub renamed: Vec<String>,
}

impl LeftOut {
    /// A sentence for people about the folder `shown`; nothing where everything is read.
    pub fn said(&self, shown: &Path) -> Option<String> {
        let others: usize = self.others.values().sum();
        let all = self.below + self.hidden + others;
        let mut text = Vec::new();
        if all > 0 {
            let (files, are) = if all == 1 && !self.more_below {
                ("file", "is")
            } else {
                ("files", "are")
            };
            let least = if self.more_below { "at least " } else { "" };
            text.push(format!(
                "{least}{all} {files} of `{}` {are} not read: {}",
                shown.display(),
                self.reasons().join(", ")
            ));
        }
        if let Some(first) = self.renamed.first() {
            let (names, are) = match self.renamed.len() {
                1 => ("1 name".to_owned(), "is"),
                n => (format!("{n} names"), "are"),
            };
            text.push(format!(
                "{names} in `{}` {are} not UTF-8; bytes are written as in `{first}`",
                shown.display()
            ));
        }
        (!text.is_empty()).then(|| text.join("; "))
    }

    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.below > 0 {
            reasons.push(format!(
                "{} in sub-folders (`recursive: true` reads them)",
                self.below
            ));
        }
        if self.hidden > 0 {
            reasons.push(format!("{} hidden", self.hidden));
        }
        let others = self.others.iter().map(|(ending, count)| {
            if ending.is_empty() {
                format!("{count} without an ending")
            } else {
                format!("{count} `.{ending}`")
            }
        });
        reasons.extend(others);
        reasons
    }

    pub(crate) fn other(&mut self, name: &str) {
        let ending = name
            .rsplit_once('.')
            .map_or("", |(_, ending)| ending)
            .to_ascii_lowercase();
        *self.others.entry(ending).or_default() += 1;
    }
}
