//! The command line, as it is typed.
//! Unaware of what the commands do.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use super::common_args::{
    DeviceArgs, FileArgs, PipelineArgs, ReadingArgs, RootArgs, file_first, folder_of, last_run,
    some,
};
use super::fatal::Fatal;
pub use super::inspect::InspectArgs;
pub use super::masks::MasksArgs;
pub use super::restore::RestoreArgs;

/// Runs graphs of image-restoration experiments from YAML, each piece of work once.
#[derive(Debug, Parser)]
#[command(
    name = "pipeline",
    version,
    about,
    after_help = "Exit codes: 0 done, 1 a stage failed, 2 the command line or the pipeline file is wrong, \
                  3 a table is not as expected, 130 interrupted.\n\nTry: pipeline run pipelines/quickstart.yaml"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run what is stale, and print the tables.
    Run(RunArgs),
    /// Show what would run and why, and what is fresh, without running.
    Plan(PlanArgs),
    /// Say why a stage is fresh or stale, with the chain up to where it began.
    #[command(after_help = "Example: pipeline explain pipelines/table4.yaml 'tuned[alpha=0.5]'")]
    Explain(ExplainArgs),
    /// List what was run, newest first; names of runs are dates and times in UTC.
    #[command(after_help = "Example: pipeline runs -n 5 pipelines/quickstart.yaml")]
    Runs(RunsArgs),
    /// Show one run in full.
    #[command(after_help = "Example: pipeline show last~1")]
    Show(ShowArgs),
    /// Compare two runs: parameters, metrics, schedules of trainings.
    #[command(
        after_help = "Example: pipeline diff last~1 last\n         pipeline diff last last --stages spt,full"
    )]
    Diff(DiffArgs),
    /// Show evaluations side by side: their metrics and what differs.
    #[command(
        after_help = "Example: pipeline exp pipelines/table4.yaml\n         pipeline exp --csv 'score*' > scores.csv"
    )]
    Exp(ExpArgs),
    /// Print what a stage said.
    #[command(after_help = "Example: pipeline log tuned --follow")]
    Log(LogArgs),
    /// Print where the results of stages lie in the cache.
    #[command(
        after_help = "Example: pipeline path score\n         ls $(pipeline path score)\n         ls $(pipeline path --report)"
    )]
    Path(PathArgs),
    /// Copy files of results out of the cache, or write a trained model as one file.
    #[command(
        after_help = "Example: pipeline export 'masks[*]' my-masks\n         pipeline export pipelines/table4.yaml tuned --to model.safetensors --merged --model-card\n\n\
                      To take results with their records into another cache: pipeline cache archive, pipeline cache import"
    )]
    Export(ExportArgs),
    /// Look into the cache, verify it, clean it up, take it along.
    #[command(after_help = "Example: pipeline cache gc --dry-run")]
    Cache(CacheArgs),
    /// Say which data sets and weights a file needs, and which are there.
    #[command(after_help = "Example: pipeline data check pipelines/tables.yaml")]
    Data(DataArgs),
    /// Draw the graph of stages, coloured by whether they are fresh.
    Graph(GraphArgs),
    /// Check the worker, libtorch, devices, the cache folder and free disk.
    Doctor(DoctorArgs),
    /// Segment pictures of your own: overlays, COCO JSON, label maps.
    Masks(MasksArgs),
    /// Restore photographs of your own with a tuned model.
    Restore(RestoreArgs),
    /// Say what a checkpoint, an image or masks are as this program would read them.
    Inspect(InspectArgs),
    /// Write a commented pipeline file for a folder of your own images.
    Init(InitArgs),
    /// Print the JSON Schema of pipeline files, for editors.
    Schema(SchemaArgs),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Print the man page.
    Man(ManArgs),
}

impl Command {
    /// Whether programs read what is printed.
    pub fn is_json(&self) -> bool {
        match self {
            Self::Run(args) => args.pipeline.json,
            Self::Plan(args) => args.pipeline.json,
            Self::Explain(args) => args.json,
            Self::Runs(args) => args.json,
            Self::Show(args) => args.json,
            Self::Diff(args) => args.json,
            Self::Doctor(args) => args.json,
            Self::Exp(args) => args.json,
            Self::Data(args) => {
                let DataCommand::Check(args) = &args.command;
                args.json
            }
            _ => false,
        }
    }
}

