//! Command lines that are printed: the words that do what is said, for the shell that the program was called from.
//! Unaware of what the commands do.
//!
//! ```text
//!   VARIABLES of the file and of the program ── the program as it was called ── COMMAND FILE STAGES ── options
//! ```

use std::path::Path;

use diagnostics::shown;
use spec::Limits;

use crate::run::walls;
use crate::session::{Options, Session};
use crate::{execute, keep_decoded, root, worker};

/// Variables that the program itself reads and that change what a command does.
const OWN: [&str; 11] = [
    worker::VARIABLE,
    Limits::VARIABLE,
    root::VARIABLE,
    keep_decoded::VARIABLE,
    execute::STATES_VARIABLE,
    walls::VARIABLE,
    "PIPELINE_KERNELS",
    "PIPELINE_MAX_MEMORY",
    "PIPELINE_MAX_PIXELS",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
];

impl Session {
    /// `run FILE STAGES…` (or another command that takes the file first) with everything that this session was asked for
    /// beside stages, and the variables that it was read with.
    pub fn command(&self, word: &str, stages: &[String]) -> String {
        let mut words = vec![word.to_owned(), no_option(&self.options.file)];
        words.extend_from_slice(stages);
        self.command_of(&words)
    }

    /// The same for words of any command that takes such options.
    pub fn command_of(&self, words: &[String]) -> String {
        let own_words = self.options.words();
        let words = words.iter().chain(&own_words);
        let own = OWN
            .into_iter()
            .filter_map(|name| assignment(name, spec::is_sensitive(name)));
        let mut line: Vec<String> = self.variables().chain(own).collect();
        line.push(quoted(&self.options.program));
        line.extend(words.map(|word| quoted(word)));
        line.join(" ")
    }

    /// Assignments of the variables that the file reads and that are set.
    pub fn variables(&self) -> impl Iterator<Item = String> {
        self.pipeline
            .env_used
            .keys()
            .filter_map(|name| assignment(name, self.pipeline.is_secret(name)))
    }
}

impl Options {
    /// The options as they are typed, without stages and what was forced.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.device != worker::DeviceChoice::default() {
            words.extend(["--device".to_owned(), self.device.to_string()]);
        }
        for text in &self.overrides {
            words.extend(["--set".to_owned(), text.clone()]);
        }
        if self.keep_consumers {
            words.push("--keep-consumers".to_owned());
        }
        if let Some(root) = &self.root {
            words.extend(["--root".to_owned(), shown(root)]);
        }
        words
    }
}

/// `NAME=value` of a variable that is set; the value of one that looks secret is taken from the shell again.
fn assignment(name: &str, is_secret: bool) -> Option<String> {
    let value = std::env::var(name).ok()?;
    Some(if is_secret {
        format!("{name}=\"${name}\"")
    } else {
        format!("{name}={}", quoted(&value))
    })
}

/// A file as a word that is no option, whatever its name begins with.
fn no_option(file: &Path) -> String {
    let name = shown(file);
    if name.starts_with('-') {
        format!("./{name}")
    } else {
        name
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A word of a command line, in one line, and in quotes where a shell would see more than a word in it.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    if is_hidden(text) {
        return format!("$'{}'", text.chars().map(escaped).collect::<String>());
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Whether a terminal would not show the text in one line as it is.
fn is_hidden(text: &str) -> bool {
    shown::line(text) != text
}

/// A character between `$'` and `'` of bash and zsh.
fn escaped(c: char) -> String {
    match c {
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        '\'' | '\\' => format!("\\{c}"),
        _ if !is_hidden(&c.to_string()) => c.to_string(),
        _ if c.is_ascii() => format!("\\x{:02x}", u32::from(c)),
        _ => format!("\\U{:08x}", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        assert_eq!(quoted("--set"), "--set");
        assert_eq!(quoted("tuned[alpha=0.5]"), "'tuned[alpha=0.5]'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(
            quoted("a\nit's\t\u{1b}\u{202e}é\\"),
            "$'a\\nit\\'s\\t\\x1b\\U0000202eé\\\\'"
        );
    }
}
