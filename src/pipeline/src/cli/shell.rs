//! `pipeline completions` and `pipeline man`: both from the declaration of the command line.
//! Unaware of what the commands do.

use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::{Exit, Fatal, names, print, say};

/// Prints the completions of a shell.
#[expect(clippy::unnecessary_wraps, reason = "all commands have one form")]
pub fn completions(args: &CompletionsArgs) -> Result<Exit, Fatal> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pipeline", &mut script);
    print(&String::from_utf8_lossy(&script));
    print(names::words(args.shell));
    Ok(Exit::Done)
}

/// Prints one page about everything, or writes a page a command.
pub fn man(args: &ManArgs) -> Result<Exit, Fatal> {
    match &args.dir {
        Some(dir) => pages(dir)?,
        None => print(&page().map_err(|e| Fatal::failed(format!("no man page: {e}"), ""))?),
    }
    Ok(Exit::Done)
}

fn pages(dir: &Path) -> Result<(), Fatal> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut written = std::fs::create_dir_all(dir);
    for command in all(&program) {
        written = written.and_then(|()| page_of(command, dir));
    }
    written.map_err(|e| {
        let message = format!("cannot write man pages to `{}`: {e}", dir.display());
        Fatal::failed(message, "name a folder that can be written: --dir DIR")
    })?;
    say(&format!("wrote the man pages to {}", dir.display()));
    Ok(())
}

/// A command and all below it.
fn all(command: &clap::Command) -> Vec<&clap::Command> {
    let below = command.get_subcommands().flat_map(all);
    std::iter::once(command).chain(below).collect()
}

fn page_of(command: &clap::Command, dir: &Path) -> std::io::Result<()> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    let text = String::from_utf8_lossy(&page).replace(".SH EXTRA", ".SH NOTES");
    std::fs::write(dir.join(man.get_filename()), text + &around())
}

/// Variables that commands read, and what they say.
const ENVIRONMENT: [(&str, &str); 15] = [
    (
        "PIPELINE_CACHE",
        "the cache folder, in place of cache/ in the project folder",
    ),
    (
        "PIPELINE_WORKER",
        "the worker program, in place of pipeline-worker beside pipeline",
    ),
    (
        "PIPELINE_KERNELS",
        "the libraries that products and layouts go through on the CPU; doctor shows what was chosen",
    ),
    (
        "PIPELINE_LIMITS",
        "raises bounds of pipeline files and checkpoints: members=2000000,text=8G,pickle=1G",
    ),
    (
        "PIPELINE_MAX_MEMORY",
        "lowers the memory for the work on images that are done side by side: 4G",
    ),
    ("PIPELINE_MAX_PIXELS", "the most pixels of an image"),
    (
        "PIPELINE_DECODED",
        "whether trainings keep images decoded in the cache: auto (where they take more than 256 MiB), always, off",
    ),
    (
        "PIPELINE_KEEP_STATES",
        "how much the states may take that trainings ended with, from which longer ones go on: 2G",
    ),
    (
        "PIPELINE_SANDBOX",
        "the walls around commands and workers: auto (the strongest there is), namespace, landlock, off",
    ),
    ("CUDA_VISIBLE_DEVICES", "the NVIDIA devices that are used"),
    (
        "CUDA_DEVICE_ORDER",
        "how CUDA counts them: PCI_BUS_ID (as nvidia-smi does, where it is not set), FASTEST_FIRST",
    ),
    ("NO_COLOR", "no colours, where it is set"),
    (
        "TERM",
        "with dumb, progress is printed line by line and without colours",
    ),
    (
        "NAME",
        "any variable that a pipeline file reads as ${NAME}; plan shows them",
    ),
    ("LIBTORCH", "libtorch when pipeline-worker is built"),
];

const FILES: [(&str, &str); 5] = [
    (
        "pipelines/*.yaml",
        "pipeline files; the folder above is the project folder",
    ),
    (
        "cache/",
        "results, logs, history: the project folder is the nearest one upwards that holds it",
    ),
    (
        "reports/",
        "tables, figures and pages, a folder for each pipeline file",
    ),
    (
        "~/.cargo/bin/pipeline-worker",
        "the program that computes, beside pipeline",
    ),
    (
        ".libtorch/",
        "libtorch, in the folder that the programs were built in",
    ),
];

const EXITS: [(&str, &str); 5] = [
    ("0", "done"),
    ("1", "a stage failed, or what was asked for is not there"),
    ("2", "the command line or the pipeline file is wrong"),
    ("3", "a table is not as run --check expects"),
    ("130", "interrupted"),
];

/// The sections that all pages share.
fn around() -> String {
    let section = |title: &str, rows: &[(&str, &str)]| {
        let rows = rows.iter().map(|(name, text)| {
            let name = name.replace('\\', "\\\\").replace('-', "\\-");
            format!(".TP\n\\fB{name}\\fR\n{text}\n")
        });
        format!(".SH {title}\n{}", rows.collect::<String>())
    };
    [
        section("ENVIRONMENT", &ENVIRONMENT),
        section("FILES", &FILES),
        section("\"EXIT STATUS\"", &EXITS),
    ]
    .concat()
}

/// The program's page with a section for each command.
fn page() -> std::io::Result<String> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let man = Man::new(program.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    for command in program.get_subcommands() {
        page.extend(section(command)?.into_bytes());
    }
    page.extend(around().into_bytes());
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(String::from_utf8_lossy(&page).replace(".SH EXTRA", ".SH NOTES"))
}

/// A command's part of the page: its sections become parts of one that bears its name.
fn section(command: &clap::Command) -> std::io::Result<String> {
    let man = Man::new(command.clone());
    let mut parts = Vec::new();
    man.render_synopsis_section(&mut parts)?;
    man.render_description_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    man.render_extra_section(&mut parts)?;
    let parts = String::from_utf8_lossy(&parts)
        .replace(".SH EXTRA", ".SH NOTES")
        .replace(".SH ", ".SS ");
    let name = command.get_name().to_uppercase();
    Ok(format!(".SH \"PIPELINE {name}\"\n{parts}"))
}