/// `pipeline run`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: pipeline run pipelines/quickstart.yaml --set stages.baseline.train.iterations=1000"
)]
pub struct RunArgs {
    /// What to run.
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// The most stages at once [default: as many as the cores allow].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
    /// Go on with what does not depend on a failed stage.
    #[arg(long)]
    pub keep_going: bool,
    /// Compare a table with this file afterwards, and exit with 3 where a cell is missing or further off than the
    /// tolerance: a cells.csv or table.csv that a run wrote, or published values; several times for several tables.
    #[arg(long, value_name = "[TABLE=]FILE")]
    pub check: Vec<String>,
    /// How far a cell may be off, in units of the table's metric.
    #[arg(long, value_name = "DB", default_value_t = 0.02, value_parser = tolerance, requires = "check")]
    pub tolerance: f64,
}

/// A distance: finite and not negative.
fn tolerance(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    number
        .filter(|v| v.is_finite() && *v >= 0.0)
        .ok_or_else(|| "expected a number from 0".into())
}

/// `pipeline data`.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DataCommand,
}

/// What `pipeline data` can do.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// List the data sets and weights that the stages of a file read; exit 1 when one is missing.
    #[command(after_help = "Example: pipeline data check pipelines/tables.yaml")]
    Check(PipelineArgs),
}

/// `pipeline plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: pipeline plan pipelines/quickstart.yaml 'spt[granularity=coarse]'"
)]
pub struct PlanArgs {
    /// What to plan.
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// What an hour of this machine costs: the estimate then says what the work may cost.
    #[arg(long, value_name = "PRICE")]
    pub hourly: Option<f64>,
}

/// `pipeline explain`.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "pipeline explain [OPTIONS] [FILE] STAGE...")]
pub struct ExplainArgs {
    /// The pipeline file [default: that of the last run], and the stages: `tuned`, `tuned[alpha=0.5]`, `'tun*'`.
    #[arg(required = true, value_name = "FILE|STAGE")]
    pub words: Vec<String>,
    /// Where they are.
    #[command(flatten)]
    pub common: FileArgs,
    /// One JSON object a stage, with its whole manifest.
    #[arg(long)]
    pub json: bool,
    /// Print all lines that determine the result.
    #[arg(short, long)]
    pub verbose: bool,
}

/// `pipeline path`.
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "pipeline path [OPTIONS] [FILE] STAGE...\n       pipeline path --report [OPTIONS] [FILE]"
)]
pub struct PathArgs {
    /// The pipeline file [default: that of the last run], and the stages: `tuned`, `tuned[alpha=0.5]`, `'tun*'`.
    #[arg(required_unless_present = "report", value_name = "FILE|STAGE")]
    pub words: Vec<String>,
    /// Print the folder of the tables and figures instead; without a FILE that of the last run, with its --set.
    #[arg(long)]
    pub report: bool,
    /// Write the page that lies there to FILE, with all its pictures in it: up to 20 MB, to be sent.
    #[arg(long, value_name = "FILE", requires = "report")]
    pub single_file: Option<PathBuf>,
    /// Where they are.
    #[command(flatten)]
    pub common: FileArgs,
}

/// `pipeline exp`.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "pipeline exp [OPTIONS] [FILE] [STAGE]...")]
pub struct ExpArgs {
    /// The pipeline file [default: that of the last run], and only these evaluations: `score`, `'score[alpha=0.5]'`,
    /// `'score*'`; all that have a result when absent.
    #[arg(value_name = "FILE|STAGE")]
    pub words: Vec<String>,
    /// Where they are.
    #[command(flatten)]
    pub common: FileArgs,
    /// As CSV, numbers in full precision.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// One JSON object a row, numbers in full precision.
    #[arg(long)]
    pub json: bool,
}

/// `pipeline export`.
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "pipeline export [OPTIONS] [FILE] STAGE DIR\n       pipeline export [OPTIONS] [FILE] STAGE --to MODEL"
)]
pub struct ExportArgs {
    /// The pipeline file [default: that of the last run]; the stage, or stages by a pattern, which then get a folder each;
    /// and the folder to copy their results to, without --to.
    #[arg(required = true, num_args = 1..=3, value_name = "FILE|STAGE|DIR")]
    pub words: Vec<PathBuf>,
    /// Write its model as one file that says what it is, NAME.safetensors: of SPT tuning the units alone.
    #[arg(long, value_name = "MODEL", value_parser = model_file)]
    pub to: Option<PathBuf>,
    /// The units together with their backbone.
    #[arg(long, requires = "to")]
    pub merged: bool,
    /// Write a card for people beside the file: README.md, as Hugging Face shows it.
    #[arg(long, requires = "to")]
    pub model_card: bool,
    /// Replace files that are there and hold something else.
    #[arg(long)]
    pub overwrite: bool,
    /// Where they are.
    #[command(flatten)]
    pub common: FileArgs,
}

