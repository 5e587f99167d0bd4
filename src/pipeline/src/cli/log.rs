//! `pipeline log`: what a stage said, while it runs or afterwards.
//! Unaware of plans: the last run says which key the stage has.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use store::{Key, Store};

use super::args::{LogArgs, file_first};
use super::{Exit, Fatal, print, say};
use engine::history::{History, Past, RunStatus};
use engine::invocation::quoted;
use engine::root;

/// Prints a stage's log; with `--follow` until the run has ended or the stage has.
pub fn log(args: &LogArgs) -> Result<Exit, Fatal> {
    let cache = root::cache(&args.root.folder()?);
    let store = Store::open_read_only(&cache)?;
    let history = History::open(&cache);
    let (file, words) = file_first(None, &args.words)?;
    let [stage] = words else {
        let message = format!("one stage is expected, `{}` was given", words.join(" "));
        return Err(Fatal::usage(message, "`pipeline log FILE STAGE`"));
    };
    let id = match (&file, &args.run) {
        (Some(_), Some(_)) => {
            let message = "a file means its last run, and --run names one";
            return Err(Fatal::usage(message, "leave one of the two out"));
        }
        (Some(file), None) => last_of(&history, file)?,
        (None, run) => history.find(run.as_deref().unwrap_or("last"))?.to_owned(),
    };
    let past = history.read(&id)?;
    let found = stage_of(&history, &past, stage);
    let (stage, key) = found.map_err(|fatal| match args.run {
        None => with_the_run_that_has_it(&history, file.as_deref(), stage, fatal),
        Some(_) => fatal,
    })?;
    let path = store.log_path(&key);
    let mut file = wait_for(&path, args.follow, || goes_on(&history, &id, &stage))?;
    loop {
        let over = !args.follow || !goes_on(&history, &id, &stage);
        while let text = next(&mut file, &path)?
            && !text.is_empty()
        {
            print(&String::from_utf8_lossy(&text));
        }
        if over {
            return Ok(Exit::Done);
        }
        std::thread::sleep(Duration::from_millis(200));
        start_anew_if_cut(&mut file);
    }
}

/// The last run of a pipeline file.
fn last_of(history: &History, file: &Path) -> Result<String, Fatal> {
    let full = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let is_of = |id: &&String| {
        let past = history.read(id);
        past.is_ok_and(|past| Path::new(&past.header.file) == full)
    };
    let found = history.ids().iter().rev().find(is_of);
    found.cloned().ok_or_else(|| {
        let message = format!("no run of `{}` is on record", files::Name(file));
        Fatal::failed(message, "`pipeline runs` lists those that are")
    })
}

/// An error about the last run, which names an earlier one that has the stage.
fn with_the_run_that_has_it(
    history: &History,
    file: Option<&Path>,
    stage: &str,
    mut fatal: Fatal,
) -> Fatal {
    let full = file.map(|file| std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()));
    let has_it = |id: &&String| {
        let Ok(past) = history.read(id) else {
            return false;
        };
        let file = Path::new(&past.header.file);
        full.as_ref().is_none_or(|full| full == file) && stage_of(history, &past, stage).is_ok()
    };
    if let Some(id) = history.ids().iter().rev().take(LOOKED_AT).find(has_it)
        && let Some(first) = fatal.diagnostics.first.first_mut()
    {
        let stage = quoted(stage);
        first.hint = format!("the run {id} has it: `pipeline log {stage} --run {id}`");
    }
    fatal
}

/// So many runs are looked at for a stage.
const LOOKED_AT: usize = 100;

/// Bytes that are read at once.
const PIECE: u64 = 1 << 20;

/// What comes next in a log: whole lines, as long as they are not longer than a piece.
fn next(file: &mut File, path: &Path) -> Result<Vec<u8>, Fatal> {
    let mut text = Vec::new();
    let read = file.take(PIECE).read_to_end(&mut text);
    read.map_err(|e| Fatal::failed(format!("cannot read `{}`: {e}", path.display()), ""))?;
    if text.len() as u64 == PIECE
        && let Some(end) = text.iter().rposition(|&byte| byte == b'\n')
    {
        let rest = text.len() - end - 1;
        text.truncate(end + 1);
        let _ = file.seek(SeekFrom::Current(-(rest as i64))); // at worst a line is cut in two
    }
    Ok(text)
}

/// The one stage of the run that `target` means, and its key.
fn stage_of(history: &History, past: &Past, target: &str) -> Result<(String, Key), Fatal> {
    let keys = history.keys(past);
    let names: Vec<&str> = keys.keys().map(String::as_str).collect();
    let id = &past.header.id;
    let found = spec::find(&names, target).map_err(|why| {
        let (what, hint) = why.split_once("\nhint: ").unwrap_or((&why, ""));
        Fatal::usage(format!("in the run {id}: {what}"), hint)
    })?;
    let [only] = found.as_slice() else {
        let some: Vec<&str> = found.iter().take(8).map(|&at| names[at]).collect();
        let more = if found.len() > 8 { ", …" } else { "" };
        let message = format!("`{target}` is {} stages of the run {id}", found.len());
        return Err(Fatal::usage(
            message,
            format!("name one: {}{more}", some.join(", ")),
        ));
    };
    let name = names[*only].to_owned();
    let key = keys.get(&name).and_then(|key| key.parse().ok());
    let key = key.ok_or_else(|| {
        let message = format!("the run {id} did not know what `{name}` depends on: it was blocked");
        Fatal::failed(message, "`pipeline plan` says what was missing")
    })?;
    Ok((name, key))
}

/// Whether the run goes on and the stage has not ended in it.
fn goes_on(history: &History, id: &str, stage: &str) -> bool {
    history.read(id).is_ok_and(|past| {
        past.status == RunStatus::Running && !past.stages.iter().any(|s| s.name == stage)
    })
}

fn wait_for(path: &Path, follow: bool, goes_on: impl Fn() -> bool) -> Result<File, Fatal> {
    let mut told = false;
    loop {
        match files::open(path) {
            Ok(file) => return Ok(file),
            Err(_) if follow && goes_on() => {
                if !told {
                    say("the stage has not started yet");
                    told = true;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
            Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => {
                let message = format!("cannot read `{}`: {e}", path.display());
                return Err(Fatal::failed(
                    message,
                    "remove it; the next run writes a log",
                ));
            }
            Err(_) => {
                let message = "the stage has no log: it has not run on this machine";
                let hint =
                    "a result that was imported, or taken over from another stage, brings none";
                return Err(Fatal::failed(message, hint));
            }
        }
    }
}

/// A stage that starts again begins its log anew.
fn start_anew_if_cut(file: &mut File) {
    let length = file.metadata().map_or(0, |m| m.len());
    let at = file.stream_position().unwrap_or(0);
    if length < at {
        let _ = file.seek(SeekFrom::Start(0)); // at worst the rest is not shown
    }
}
