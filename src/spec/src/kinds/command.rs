//! `command`: a program of the user's own, for what is not built in.
//! Unaware of how it is started; [`crate::command_layout`] says where its files and outputs lie.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use files::{Ignored, Pattern};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::reads::{Accepts, Listing, Reads, Selection};
use super::stage_kind::StageKind;
use crate::around::Around;
use crate::checker::Checker;
use crate::de::from_node;
use crate::error::{Problem, Problems};
use crate::labels::Labels;
use crate::lines::{Lines, Tag};
use crate::node::{Node, Value};

/// A program with declared inputs, outputs and environment.
///
/// It runs in a folder of its own in which the declared inputs stand at their paths, so `run: [python3, stats.py]`
/// reads and writes what it would beside the pipeline file. What is not declared is not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments; no shell is between. Words are texts as they are written: `007` stays `007`.
    #[serde(default)]
    pub run: Vec<String>,
    /// Instead of `run`: a text for `bash -euo pipefail -c`, or `{program: sh, script: …}` for another shell. `${NAME}`
    /// is read from the environment when the file is read; `$NAME` and `$${NAME}` are the shell's own.
    #[serde(default)]
    pub shell: Option<Shell>,
    /// Files and folders that it reads, relative to this file, such as its own script, or patterns: `data/*.csv`, `src/**`.
    /// Their bytes are in the key. A path that is there as it is written is no pattern; of folders and patterns what is
    /// called `__pycache__`, `.git` or `.DS_Store` is left out.
    #[serde(default)]
    pub files: Vec<PathBuf>,
    /// What else is left out of folders and patterns under `files:`, as lines of a `.gitignore` beside this file: `*.log`,
    /// `lib/build/`, `!.git`. It is neither in the key nor in the command's folder.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// Stages whose outputs it reads, each as a folder of this name beside this file. A swept stage stands for all of its
    /// members: each is a folder in that one, called by its values (`masks/alpha=0.5`).
    #[serde(default)]
    pub stages: BTreeMap<String, String>,
    /// Files and folders that it must leave, relative to this file, or patterns, each of which fits at least one. They are
    /// kept in the cache and put there.
    pub outputs: Vec<PathBuf>,
    /// How `files` and outputs of `stages` come into its folder: `copy`, or `link` for what is too large to be copied. A
    /// program that asks where a linked file lies is told its place in the project or the cache.
    #[serde(default)]
    pub inputs: Placing,
    /// Whether walls keep it from what it does not declare of the project and the cache: `auto`, as far as the system can,
    /// or `off`.
    #[serde(default)]
    pub sandbox: Sandbox,
    /// Environment variables. Beside these it gets `PATH`, `HOME` and `TMPDIR` alone. Their values are in the key and
    /// stored in clear text.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Environment variables that are handed through; digests of their values are in the key.
    #[serde(default)]
    pub pass_env: Vec<String>,
    /// Environment variables that are handed through and neither stored nor in the key; where the command prints one of
    /// at least 4 characters, its log has `***`. One that is not set is an error.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// What else is in the key: `program` is the BLAKE3 of the program's file, as `PATH` finds it.
    #[serde(default)]
    pub key: Option<KeyPart>,
}

impl Command {
    /// The program, as it is named.
    pub fn program(&self) -> &str {
        match &self.shell {
            Some(shell) => &shell.program,
            None => self.run.first().map_or("", String::as_str),
        }
    }

    /// Whether the program is one that an input stage makes, whose key stands for it.
    pub fn program_is_an_input(&self) -> bool {
        let program = crate::normal::normal(Path::new(self.program()));
        let mut folders = self.stages.keys();
        folders.any(|folder| program != Path::new(folder) && program.starts_with(folder))
    }
}

/// How inputs come into a command's folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placing {
    /// As files of its own, up to 64 MiB of them.
    #[default]
    Copy,
    /// As links.
    Link,
}

/// Whether a command is kept from what it does not declare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// As far as the system can.
    #[default]
    Auto,
    /// It may read and write all that you can.
    Off,
}

/// What a key holds beside what the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyPart {
    /// The digest of the program.
    Program,
}

/// A text for a shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shell {
    /// The shell.
    pub program: String,
    /// The text.
    pub script: String,
}