fn model_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_named = path.extension().is_some_and(|e| e == "safetensors");
    is_named
        .then_some(path)
        .ok_or_else(|| "expected a name that ends in .safetensors".into())
}

/// What is to be exported: the stage, and the folder its results go to; none with `--to`.
pub struct Exported {
    /// Of which pipeline file.
    pub common: FileArgs,
    /// The stage or pattern.
    pub stage: String,
    /// Where to.
    pub folder: Option<PathBuf>,
}

impl ExportArgs {
    /// What the words mean.
    pub fn meant(&self) -> Result<Exported, Fatal> {
        let text = |word: &PathBuf| word.to_string_lossy().into_owned();
        let texts: Vec<String> = self.words.iter().map(text).collect();
        let (common, rest) = self.common.with_words(&texts)?;
        let (stage, folder) = match (rest, &self.to) {
            ([stage], _) => (stage, None),
            ([stage, _], None) => (stage, self.words.last().cloned()),
            ([_, folder], Some(_)) => {
                let message = format!("both --to and a folder, `{folder}`, were given");
                return Err(Fatal::usage(
                    message,
                    "--to writes a model as one file: leave one out",
                ));
            }
            ([], _) => {
                return Err(Fatal::usage(
                    "no stage is named",
                    "`pipeline export STAGE DIR`",
                ));
            }
            _ => {
                let message = format!("`{}` is one word too many", rest.join(" "));
                return Err(Fatal::usage(message, "`pipeline export STAGE DIR`"));
            }
        };
        Ok(Exported {
            common,
            stage: stage.clone(),
            folder,
        })
    }
}

impl Exported {
    /// As arguments of a session.
    pub fn pipeline(&self) -> Result<PipelineArgs, Fatal> {
        self.common.pipeline(std::slice::from_ref(&self.stage))
    }
}

