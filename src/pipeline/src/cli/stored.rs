//! `pipeline path` and `pipeline export`: where results lie, and copies of them.
//! Unaware of running. What is copied out is verified while it is copied, and is never a link into the cache.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use diagnostics::shown::counted;
use store::{Key, Output};

use super::args::{ExportArgs, FileArgs, PathArgs, ReadingArgs, folder_of, last_run, some};
use super::deliver::check_place;
use super::finished::finished;
use super::{Exit, Fatal, open, print, print_raw, say};
use engine::invocation::quoted;
use engine::paths;
use engine::root;
use engine::session::{Access, Options, Session};

/// Prints the folder of each stage's outputs, or that of the reports.
pub fn path(args: &PathArgs) -> Result<Exit, Fatal> {
    if args.report {
        return report(args);
    }
    let (common, stages) = args.common.with_words(&args.words)?;
    let stages = some(stages, "path FILE STAGE")?;
    let session = open(&common.pipeline(stages)?, Access::Read)?;
    for (_, key) in finished(&session)? {
        print_path(&session.store.output_dir(&key));
    }
    Ok(Exit::Done)
}

fn print_path(path: &Path) {
    let line = format!("{}\n", path.display());
    if std::io::stdout().is_terminal() {
        print(&line);
    } else {
        print_raw(&line); // a program opens it
    }
}

/// Prints the folder of a file's reports: that of the last run, with its `--set`, where no file is named. Neither the file
/// nor the machine is looked at.
fn report(args: &PathArgs) -> Result<Exit, Fatal> {
    let (common, stages) = args.common.with_words(&args.words)?;
    if !stages.is_empty() {
        let message = format!(
            "--report is about a whole file, and `{}` is a stage",
            stages.join(" ")
        );
        return Err(Fatal::usage(message, "leave one of the two out"));
    }
    let FileArgs { file, reading } = &common;
    let ReadingArgs {
        overrides,
        root: root_given,
        ..
    } = reading;
    let (file, overrides, root) = if let Some(file) = file {
        let root = root_given.clone();
        let root = root.unwrap_or_else(|| root::of_file(file));
        (file.clone(), overrides.clone(), root)
    } else {
        let root = folder_of(root_given.as_deref());
        let last = last_run(&root, root_given.as_deref())?;
        let overrides = match overrides.as_slice() {
            [] => last.overrides,
            given => given.to_vec(),
        };
        (last.file.into(), overrides, root)
    };
    let root = std::path::absolute(&root).map_or(root, |root| spec::normal(&root));
    let folder = root.join(paths::folder(&file, &overrides, &root));
    if !folder.is_dir() {
        let options = Options {
            root: root_given.clone(),
            overrides,
            ..Options::default()
        };
        let mut words = vec!["run".to_owned(), file.display().to_string()];
        words.extend(options.words());
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        return Err(Fatal::failed(
            format!("there is no report in `{}`", folder.display()),
            format!("`pipeline {}` writes it", words.join(" ")),
        ));
    }
    if let Some(file) = &args.single_file {
        return single(&folder, file);
    }
    print_path(&folder);
    Ok(Exit::Done)
}

/// Writes the page in a folder as one file.
fn single(folder: &Path, file: &Path) -> Result<Exit, Fatal> {
    if std::fs::symlink_metadata(file).is_ok() {
        let message = format!("`{}` is there already", files::Name(file));
        return Err(Fatal::usage(message, "give another name"));
    }
    check_place(file, &[])?;
    let text = page::single(folder).map_err(|e| {
        Fatal::failed(
            e.to_string(),
            "send the folder, or keep fewer pictures: `save: 5`",
        )
    })?;
    store::write_atomic(file, text.as_bytes())?;
    print_path(file);
    Ok(Exit::Done)
}

/// Copies outputs to a folder, several stages into a folder each; or writes a model.
pub fn export(args: &ExportArgs) -> Result<Exit, Fatal> {
    let meant = args.meant()?;
    if let Some(to) = &args.to {
        return super::export::model(args, &meant, to);
    }
    let Some(folder) = meant.folder.as_deref() else {
        return Err(Fatal::usage(
            "no folder was given to copy the results to",
            "`pipeline export STAGE DIR`, or `pipeline export STAGE --to model.safetensors` for a trained model",
        ));
    };
    let session = open(&meant.pipeline()?, Access::Read)?;
    let stages = finished(&session)?;
    let alone = stages.len() == 1;
    for (name, key) in &stages {
        let folder = if alone {
            folder.to_owned()
        } else {
            own_folder(folder, name, args.overwrite)?
        };
        if !args.overwrite {
            check_free(&session, key, &folder)?;
        }
        let files = session.store.copy_out(key, &folder)?;
        say(&format!(
            "{name}: {} → {}",
            counted(files.len(), "file"),
            shown(&folder)
        ));
    }
    Ok(Exit::Done)
}

/// The folder of one of several stages in that of all. A link in its place leads to what is none of theirs: it is replaced
/// where that was asked for, and never followed.
fn own_folder(all: &Path, stage: &str, overwrite: bool) -> Result<PathBuf, Fatal> {
    let folder = all.join(stage.replace('/', "_"));
    if folder.is_symlink() {
        if !overwrite {
            return Err(taken(&folder));
        }
        std::fs::remove_file(&folder).map_err(|e| {
            let message = format!("cannot remove `{}`: {e}", files::Name(&folder));
            Fatal::failed(message, "name another folder")
        })?;
    }
    Ok(folder)
}

/// An error where something that would be replaced is not a copy of the result already.
fn check_free(session: &Session, key: &Key, folder: &Path) -> Result<(), Fatal> {
    let other = |output: Output| {
        if let Some(link) = store::link_in_place_of_folder(folder, &output) {
            return Some(link);
        }
        let at = folder.join(&output.path);
        let is_free =
            std::fs::symlink_metadata(&at).is_err() || session.store.is_copy(&at, &output);
        (!is_free).then_some(at)
    };
    match session.store.outputs(key).into_iter().find_map(other) {
        None => Ok(()),
        Some(at) => Err(taken(&at)),
    }
}

fn taken(at: &Path) -> Fatal {
    Fatal::usage(
        format!("`{}` is there and holds something else", files::Name(at)),
        "name another folder, or replace it with --overwrite",
    )
}

fn shown(folder: &Path) -> String {
    let full: PathBuf = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    full.display().to_string()
}
