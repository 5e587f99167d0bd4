//! The command line, as it is typed.
//! Unaware of what the commands do.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Runs graphs of image-restoration experiments from YAML, each piece of work once.
#[derive(Debug, Parser)]
#[command(
    name = "pipeline",
    version,
    about,
    after_help = "Exit codes: 0 done, 1 a stage failed, 2 the command line or the pipeline file is wrong, \
                  130 interrupted.\n\nTry: pipeline run pipelines/quickstart.yaml"
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
    /// Draw the graph of stages, coloured by whether they are fresh.
    Graph(GraphArgs),
    /// Check the worker, libtorch, devices, the cache folder and free disk.
    Doctor(DoctorArgs),
    /// Write a commented pipeline file for a folder of your own images.
    Init(InitArgs),
    /// Print the JSON Schema of pipeline files, for editors.
    Schema(SchemaArgs),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Print the man page.
    Man(ManArgs),
}

/// What `run` and `plan` share.
#[derive(Debug, Clone, Default, Args)]
pub struct PipelineArgs {
    /// The pipeline file.
    pub file: PathBuf,
    /// Only these stages and what they depend on: `tuned`, `tuned[alpha=0.5]`.
    #[arg(value_name = "STAGE")]
    pub stages: Vec<String>,
    /// Where torch stages compute.
    #[arg(long, default_value = "auto", value_name = "auto|cpu|cuda|cuda:N")]
    pub device: DeviceChoice,
    /// Set a value of the file: `--set stages.tuned.tune.alpha=0.5`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub overrides: Vec<String>,
    /// Run this stage even if it is fresh.
    #[arg(long, value_name = "STAGE")]
    pub force: Vec<String>,
    /// The folder that holds cache/ and reports/ [default: the one above pipelines/, else the file's own].
    #[arg(long, value_name = "DIR", display_order = 100)]
    pub root: Option<PathBuf>,
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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Go on with what does not depend on a failed stage.
    #[arg(long)]
    pub keep_going: bool,
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
}

/// `pipeline doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Example: pipeline doctor")]
pub struct DoctorArgs {
    /// The folder that holds cache/ and reports/.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub root: PathBuf,
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
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
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
    /// Where torch stages compute.
    #[arg(long, default_value = "auto", value_name = "auto|cpu|cuda|cuda:N")]
    pub device: DeviceChoice,
    /// Set a value of the file: `--set stages.tuned.tune.alpha=0.5`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub overrides: Vec<String>,
    /// The folder that holds cache/ and reports/ [default: the one above pipelines/, else the file's own].
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
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
    /// Your images: PNG and JPEG, in one folder or in its subfolders train, val and test [default: DIR/images].
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
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
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

/// `--device`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA where there is a usable device, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// CUDA: this device, or all there are.
    Cuda(Option<usize>),
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(None)),
            _ => {
                let index = text.strip_prefix("cuda:").and_then(|n| n.parse().ok());
                index
                    .map(|n| Self::Cuda(Some(n)))
                    .ok_or_else(|| "expected auto, cpu, cuda or cuda:N".into())
            }
        }
    }
}
