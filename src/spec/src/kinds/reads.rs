//! What a stage reads: other stages by name, and files by path. Each kind tells it once, to [`Reads`].
//! Unaware of whether the stages and the files are there.
//!
//! ```text
//!   kind.reads(&mut Reads) ─┬─ anchor: relative paths start in the folder of the file that they are written in
//!                           ├─ stages ── resolve ──> Edge (the role, the stage that fills it, its tag)
//!                           └─ files ── position ──> External (the role, the path, how it is listed, its tag)
//! ```

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use files::{Chosen, Ignored};

use crate::lines::Tag;
use diagnostics::Place;

/// What a reference to a stage may point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// A `prepare` stage.
    Images,
    /// A `mask` stage.
    Masks,
    /// A `pretrained` or `train` stage: a network without SPT units.
    Backbone,
    /// A `pretrained`, `train` or `tune` stage.
    Model,
    /// An `evaluate` stage.
    Evaluation,
    /// Any stage.
    Any,
}

impl Accepts {
    /// Whether a stage may stand there that serves as these.
    pub(crate) fn takes(self, served: &[Self]) -> bool {
        self == Self::Any || served.contains(&self)
    }

    /// What is expected, for messages.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Images => "a `prepare` stage",
            Self::Masks => "a `mask` stage",
            Self::Backbone => {
                "a `pretrained` or `train` stage (or a `tune` stage with `scheme: full`)"
            }
            Self::Model => "a `pretrained`, `train` or `tune` stage",
            Self::Evaluation => "an `evaluate` stage",
            Self::Any => "a stage",
        }
    }
}

/// A reference as it stands in a field: the field's path, the text, and what it may point at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRef {
    /// Dotted path within the kind, also the role of the input (`validate.images`).
    pub path: Cow<'static, str>,
    /// The reference as written.
    pub text: String,
    /// What it may point at.
    pub accepts: Accepts,
    /// Whether a swept stage may stand there for all of its members.
    pub many: bool,
    /// What the input determines besides the result.
    pub tag: Tag,
}

impl InputRef {
    /// Whether an edge of this role comes from this reference.
    pub fn fills(&self, role: &str) -> bool {
        match role.strip_prefix(&*self.path) {
            Some(rest) => rest.is_empty() || (self.many && rest.starts_with('.')),
            None => false,
        }
    }
}

/// Which files of an external path a stage reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listing {
    /// The images of a folder.
    Images {
        /// Those of its sub-folders too.
        recursive: bool,
        /// Only if the folder is there.
        optional: bool,
    },
    /// The masks of a folder and of those in it.
    Masks,
    /// The file itself; its name is empty.
    File,
    /// The file itself, or every file below the folder, or what a pattern fits.
    All(Selection),
}

/// What is read of a path that may be a folder or hold a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selection {
    /// The path as the file has it: what it begins with was put in front of it, and is a text.
    pub written: PathBuf,
    /// What is left out of folders, as lines of a `.gitignore`.
    pub ignore: Arc<[String]>,
}

impl Selection {
    /// What the path stands for as things are. Checks have looked at the lines.
    pub fn of(&self, path: &Path) -> Chosen {
        let ignored = Ignored::new(&self.ignore).unwrap_or_default();
        Chosen::new(path, &self.written, ignored)
    }
}

impl Listing {
    /// The images directly in a folder that must be there.
    pub const IMAGES: Self = Self::Images {
        recursive: false,
        optional: false,
    };

    /// Whether the files are images whose samples the stage reads.
    pub const fn decodes(&self) -> bool {
        match self {
            Self::Images { .. } | Self::Masks => true,
            Self::File | Self::All(_) => false,
        }
    }
}

/// A file or folder outside the cache that a stage reads.
#[derive(Clone, Debug, PartialEq)]
pub struct External {
    /// The field of the YAML that names it.
    pub field: &'static str,
    /// What manifests and messages to the worker call it: for a data set, what its folder holds.
    pub role: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Which files of it are read.
    pub listing: Listing,
    /// What its bytes determine besides the result.
    pub tag: Tag,
    /// Where the file names it.
    pub place: Place,
}

/// A [`External`] whose place is not yet known in words.
pub(crate) struct FileRef {
    /// The field of the YAML that names it.
    pub field: &'static str,
    pub role: &'static str,
    pub path: PathBuf,
    pub listing: Listing,
    pub tag: Tag,
}

/// Takes down what a stage reads. The order in which it is told is that of manifests and messages.
pub(crate) struct Reads<'a> {
    folder: &'a dyn Fn(&str) -> PathBuf,
    /// What inputs and files told from here on determine besides the result.
    tag: Tag,
    pub stages: Vec<InputRef>,
    pub files: Vec<FileRef>,
}

impl<'a> Reads<'a> {
    /// `folder` gives the folder of the file in which a field is written.
    pub const fn new(folder: &'a dyn Fn(&str) -> PathBuf) -> Self {
        Self {
            folder,
            tag: Tag::Result,
            stages: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Tells by `tell` what the start-up, or whatever the tag says, depends on.
    pub fn tagged(&mut self, tag: Tag, tell: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.tag, tag);
        tell(self);
        self.tag = outer;
    }

    /// The stage that a field names.
    pub fn stage(&mut self, field: &'static str, name: &str, accepts: Accepts) {
        self.push(field.into(), name, accepts, false);
    }

    /// The stage that a field names, where it names one.
    pub fn option(&mut self, field: &'static str, name: Option<&String>, accepts: Accepts) {
        if let Some(name) = name {
            self.stage(field, name, accepts);
        }
    }

    /// The stages of a list; a swept one stands for all of its members.
    pub fn list(&mut self, field: &str, names: &[String], accepts: Accepts) {
        for (n, name) in names.iter().enumerate() {
            self.push(format!("{field}.{n}").into(), name, accepts, true);
        }
    }

    /// A stage that a mapping names; a swept one stands for all of its members.
    pub fn entry(&mut self, field: &str, key: &str, name: &str, accepts: Accepts) {
        self.push(format!("{field}.{key}").into(), name, accepts, true);
    }

    fn push(&mut self, path: Cow<'static, str>, text: &str, accepts: Accepts, many: bool) {
        self.stages.push(InputRef {
            path,
            text: text.into(),
            accepts,
            many,
            tag: self.tag,
        });
    }

    /// The path of a field, which is made to start in the folder of the file that it is written in.
    pub fn anchor(&self, field: &str, path: &mut PathBuf) {
        *path = (self.folder)(field).join(&*path);
    }

    /// The file or folder that a field names; its path is anchored.
    pub fn file(&mut self, field: &'static str, path: &mut PathBuf, listing: Listing) {
        self.file_as(field, field, path, listing);
    }

    /// The same where its role in manifests has another name than the field.
    pub fn file_as(
        &mut self,
        field: &'static str,
        role: &'static str,
        path: &mut PathBuf,
        listing: Listing,
    ) {
        self.anchor(field, path);
        self.derived(field, role, path, listing);
    }

    /// A file or folder that follows from what a field says; its path starts where it should.
    pub fn derived(
        &mut self,
        field: &'static str,
        role: &'static str,
        path: &Path,
        listing: Listing,
    ) {
        self.files.push(FileRef {
            field,
            role,
            path: path.to_owned(),
            listing,
            tag: self.tag,
        });
    }
}
