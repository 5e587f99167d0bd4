//! An output as lists of many have it, borrowed, and the digest over such a list: the content of a result.
//! Unaware of records and of where such lists come from.

use crate::{Amount, Digest, Output, OutputKind};

/// An output as a list of outputs has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed<'a> {
    pub(crate) path: &'a str,
    pub(crate) size: u64,
    pub(crate) digest: Digest,
    pub(crate) kind: OutputKind<&'a str>,
}

impl Listed<'_> {
    pub(crate) fn to_owned(self) -> Output {
        Output {
            path: self.path.to_owned(),
            size: self.size,
            digest: self.digest,
            kind: self.kind.to_owned(),
        }
    }

    /// What it counts: an empty folder is no file.
    pub(crate) fn amount(&self) -> Amount {
        Amount {
            files: u64::from(self.kind != OutputKind::Folder),
            bytes: self.size,
        }
    }
}

impl<'a> From<&'a Output> for Listed<'a> {
    fn from(output: &'a Output) -> Self {
        Self {
            path: &output.path,
            size: output.size,
            digest: output.digest,
            kind: output.kind.as_deref(),
        }
    }
}

/// The content of a result of these plain files, each with its path, size and digest, in the order of their paths.
pub fn content_of_files<'a>(files: impl Iterator<Item = (&'a str, u64, Digest)>) -> Digest {
    content_of(files.map(|(path, size, digest)| Listed {
        path,
        size,
        digest,
        kind: OutputKind::File,
    }))
}

/// The digest over paths, sizes and digests of outputs, in the order given; what is no plain file has a mark in front.
pub(crate) fn content_of<'a>(outputs: impl Iterator<Item = Listed<'a>>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for listed in outputs {
        let Listed {
            path,
            size,
            digest,
            kind,
        } = listed;
        if kind != OutputKind::File {
            // No path is that long, so no list of files has the content of this one.
            hasher.update(&u64::MAX.to_le_bytes());
            hasher.update(&[kind.mark()]);
        }
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path.as_bytes());
        hasher.update(&size.to_le_bytes());
        hasher.update(digest.as_bytes());
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_paths_sizes_and_bytes_apart() {
        let listed = |path, size, bytes: &[u8]| Listed {
            path,
            size,
            digest: Digest::of(bytes),
            kind: OutputKind::File,
        };
        let one = |listed| content_of(std::iter::once(listed));
        let content = one(listed("a", 1, b"x"));
        assert_ne!(content, one(listed("b", 1, b"x")));
        assert_ne!(content, one(listed("a", 2, b"x")));
        assert_ne!(content, one(listed("a", 1, b"y")));
        assert_ne!(content, content_of(std::iter::empty()));
        for kind in [
            OutputKind::Executable,
            OutputKind::Link("x"),
            OutputKind::Folder,
        ] {
            let other = Listed {
                kind,
                ..listed("a", 1, b"x")
            };
            assert_ne!(content, one(other), "{kind:?}");
        }
    }
}