/// `pipeline runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Only runs of this pipeline file.
    pub file: Option<PathBuf>,
    /// At most so many.
    #[arg(short, long, default_value_t = 20)]
    pub number: usize,
    /// Where the cache is.
    #[command(flatten)]
    pub root: RootArgs,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// `pipeline show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The run: its name or the beginning of it, `last`, `last~1`.
    #[arg(default_value = "last")]
    pub run: String,
    /// Where the cache is.
    #[command(flatten)]
    pub root: RootArgs,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `pipeline diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The first run: its name or the beginning of it, `last`, `last~1`.
    #[arg(value_name = "RUN_A")]
    pub a: String,
    /// The second run, named likewise.
    #[arg(value_name = "RUN_B")]
    pub b: String,
    /// Compare the schedules of these two trainings, one of the first run and one of the second: iterations to converge,
    /// trainable parameters, seconds, peak memory, best PSNR.
    #[arg(long, value_name = "STAGE,STAGE", value_parser = two_stages)]
    pub stages: Option<(String, String)>,
    /// Print one line of JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the cache is.
    #[command(flatten)]
    pub root: RootArgs,
}

/// `pipeline log`.
#[derive(Debug, Args)]
#[command(override_usage = "pipeline log [OPTIONS] [FILE] STAGE")]
pub struct LogArgs {
    /// A pipeline file, whose last run is then meant, and the stage: `tuned[alpha=0.5]`, or a pattern that one stage fits.
    #[arg(required = true, num_args = 1..=2, value_name = "FILE|STAGE")]
    pub words: Vec<String>,
    /// Go on until the stage or the run has ended.
    #[arg(short = 'f', short_alias = 'F', long)]
    pub follow: bool,
    /// The run whose stage it is, as for `show` [default: the last].
    #[arg(long)]
    pub run: Option<String>,
    /// Where the cache is.
    #[command(flatten)]
    pub root: RootArgs,
}

/// `pipeline cache`.
#[derive(Debug, Args)]
pub struct CacheArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CacheCommand,
    /// Where the cache is.
    #[command(flatten)]
    pub root: RootArgs,
}

/// What `pipeline cache` can do.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// List all results.
    #[command(after_help = "Example: pipeline cache ls --json | jq -r .key")]
    Ls(LsArgs),
    /// Say what takes the space.
    #[command(after_help = "Example: pipeline cache du --root ~/project")]
    Du,
    /// Read every byte; move what is damaged aside and say what will be computed again.
    #[command(after_help = "Example: pipeline cache verify && echo whole")]
    Verify,
    /// Remove what no pipeline file, pin or running pipeline refers to.
    #[command(after_help = "Example: pipeline cache gc --dry-run")]
    Gc(GcArgs),
    /// Keep the results of stages whatever happens to the file.
    #[command(
        after_help = "Example: pipeline cache pin 'tuned[alpha=1]' --note 'row 3 of the paper'"
    )]
    Pin(PinArgs),
    /// Take a pin back: the next clean-up may remove the results.
    #[command(after_help = "Example: pipeline cache unpin 'tuned*'")]
    Unpin(UnpinArgs),
    /// Remove the values of secret variables that records, logs and journals hold in clear text.
    #[command(after_help = "Example: pipeline cache scrub API_KEY --dry-run")]
    Scrub(ScrubArgs),
    /// Write results with their records into one archive, to import them into another cache.
    #[command(
        visible_alias = "export",
        after_help = "Example: pipeline cache archive 'score*' -o scores.tar\n\nTo copy files of results out: pipeline export"
    )]
    Archive(ArchiveArgs),
    /// Import the results of an archive, verifying each one.
    #[command(after_help = "Example: pipeline cache import scores.tar")]
    Import(ImportArgs),
}

/// `pipeline cache ls`.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// `pipeline cache gc`.
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Pipeline files to keep the results of, beside all that were ever run here.
    pub files: Vec<PathBuf>,
    /// Show what would go, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Keep what was made or used within this time, whoever refers to it: results of `--set`, say.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = humantime::parse_duration)]
    pub keep_newer: std::time::Duration,
}

/// `pipeline cache scrub`.
#[derive(Debug, Args)]
pub struct ScrubArgs {
    /// The variables [default: those whose names hold KEY, TOKEN, PASSWORD, PASSWD, PASSPHRASE, SECRET or CREDENTIAL].
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Say what would go, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Stages of a file, for subcommands of `cache`.
#[derive(Debug, Clone, Args)]
pub struct FileStages {
    /// The pipeline file [default: that of the last run], and the stages.
    #[arg(required = true, value_name = "FILE|STAGE")]
    pub words: Vec<String>,
    /// The pipeline file, which may as well stand before the stages [default: that of the last run].
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// For which device they are planned.
    #[command(flatten)]
    pub on: DeviceArgs,
}

impl FileStages {
    /// As arguments of a session.
    pub fn pipeline(&self, root: &RootArgs) -> Result<PipelineArgs, Fatal> {
        let common = FileArgs {
            file: self.file.clone(),
            reading: ReadingArgs {
                on: self.on,
                root: root.root.clone(),
                ..ReadingArgs::default()
            },
        };
        let (common, names) = common.with_words(&self.words)?;
        common.pipeline(some(names, "cache pin FILE STAGE")?)
    }
}

/// `pipeline cache pin`.
#[derive(Debug, Args)]
pub struct PinArgs {
    /// Whose results.
    #[command(flatten)]
    pub stages: FileStages,
    /// Why, for `pipeline cache ls` [default: the stage's name].
    #[arg(long)]
    pub note: Option<String>,
}

/// `pipeline cache unpin`.
#[derive(Debug, Args)]
pub struct UnpinArgs {
    /// Whose results.
    #[command(flatten)]
    pub stages: FileStages,
}

/// `pipeline cache archive`.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// Whose results.
    #[command(flatten)]
    pub stages: FileStages,
    /// The file to write (tar).
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub overwrite: bool,
}

/// `pipeline cache import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// A file that `pipeline cache archive` has written.
    pub archive: PathBuf,
}

/// `pipeline doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Example: pipeline doctor\n         pipeline doctor --json")]
pub struct DoctorArgs {
    /// One JSON object: all checks, the NVIDIA devices of this machine, and why CUDA cannot be used.
    #[arg(long)]
    pub json: bool,
    /// Where the cache is.
    #[command(flatten)]
    pub root: RootArgs,
}

