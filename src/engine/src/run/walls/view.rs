//! What a command sees of the project and the cache.
//! Unaware of how the rest is kept from it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What is hidden, and what of it is seen all the same. Paths are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Folders of which nothing is seen but what is shown, by their real paths; none lies in another.
    pub hidden: Vec<PathBuf>,
    /// Links that lead from one to the other: where, and to what.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Folders that are there, whether anything in them is shown or not: working folders.
    pub folders: Vec<PathBuf>,
    /// What is shown, folders before what lies in them.
    pub shown: Vec<Shown>,
}

/// A file or folder that is seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    /// Where it is seen.
    pub at: PathBuf,
    /// Where it lies.
    pub from: PathBuf,
    /// Whether it may be written.
    pub is_writable: bool,
}

impl Shown {
    /// What is read where it lies.
    pub fn in_place(path: PathBuf) -> Self {
        Self {
            at: path.clone(),
            from: path,
            is_writable: false,
        }
    }

    /// What is read of `from` by the path `at`.
    pub fn instead(at: PathBuf, from: PathBuf) -> Self {
        Self {
            at,
            from,
            is_writable: false,
        }
    }

    /// What is read and written where it lies.
    pub fn writable(path: PathBuf) -> Self {
        Self {
            is_writable: true,
            ..Self::in_place(path)
        }
    }

    /// Whether it comes with `outer` anyway.
    fn comes_with(&self, outer: &Self) -> bool {
        let in_place = |shown: &Self| shown.at == shown.from && !shown.is_writable;
        in_place(self) && in_place(outer) && self.at.starts_with(&outer.at)
    }
}

impl View {
    /// Folders come before what lies in them, and nothing comes twice.
    #[must_use]
    pub fn arrange(mut self) -> Self {
        self.shown.sort();
        self.shown.dedup_by(|b, a| a.at == b.at);
        let mut arranged: Vec<Shown> = Vec::with_capacity(self.shown.len());
        let mut outer: Option<usize> = None;
        for shown in self.shown {
            if outer.is_some_and(|at| shown.comes_with(&arranged[at])) {
                continue;
            }
            if !shown.is_writable {
                outer = Some(arranged.len());
            }
            arranged.push(shown);
        }
        self.shown = arranged;
        self
    }

    /// For another process: fields that end with a zero byte, which no path holds.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let mut put = |text: &OsStr| {
            into.extend_from_slice(text.as_bytes());
            into.push(0);
        };
        let counts = [
            self.hidden.len(),
            self.links.len(),
            self.folders.len(),
            self.shown.len(),
        ];
        for count in counts {
            put(OsStr::new(&count.to_string()));
        }
        self.hidden.iter().for_each(|path| put(path.as_os_str()));
        for (at, to) in &self.links {
            put(at.as_os_str());
            put(to.as_os_str());
        }
        self.folders.iter().for_each(|path| put(path.as_os_str()));
        for shown in &self.shown {
            put(shown.at.as_os_str());
            put(shown.from.as_os_str());
            put(OsStr::new(if shown.is_writable { "w" } else { "r" }));
        }
    }

    /// What was encoded; `None` where it is something else.
    pub fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let (hidden, links) = (fields.count()?, fields.count()?);
        let (folders, shown) = (fields.count()?, fields.count()?);
        let mut view = Self::default();
        for _ in 0..hidden {
            view.hidden.push(fields.path()?);
        }
        for _ in 0..links {
            view.links.push((fields.path()?, fields.path()?));
        }
        for _ in 0..folders {
            view.folders.push(fields.path()?);
        }
        for _ in 0..shown {
            view.shown.push(Shown {
                at: fields.path()?,
                from: fields.path()?,
                is_writable: fields.text()? == "w",
            });
        }
        Some(view)
    }
}

/// The fields of an encoded message, one after the other.
pub struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    /// The next one.
    pub fn text(&mut self) -> Option<OsString> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let (field, rest) = (&self.0[..end], &self.0[end + 1..]);
        self.0 = rest;
        Some(OsString::from_vec(field.to_vec()))
    }

    fn path(&mut self) -> Option<PathBuf> {
        self.text().map(PathBuf::from)
    }

    /// The next one, a number.
    pub fn count(&mut self) -> Option<usize> {
        self.text()?.to_str()?.parse().ok()
    }
}

/// The real path of a folder, or the path itself where it is not there.
pub fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_comes_once_and_folders_come_first() {
        let shown = ["/p/b/c", "/p/a", "/p/b", "/p/a"].map(|p| Shown::in_place(p.into()));
        let view = View {
            shown: shown
                .into_iter()
                .chain([Shown::writable("/p/b/w".into())])
                .collect(),
            hidden: vec!["/p".into()],
            links: vec![("/p/cache".into(), "/elsewhere".into())],
            folders: vec!["/p/here".into()],
        };
        let view = view.arrange();
        let at = |shown: &Shown| shown.at.display().to_string();
        let all: Vec<String> = view.shown.iter().map(at).collect();
        assert_eq!(all, ["/p/a", "/p/b", "/p/b/w"]);
        let mut bytes = Vec::new();
        view.encode(&mut bytes);
        assert_eq!(View::decode(&mut Fields(&bytes)), Some(view));
        assert_eq!(View::decode(&mut Fields(&bytes[..bytes.len() - 1])), None);
    }
}
