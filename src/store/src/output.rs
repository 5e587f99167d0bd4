//! One output of a stage: a file, a program, a link that stays inside, or an empty folder; and how a record writes it.
//! Unaware of where outputs lie, and of what is in them.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// One thing that a stage left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Output {
    /// The path in the folder of outputs, with `/` between folders.
    pub path: String,
    /// Bytes; of a link those of the path that it holds, of a folder none.
    pub size: u64,
    /// The digest of these bytes.
    pub digest: Digest,
    /// What it is.
    pub kind: OutputKind,
}

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind<T = String> {
    /// A regular file.
    File,
    /// A regular file that its owner may run.
    Executable,
    /// A link to this relative path, which leads to something in the same folder of outputs.
    Link(T),
    /// A folder with nothing in it.
    Folder,
}

impl<T> OutputKind<T> {
    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File | Self::Executable)
    }

    /// What tells it from a file in a content digest and in the index.
    pub(crate) fn mark(&self) -> u8 {
        match self {
            Self::File => 0,
            Self::Executable => 1,
            Self::Link(_) => 2,
            Self::Folder => 3,
        }
    }
}

impl OutputKind {
    pub(crate) fn as_deref(&self) -> OutputKind<&str> {
        match self {
            Self::File => OutputKind::File,
            Self::Executable => OutputKind::Executable,
            Self::Link(to) => OutputKind::Link(to),
            Self::Folder => OutputKind::Folder,
        }
    }
}

impl OutputKind<&str> {
    pub(crate) fn to_owned(self) -> OutputKind {
        match self {
            Self::File => OutputKind::File,
            Self::Executable => OutputKind::Executable,
            Self::Link(to) => OutputKind::Link(to.to_owned()),
            Self::Folder => OutputKind::Folder,
        }
    }

    /// Whether what lies at `path` is of this kind; of a link also where it leads.
    pub(crate) fn fits(self, path: &Path, meta: &Metadata) -> bool {
        match self {
            Self::File => meta.is_file(),
            Self::Executable => meta.is_file() && is_program(meta),
            Self::Link(to) => {
                meta.is_symlink() && fs::read_link(path).is_ok_and(|found| found == Path::new(to))
            }
            Self::Folder => meta.is_dir(),
        }
    }
}

/// Whether its owner may run a file.
pub(crate) fn is_program(meta: &Metadata) -> bool {
    meta.mode() & 0o100 != 0
}

impl Output {
    /// A link at `path` to `to`.
    pub(crate) fn link(path: String, to: String) -> Self {
        Self {
            path,
            size: to.len() as u64,
            digest: Digest::of(to.as_bytes()),
            kind: OutputKind::Link(to),
        }
    }

    /// An empty folder at `path`.
    pub(crate) fn folder(path: String) -> Self {
        Self {
            path,
            size: 0,
            digest: Digest::of(b""),
            kind: OutputKind::Folder,
        }
    }
}

/// An output in a record. Of a link there is `link` alone, of an empty folder `folder` alone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(default, skip_serializing_if = "is_false")]
    executable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    folder: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(is: &bool) -> bool {
    !is
}

impl From<Output> for Written {
    fn from(output: Output) -> Self {
        let is_file = output.kind.is_file();
        Self {
            path: output.path,
            size: is_file.then_some(output.size),
            digest: is_file.then_some(output.digest),
            executable: output.kind == OutputKind::Executable,
            folder: output.kind == OutputKind::Folder,
            link: match output.kind {
                OutputKind::Link(to) => Some(to),
                _ => None,
            },
        }
    }
}

impl TryFrom<Written> for Output {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written {
            path,
            size,
            digest,
            executable,
            link,
            folder,
        } = written;
        let kind = if executable {
            OutputKind::Executable
        } else {
            OutputKind::File
        };
        match (size.zip(digest), link, folder) {
            (Some((size, digest)), None, false) => Ok(Self {
                path,
                size,
                digest,
                kind,
            }),
            (None, Some(to), false) if size.is_none() && digest.is_none() && !executable => {
                Ok(Self::link(path, to))
            }
            (None, None, true) if size.is_none() && digest.is_none() && !executable => {
                Ok(Self::folder(path))
            }
            _ => Err("an output is a file, a link or an empty folder, and one of these alone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_written_as_the_page_on_the_format_says() {
        let file = Output {
            path: "a".to_owned(),
            size: 1,
            digest: Digest::of(b"a"),
            kind: OutputKind::File,
        };
        let program = Output {
            kind: OutputKind::Executable,
            ..file.clone()
        };
        let digest = file.digest;
        let cases = [
            (
                file,
                format!(r#"{{"path":"a","size":1,"digest":"{digest}"}}"#),
            ),
            (
                program,
                format!(r#"{{"path":"a","size":1,"digest":"{digest}","executable":true}}"#),
            ),
            (
                Output::link("a/l".to_owned(), "b".to_owned()),
                r#"{"path":"a/l","link":"b"}"#.to_owned(),
            ),
            (
                Output::folder("e".to_owned()),
                r#"{"path":"e","folder":true}"#.to_owned(),
            ),
        ];
        for (output, text) in cases {
            assert_eq!(serde_json::to_string(&output).unwrap(), text);
            assert_eq!(serde_json::from_str::<Output>(&text).unwrap(), output);
        }
    }

    #[test]
    fn what_is_two_things_or_none_is_refused() {
        let digest = Digest::of(b"a");
        for text in [
            r#"{"path":"a"}"#.to_owned(),
            r#"{"path":"a","size":1}"#.to_owned(),
            r#"{"path":"a","link":"b","folder":true}"#.to_owned(),
            r#"{"path":"a","link":"b","executable":true}"#.to_owned(),
            r#"{"path":"a","folder":true,"size":0}"#.to_owned(),
            r#"{"path":"a","folder":false}"#.to_owned(),
            format!(r#"{{"path":"a","size":1,"digest":"{digest}","link":"b"}}"#),
            format!(r#"{{"path":"a","size":1,"digest":"{digest}","folder":true}}"#),
        ] {
            assert!(serde_json::from_str::<Output>(&text).is_err(), "{text}");
        }
    }
}
