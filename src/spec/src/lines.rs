//! What determines a stage's result, a line each: a path, a value, and what else that line determines.
//! Unaware of hashes and of what is done with the lines: the planner makes keys of them.
//!
//! ```text
//!   a kind's file ── put(tag, path, value) ──> Lines ── text ──> manifest, its hash is the key
//!                                                   └─ tags ──> which lines two stages must share to share more:
//!                                                               a warm start (all but `Stop`), a start-up (`StartUp`)
//! ```
//!
//! A tag is given where the line is written and nowhere else, so that a new line cannot be forgotten in a list.

use std::collections::BTreeMap;
use std::fmt::Display;

/// What a line determines besides the result, which every line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Nothing else.
    Result,
    /// When a training stops and which of its weights are handed on. Trainings that differ in such lines only take the
    /// same way: the longer one may begin where the shorter one ended.
    Stop,
    /// An expensive start: stages of which all such lines are equal need it once when they run together.
    StartUp,
}

/// The lines of one stage, in order of their paths.
#[derive(Debug)]
pub struct Lines {
    lines: BTreeMap<String, (Tag, String)>,
    digest: fn(&[u8]) -> String,
}

impl Lines {
    /// No lines. `digest` stands for values that must not be read back from a manifest.
    pub const fn new(digest: fn(&[u8]) -> String) -> Self {
        Self {
            lines: BTreeMap::new(),
            digest,
        }
    }

    /// Writes a line; the value is what its type displays.
    pub fn put(&mut self, tag: Tag, path: &str, value: impl Display) {
        let mut text = value.to_string();
        if text.contains(['\\', '\t', '\n']) {
            text = text
                .replace('\\', "\\\\")
                .replace('\t', "\\t")
                .replace('\n', "\\n");
        }
        self.lines.insert(escaped(path), (tag, text));
    }

    /// Writes a line where there is a value. A field that was added later has none while it has its default, so that
    /// earlier results keep their keys.
    pub fn option(&mut self, tag: Tag, path: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.put(tag, path, value);
        }
    }

    /// Writes the digest of a value.
    pub fn digest(&mut self, tag: Tag, path: &str, value: &str) {
        let digest = (self.digest)(value.as_bytes());
        self.put(tag, path, digest);
    }

    /// Writes the line of a file. A path that is there already, because two of the folders that a stage joins hold files
    /// of one name, is told apart by `twin` behind it.
    pub fn file(&mut self, tag: Tag, path: &str, digest: impl Display, twin: &str) {
        let mut line = escaped(path);
        while self.lines.contains_key(&line) {
            line.push_str(twin);
        }
        self.lines.insert(line, (tag, digest.to_string()));
    }

    /// The text of the manifest and the tag of each of its lines. `first` is the first line, which determines the result.
    pub fn into_text(self, first: &str) -> (String, Box<[Tag]>) {
        let size = |(path, (_, value)): (&String, &(Tag, String))| path.len() + value.len() + 2;
        let size = first.len() + 1 + self.lines.iter().map(size).sum::<usize>();
        let mut text = String::with_capacity(size);
        text.push_str(first);
        text.push('\n');
        let mut tags = Vec::with_capacity(self.lines.len() + 1);
        tags.push(Tag::Result);
        for (path, (tag, value)) in self.lines {
            tags.push(tag);
            for part in [path.as_str(), "\t", &value, "\n"] {
                text.push_str(part);
            }
        }
        (text, tags.into_boxed_slice())
    }
}

/// A path with one spelling in one line, whatever a file is called: no two names give the same. NUL, which no name holds,
/// marks a byte that is not UTF-8.
fn escaped(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\0' => text.push_str("\\x"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_the_text_has_its_tag() {
        let mut lines = Lines::new(|bytes| format!("<{}>", bytes.len()));
        lines.put(Tag::Stop, "config.b", "two\nlines");
        lines.option(Tag::Result, "config.c", None::<u32>);
        lines.digest(Tag::StartUp, "config.a", "word");
        lines.file(Tag::Result, "outside.f/x", 1, "+");
        lines.file(Tag::Result, "outside.f/x", 2, "+");
        let (text, tags) = lines.into_text("stage toy 1");
        let expected =
            "stage toy 1\nconfig.a\t<4>\nconfig.b\ttwo\\nlines\noutside.f/x\t1\noutside.f/x+\t2\n";
        assert_eq!(text, expected);
        let expected = [
            Tag::Result,
            Tag::StartUp,
            Tag::Stop,
            Tag::Result,
            Tag::Result,
        ];
        assert_eq!(*tags, expected);
    }
}
