//! What many commands are told: which pipeline file, which stages, which project.
//! Unaware of the commands.

use std::path::{Path, PathBuf};

use clap::Args;
use engine::history::{Header, History};
use engine::invocation::quoted;
use engine::root;
use engine::session::Options;
use engine::worker::DeviceChoice;

use super::called;
use super::fatal::Fatal;
use super::say::say;

/// For which device a plan is made.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct DeviceArgs {
    /// Where torch stages compute.
    #[arg(long, default_value = "auto", value_name = "auto|cpu|cuda|cuda:N")]
    pub device: DeviceChoice,
}

/// What a pipeline file becomes a plan with, beside the file itself.
#[derive(Debug, Clone, Default, Args)]
pub struct ReadingArgs {
    /// For which device.
    #[command(flatten)]
    pub on: DeviceArgs,
    /// Set a value of the file, `--set stages.tuned.tune.alpha=0.5`; a run records it.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub overrides: Vec<String>,
    /// The folder that holds cache/ and reports/ [default: found upwards from the file; from the working folder
    /// where none is named].
    #[arg(long, value_name = "DIR", display_order = 100)]
    pub root: Option<PathBuf>,
}

/// What `run` and `plan` share.
#[derive(Debug, Clone, Default, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a command line are independent"
)]
pub struct PipelineArgs {
    /// The pipeline file.
    pub file: PathBuf,
    /// Only these stages and what they depend on: `tuned`, `'tuned[alpha=0.5]'`, `'tun*[variant=spt]'`.
    #[arg(value_name = "STAGE")]
    pub stages: Vec<String>,
    /// How the file is read.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Run these stages even if they are fresh, and what is made from them.
    #[arg(long, value_name = "STAGE")]
    pub force: Vec<String>,
    /// Keep results although an input of theirs was made again and came out with other bytes; they are marked.
    #[arg(long)]
    pub keep_consumers: bool,
    /// One JSON object a line on standard output.
    #[arg(long, display_order = 101)]
    pub json: bool,
    /// Say less.
    #[arg(short, long, display_order = 102)]
    pub quiet: bool,
    /// Say more: notes of stages, keys.
    #[arg(short, long, display_order = 103, conflicts_with = "quiet")]
    pub verbose: bool,
}

impl PipelineArgs {
    /// What the engine is asked for.
    pub fn options(&self) -> Options {
        Options {
            program: called::program(),
            file: self.file.clone(),
            root: self.reading.root.clone(),
            stages: self.stages.clone(),
            force: self.force.clone(),
            overrides: self.reading.overrides.clone(),
            device: self.reading.on.device,
            keep_consumers: self.keep_consumers,
            quiet: self.quiet,
        }
    }
}

/// Where a command that names no pipeline file finds the cache.
#[derive(Debug, Clone, Default, Args)]
pub struct RootArgs {
    /// The folder that holds cache/ and reports/ [default: found upwards from the working folder].
    #[arg(long, value_name = "DIR", global = true, display_order = 100)]
    pub root: Option<PathBuf>,
}

impl RootArgs {
    /// The project folder, looked at.
    pub fn folder(&self) -> Result<PathBuf, Fatal> {
        let folder = folder_of(self.root.as_deref());
        root::check(&folder, self.root.as_deref())?;
        Ok(folder)
    }
}

/// The folder that is named, else the one found upwards from the working folder, as short as it can be written.
pub fn folder_of(given: Option<&Path>) -> PathBuf {
    let here = Path::new(".");
    let found = || {
        let found = root::of_folder(here);
        let is_here = std::path::absolute(here).is_ok_and(|h| spec::normal(&h) == found);
        if is_here { here.to_owned() } else { found }
    };
    given.map_or_else(found, Path::to_owned)
}

/// Where a command that names stages finds them.
#[derive(Debug, Clone, Default, Args)]
pub struct FileArgs {
    /// The pipeline file, which may as well stand before the stages [default: that of the last run].
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How the file is read.
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// What a pipeline file's name ends in. No name of a stage does.
const ENDINGS: [&str; 2] = [".yaml", ".yml"];

/// The pipeline file, by option or as the first of the words, and the words behind it.
pub fn file_first<'w>(
    option: Option<&Path>,
    words: &'w [String],
) -> Result<(Option<PathBuf>, &'w [String]), Fatal> {
    let is_file = |word: &&String| ENDINGS.iter().any(|ending| word.ends_with(ending));
    let Some((first, rest)) = words.split_first().filter(|(word, _)| is_file(word)) else {
        return Ok((option.map(Path::to_owned), words));
    };
    if let Some(other) = option {
        let message = format!("two pipeline files: `{first}` and `{}`", files::Name(other));
        return Err(Fatal::usage(
            message,
            "name one, before the stages or by --file",
        ));
    }
    Ok((Some(first.into()), rest))
}

/// An error where no stage is named.
pub fn some<'w>(stages: &'w [String], example: &str) -> Result<&'w [String], Fatal> {
    if stages.is_empty() {
        let hint = format!("`pipeline {example}`, say");
        return Err(Fatal::usage("no stage is named", hint));
    }
    Ok(stages)
}

impl FileArgs {
    /// The same with the pipeline file that may be the first of the words, and the words behind it.
    pub fn with_words<'w>(&self, words: &'w [String]) -> Result<(Self, &'w [String]), Fatal> {
        let (file, rest) = file_first(self.file.as_deref(), words)?;
        Ok((
            Self {
                file,
                ..self.clone()
            },
            rest,
        ))
    }

    /// The same for these stages of the file, which is that of the last run where none is named.
    pub fn pipeline(&self, stages: &[String]) -> Result<PipelineArgs, Fatal> {
        let ReadingArgs {
            on,
            overrides,
            root,
        } = self.reading.clone();
        let (file, root, last) = match &self.file {
            Some(file) => (file.clone(), root, Vec::new()),
            None => last_file(root.as_deref())?,
        };
        // Without a word about either it is the last run that is meant, as it was run.
        let overrides = if overrides.is_empty() && !last.is_empty() {
            let set: Vec<String> = last.iter().map(|set| quoted(set)).collect();
            say(&format!(
                "note: with the last run's --set {}",
                set.join(" --set ")
            ));
            last
        } else {
            overrides
        };
        Ok(PipelineArgs {
            file,
            stages: stages.to_vec(),
            reading: ReadingArgs {
                on,
                overrides,
                root,
            },
            ..PipelineArgs::default()
        })
    }
}

/// The file of the last run, its project folder where the file does not say it, and what it was run with (`--set`).
fn last_file(given: Option<&Path>) -> Result<(PathBuf, Option<PathBuf>, Vec<String>), Fatal> {
    let folder = folder_of(given);
    let last = last_run(&folder, given)?;
    let file = PathBuf::from(last.file);
    let absolute = std::path::absolute(&folder).map_or(folder, |f| spec::normal(&f));
    let is_its_own = root::of_file(&file) == absolute;
    Ok((file, (!is_its_own).then_some(absolute), last.overrides))
}

/// How the last run in this folder began.
pub fn last_run(folder: &Path, given: Option<&Path>) -> Result<Header, Fatal> {
    root::check(folder, given)?;
    let cache = root::cache(folder);
    let last = History::open(&cache).last();
    let last = last.ok_or_else(|| {
        Fatal::usage(
            format!("no run is on record in `{}`", cache.display()),
            "name the pipeline file before the stages: pipelines/quickstart.yaml",
        )
    })?;
    Ok(last.header)
}