/// `pipeline graph`.
#[derive(Debug, Args)]
#[command(after_help = "Example: pipeline graph pipelines/quickstart.yaml -o quickstart.svg")]
pub struct GraphArgs {
    /// The pipeline file.
    pub file: PathBuf,
    /// Only these stages and what they depend on: `tuned`, `tuned[alpha=0.5]`.
    #[arg(value_name = "STAGE")]
    pub stages: Vec<String>,
    /// Write to this file instead of standard output; a graph that is there is replaced.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that holds something else.
    #[arg(long)]
    pub overwrite: bool,
    /// The form [default: svg for a FILE in .svg, mermaid for .md and .mmd, else dot].
    #[arg(
        long,
        value_enum,
        value_name = "dot|mermaid|svg",
        hide_possible_values = true
    )]
    pub format: Option<GraphFormat>,
    /// A node for each member of a swept stage, not one for all.
    #[arg(long)]
    pub full: bool,
    /// How the file is read.
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// `--format` of `pipeline graph`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Graphviz.
    Dot,
    /// Mermaid, which GitHub shows in Markdown.
    Mermaid,
    /// A picture.
    Svg,
}

/// `pipeline init`.
#[derive(Debug, Args)]
#[command(after_help = "Example: pipeline init --images ~/photos --scale 4")]
pub struct InitArgs {
    /// Where pipelines/my-images.yaml goes.
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Your images (PNG, JPEG, BMP, TIFF, WebP), in one folder or in its subfolders train, val and test [default: DIR/images].
    #[arg(long, value_name = "FOLDER")]
    pub images: Option<PathBuf>,
    /// How many times larger the restored images are: 2, 3 or 4.
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(2..=4))]
    pub scale: u32,
}

/// `pipeline schema`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: pipeline schema -o pipelines/schema.json\n\nA pipeline file names it in a comment, and editors with a YAML language server complete from it:\n  # yaml-language-server: $schema=schema.json"
)]
pub struct SchemaArgs {
    /// The same for people: every field with its default, in Markdown.
    #[arg(long)]
    pub reference: bool,
    /// Write to this file instead of standard output; a schema or reference that is there is replaced.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that holds something else.
    #[arg(long)]
    pub overwrite: bool,
}

/// `pipeline completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: pipeline completions bash > ~/.local/share/bash-completion/completions/pipeline"
)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// `pipeline man`.
#[derive(Debug, Args)]
#[command(after_help = "Example: pipeline man | man -l -")]
pub struct ManArgs {
    /// Write a page for each command into this folder instead.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Two names of stages with a comma between; commas in brackets belong to a name.
fn two_stages(text: &str) -> Result<(String, String), String> {
    let mut depth = 0;
    let mut commas = Vec::new();
    for (at, letter) in text.char_indices() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            ',' if depth == 0 => commas.push(at),
            _ => {}
        }
    }
    match commas.as_slice() {
        &[at] if at > 0 && at + 1 < text.len() => Ok((text[..at].into(), text[at + 1..].into())),
        _ => Err("expected two stages with a comma between, such as spt,full".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a shell's line up to what is not the program's own; quotes hold words together.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut in_quotes = false;
        for letter in line.chars() {
            match letter {
                '\'' => in_quotes = !in_quotes,
                ' ' if !in_quotes => words.push(String::new()),
                '|' | '&' | '>' | ')' if !in_quotes => break,
                _ => words.last_mut().unwrap().push(letter),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    fn examples(command: &clap::Command) -> Vec<String> {
        let own = command.get_after_help().map(ToString::to_string);
        let own = own.unwrap_or_default();
        let lines = own.lines().filter_map(|line| {
            let at = line.find("pipeline ")?;
            let is_example = line.starts_with("Example: ") || line.starts_with("         ");
            is_example.then(|| line[at..].to_owned())
        });
        let below = command.get_subcommands().flat_map(examples);
        lines.chain(below).collect()
    }

    #[test]
    fn every_example_is_a_command_line_that_is_understood() {
        use clap::{CommandFactory, Parser};
        let all = examples(&Cli::command());
        assert!(all.len() >= 24, "{all:#?}");
        for example in all {
            let parsed = Cli::try_parse_from(words(&example));
            assert!(parsed.is_ok(), "{example}: {:?}", words(&example));
        }
    }

    #[test]
    fn two_stages_may_have_commas_in_their_brackets() {
        let two = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        assert_eq!(two_stages("spt,full"), two("spt", "full"));
        assert_eq!(
            two_stages("tuned[alpha=1,seed=0],tuned[alpha=2,seed=0]"),
            two("tuned[alpha=1,seed=0]", "tuned[alpha=2,seed=0]")
        );
        for wrong in ["spt", "spt,", ",spt", "a,b,c", ""] {
            assert!(two_stages(wrong).is_err(), "{wrong}");
        }
    }
}
