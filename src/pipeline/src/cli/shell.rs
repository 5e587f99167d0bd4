//! `pipeline completions` and `pipeline man`: both from the declaration of the command line.
//! Unaware of what the commands do.

use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::{Exit, Fatal, print, say};

/// Prints the completions of a shell.
#[expect(clippy::unnecessary_wraps, reason = "all commands have one form")]
pub fn completions(args: &CompletionsArgs) -> Result<Exit, Fatal> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pipeline", &mut script);
    print(&String::from_utf8_lossy(&script));
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
    for command in std::iter::once(&program).chain(program.get_subcommands()) {
        written = written.and_then(|()| page_of(command, dir));
    }
    written.map_err(|e| {
        let message = format!("cannot write man pages to `{}`: {e}", dir.display());
        Fatal::failed(message, "name a folder that can be written: --dir DIR")
    })?;
    say(&format!("wrote the man pages to {}", dir.display()));
    Ok(())
}

fn page_of(command: &clap::Command, dir: &Path) -> std::io::Result<()> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    let text = String::from_utf8_lossy(&page).replace(".SH EXTRA", ".SH NOTES");
    std::fs::write(dir.join(man.get_filename()), text)
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