/// The longer form of [`Shell`] in YAML.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Other {
    program: String,
    script: String,
}

impl Shell {
    /// The options in front of the script. A pipe whose first command fails is a failure, where the shell can tell.
    pub fn options(&self) -> &'static [&'static str] {
        let name = Path::new(&self.program).file_name();
        match name.and_then(|n| n.to_str()).unwrap_or_default() {
            "bash" | "zsh" => &["-euo", "pipefail", "-c"],
            "sh" | "dash" | "ash" | "ksh" | "mksh" => &["-eu", "-c"],
            _ => &["-c"],
        }
    }
}

impl<'de> Deserialize<'de> for Shell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShellVisitor)
    }
}

struct ShellVisitor;

impl<'de> Visitor<'de> for ShellVisitor {
    type Value = Shell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or `{program: sh, script: text}`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Shell, E> {
        Ok(Shell {
            program: "bash".into(),
            script: text.into(),
        })
    }

    /// `true` and `false` are programs.
    fn visit_bool<E: de::Error>(self, text: bool) -> Result<Shell, E> {
        self.visit_str(if text { "true" } else { "false" })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shell, A::Error> {
        let Other { program, script } = Other::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Shell { program, script })
    }
}

impl JsonSchema for Shell {
    fn schema_name() -> Cow<'static, str> {
        "Shell".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text for `bash -euo pipefail -c`, or a shell and a text for it.",
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "program": {
                            "description": "The shell: `sh`, `zsh` and their like get `-eu -c`, any other program `-c`.",
                            "type": "string",
                        },
                        "script": {"description": "The text.", "type": "string"},
                    },
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl StageKind for Command {
    const NAME: &'static str = "command";

    /// 1: first.
    const VERSION: u32 = 1;

    fn read(config: &Node) -> Result<Self, Problem> {
        from_node(&spelled_out(config))
    }

    fn reads(&mut self, reads: &mut Reads<'_>) {
        for (name, text) in &self.stages {
            reads.entry("stages", name, text, Accepts::Any);
        }
        let ignore: Arc<[String]> = self.ignore.as_slice().into();
        let mut seen = BTreeSet::new();
        // What stands there twice is one thing.
        self.files.retain(|path| seen.insert(path.clone()));
        for path in &mut self.files {
            let selection = Selection {
                written: path.clone(),
                ignore: Arc::clone(&ignore),
            };
            reads.file("files", path, Listing::All(selection));
        }
    }

    fn serves_as(&self) -> &'static [Accepts] {
        &[]
    }

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        let one = self.run.is_empty() == self.shell.is_some();
        checker.need(
            one,
            "run",
            || "give one of `run: [program, argument…]` and `shell: text`".into(),
            problems,
        );
        checker.need(
            !self.outputs.is_empty(),
            "outputs",
            || "name at least one file or folder that the command leaves".into(),
            problems,
        );
        self.check_patterns(checker, problems);
        let mut names = BTreeSet::new();
        for (at, path) in self.outputs.iter().enumerate() {
            // What a pattern fits is known when the command has ended.
            let Some(name) = path.file_name().filter(|_| pattern(path).is_none()) else {
                continue;
            };
            checker.need(
                names.insert(name),
                &format!("outputs.{at}"),
                || format!("two outputs are called `{}`", name.display()),
                problems,
            );
        }
        for name in self.stages.keys() {
            let plain = !matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\\']);
            checker.need(
                plain,
                &format!("stages.{name}"),
                || format!("`{name}` cannot be the name of a folder"),
                problems,
            );
        }
        let handed = [("pass_env", &self.pass_env), ("secrets", &self.secrets)];
        let handed = handed
            .iter()
            .flat_map(|(f, names)| names.iter().map(move |n| (*f, n)));
        for (field, name) in self.env.keys().map(|n| ("env", n)).chain(handed) {
            let good = !name.is_empty() && !name.contains(['=', '\0']);
            let message = || format!("`{name}` cannot be the name of a variable");
            checker.need(good, field, message, problems);
        }
        for (at, name) in self.secrets.iter().enumerate() {
            let elsewhere = self.env.contains_key(name) || self.pass_env.contains(name);
            checker.need(
                !elsewhere,
                &format!("secrets.{at}"),
                || format!("`{name}` stands in `env:` or `pass_env:` as well, which are stored"),
                problems,
            );
        }
        let program = self
            .shell
            .as_ref()
            .is_none_or(|shell| !shell.program.is_empty());
        checker.need(program, "shell.program", || "name a shell".into(), problems);
    }

    fn outputs(&self) -> &'static [&'static str] {
        &[]
    }

    /// Where the command runs and where its outputs go are part of what it sees, so they are in the key.
    fn lines(&self, around: &Around<'_>, lines: &mut Lines) {
        let Self {
            run,
            shell,
            files: _,
            // What is left out has no line, and what is left has one.
            ignore: _,
            stages: _,
            outputs: _,
            inputs,
            sandbox,
            env,
            pass_env: _,
            secrets: _,
            key,
        } = self;
        let ground = around.ground();
        for (n, word) in run.iter().enumerate() {
            lines.put(Tag::Result, &format!("config.run.{n:03}"), word);
        }
        if let Some(shell) = shell {
            let Shell { program, script } = shell;
            lines.put(Tag::Result, "config.shell", script);
            // A text for `sh` was there before there was a choice.
            let named = || format!("{program} {}", shell.options().join(" "));
            let other = (program != "sh").then(named);
            lines.option(Tag::Result, "config.shell.program", other);
        }
        lines.put(Tag::Result, "config.folder", ground.home.display());
        for (n, path) in ground.outputs.iter().enumerate() {
            let line = format!("config.outputs.{n:03}");
            lines.put(Tag::Result, &line, path.display());
        }
        for (name, value) in env {
            lines.put(Tag::Result, &format!("config.env.{name}"), value);
        }
        for (name, value) in ground.pass {
            lines.digest(Tag::Result, &format!("config.pass.{name}"), value);
        }
        // What a program can find out about its inputs may change what it writes.
        let other = (*inputs == Placing::Link).then_some("link");
        lines.option(Tag::Result, "config.inputs", other);
        let open = (*sandbox == Sandbox::Off).then_some("off");
        lines.option(Tag::Result, "config.sandbox", open);
        match key {
            Some(KeyPart::Program) => {
                lines.option(Tag::Result, "config.program", ground.program);
            }
            None => {}
        }
    }

    fn numerics(&self) -> Option<Tag> {
        None
    }

    fn labels(&self, _: &Around<'_>, _: &mut Labels) {}
}

impl Command {
    fn check_patterns(&self, checker: &Checker<'_>, problems: &mut Problems) {
        for (field, paths) in [("files", &self.files), ("outputs", &self.outputs)] {
            for (at, path) in paths.iter().enumerate() {
                if let Err(why) = Pattern::parse(path) {
                    let field = format!("{field}.{at}");
                    problems.push(checker.problem(&field, format!("`{}`: {why}", path.display())));
                }
            }
        }
        if let Err((at, why)) = Ignored::new(&self.ignore) {
            let message = format!("`{}` is no pattern: {why}", self.ignore[at]);
            problems.push(checker.problem(&format!("ignore.{at}"), message));
        }
    }
}

/// The pattern in a path that is no text alone.
fn pattern(path: &Path) -> Option<Pattern> {
    Pattern::parse(path).ok().flatten()
}

/// The words, variables and outputs of a command are texts, whatever they look like: `run: [cd, ~]`.
fn spelled_out(config: &Node) -> Node {
    let mut config = config.clone();
    if let Value::Map(entries) = &mut config.value {
        let fields = entries.iter_mut().filter(|(key, _)| {
            matches!(
                key.text.as_str(),
                "run" | "env" | "outputs" | "files" | "ignore"
            )
        });
        for (_, field) in fields {
            match &mut field.value {
                Value::Seq(items) => items.iter_mut().for_each(spell_out),
                Value::Map(entries) => entries.iter_mut().for_each(|(_, node)| spell_out(node)),
                _ => {}
            }
        }
    }
    config
}

fn spell_out(node: &mut Node) {
    if let Value::Null(text) = node.value
        && !text.is_empty()
    {
        node.value = Value::Str(text.to_owned());
    }
}
