//! `pipeline cache`: what is in the cache, whether it is whole, what can go, what stays, and how it travels.
//! Unaware of how results are made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use serde_json::json;
use store::{Broken, Key, Progress, Store, StoreError};

use super::args::{ArchiveArgs, CacheArgs, CacheCommand, FileStages, PinArgs, RootArgs, UnpinArgs};
use diagnostics::shown::counted;
use engine::{decoded, root};

use super::bytes::bytes;
use super::deliver::check_place;
use super::finished::finished;
use super::{Exit, Fatal, gc, open as open_session, print, print_as, say, scrub};
use engine::session::{Access, Session};

/// Runs a subcommand.
pub fn cache(args: &CacheArgs) -> Result<Exit, Fatal> {
    let root = args.root.folder()?;
    let folder = root::cache(&root);
    let makes = matches!(args.command, CacheCommand::Import(_));
    if !makes && !folder.exists() {
        say(&format!("note: there is no cache in `{}`", root.display()));
        let looks = !matches!(
            args.command,
            CacheCommand::Pin(_) | CacheCommand::Unpin(_) | CacheCommand::Archive(_)
        );
        if looks {
            return Ok(Exit::Done);
        }
    }
    // What only says what it would do is of use in a cache that may be read alone.
    let open = |reads| {
        if reads {
            Store::open_read_only(&folder)
        } else {
            Store::open(&folder)
        }
    };
    match &args.command {
        CacheCommand::Ls(ls) => list(&Store::open_read_only(&folder)?, ls.json),
        CacheCommand::Du => Ok(usage(&Store::open_read_only(&folder)?)),
        CacheCommand::Verify => verify(&open_to_mend(&folder)?),
        CacheCommand::Gc(gc_args) => gc::gc(&open(gc_args.dry_run)?, &root, gc_args),
        CacheCommand::Pin(pin) => pin_stages(&args.root, pin),
        CacheCommand::Unpin(unpin) => unpin_stages(&args.root, unpin),
        CacheCommand::Scrub(scrub) => scrub::scrub(&open(scrub.dry_run)?, scrub),
        CacheCommand::Archive(export) => export_archive(&args.root, export),
        CacheCommand::Import(import) => import_archive(&Store::open(&folder)?, &import.archive),
    }
}

/// Opens a cache to move aside what is damaged; where nothing may be written, to say what is.
fn open_to_mend(folder: &Path) -> Result<Store, Fatal> {
    match Store::open(folder) {
        Err(denied @ StoreError::Denied { .. }) => {
            let store = Store::open_read_only(folder)?;
            say(&format!(
                "warning: {denied}; what is damaged is not moved aside"
            ));
            Ok(store)
        }
        other => Ok(other?),
    }
}

fn list(store: &Store, as_json: bool) -> Result<Exit, Fatal> {
    let names = last_names(store);
    let notes: BTreeMap<Key, String> = store.pins().into_iter().collect();
    for entry in store.entries()? {
        let name = names.iter().find(|(_, key)| *key == entry.key);
        let name = name.map_or("", |(name, _)| name);
        let when = humantime::format_rfc3339_seconds(entry.committed);
        print_as(
            as_json,
            &if as_json {
                let line = json!({
                    "key": entry.key.to_string(), "kind": entry.kind, "stage": name, "bytes": entry.bytes,
                    "files": entry.files, "committed": when.to_string(), "pinned": entry.pinned,
                    "note": notes.get(&entry.key),
                    "whole": entry.state == store::EntryState::Whole,
                });
                format!("{line}\n")
            } else {
                let mark = match notes.get(&entry.key) {
                    // Its own name is the note of a pin that was given none.
                    Some(note) if !note.is_empty() && note != name => format!("  pinned: {note}"),
                    _ if entry.pinned => "  pinned".to_owned(),
                    _ => String::new(),
                };
                let damaged = if entry.state == store::EntryState::Whole {
                    ""
                } else {
                    "  DAMAGED RECORD"
                };
                format!(
                    "{:.12}  {:<10}  {:>10}  {:>6} files  {when}  {name}{mark}{damaged}\n",
                    entry.key,
                    entry.kind,
                    bytes(entry.bytes),
                    entry.files
                )
            },
        );
    }
    Ok(Exit::Done)
}

/// The last key of each stage of each known pipeline file.
fn last_names(store: &Store) -> Vec<(String, Key)> {
    let files = store.pipelines().into_iter();
    files.flat_map(|file| store.last_keys(&file)).collect()
}

fn usage(store: &Store) -> Exit {
    let usage = store.usage();
    let rooms = [
        ("results", usage.outputs),
        ("records", usage.records),
        ("unfinished work, checkpoints", usage.partial),
        ("last states of trainings", usage.trajectories),
        ("decoded images and masks", usage.decoded),
        ("logs", usage.logs),
        ("damaged, moved aside", usage.damaged),
        ("being deleted", usage.trash),
        ("locks, leases, pins", usage.locks),
        ("digests of files, last keys", usage.memo),
        ("all", usage.total()),
    ];
    for (what, amount) in rooms {
        let line = format!(
            "{:>10}  {:>8} files  {what}\n",
            bytes(amount.bytes),
            amount.files
        );
        print(&line);
    }
    Exit::Done
}

fn verify(store: &Store) -> Result<Exit, Fatal> {
    let quiet = !std::io::IsTerminal::is_terminal(&std::io::stderr());
    let show = |p: Progress| {
        if !quiet {
            let done = format!("{} of {} files", p.files, p.all_files);
            let _ = write!(std::io::stderr(), "\r{done}, {}  ", bytes(p.bytes));
        }
    };
    let report = store.verify_all(&show)?;
    if !quiet {
        say("");
    }
    let names = last_names(store);
    for broken in &report.broken {
        print(&broken_text(broken, &names));
    }
    print(&format!(
        "{}, {}, {} read: {}\n",
        counted(report.entries as usize, "result"),
        counted(report.read.files as usize, "file"),
        bytes(report.read.bytes),
        wholeness(report.broken.len())
    ));
    let decoded = decoded::verify(store);
    for broken in &decoded.broken {
        print(&decoded_text(broken, store));
    }
    if decoded.files + decoded.broken.len() as u64 > 0 {
        print(&format!(
            "decoded images and masks, {}, {} read: {}\n",
            counted(decoded.files as usize, "file"),
            bytes(decoded.bytes),
            wholeness(decoded.broken.len())
        ));
    }
    Ok(if report.broken.is_empty() && decoded.broken.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn wholeness(broken: usize) -> String {
    match broken {
        0 => "all as they were written".to_owned(),
        1 => "1 is not whole".to_owned(),
        n => format!("{n} are not whole"),
    }
}

/// What trainings keep decoded is mended by them; nothing is lost with it.
fn decoded_text(broken: &decoded::Broken, store: &Store) -> String {
    /// So many items are named.
    const SHOWN: usize = 5;
    let path = broken.path.strip_prefix(store.root());
    let path = path.unwrap_or(&broken.path).display();
    match &broken.damaged {
        Ok((items, all)) => {
            let names = items[..items.len().min(SHOWN)].join(", ");
            let more = if items.len() > SHOWN { ", …" } else { "" };
            format!(
                "{path}  damaged: {} of {all} ({names}{more}); left in its place; the next training that reads them decodes \
                 them again\n",
                items.len()
            )
        }
        Err(why) => format!(
            "{path}  damaged: {why}; left in its place; the next training that wants it makes it anew\n"
        ),
    }
}

fn broken_text(broken: &Broken, names: &[(String, Key)]) -> String {
    let name = names.iter().find(|(_, key)| *key == broken.key);
    let name = name.map_or("a stage", |(name, _)| name);
    let mut what = Vec::new();
    if !broken.damaged.is_empty() {
        what.push(format!("damaged: {}", broken.damaged.join(", ")));
    }
    if !broken.missing.is_empty() {
        what.push(format!("gone: {}", broken.missing.join(", ")));
    }
    let then = match &broken.moved {
        Some(Ok(folder)) => format!("moved to {}", folder.display()),
        Some(Err(error)) => format!("not moved: {error}"),
        None => "left in its place".to_owned(),
    };
    format!(
        "{:.12}  {name} ({})  {}; {then}; the next run that needs it computes it again\n",
        broken.key,
        broken.kind,
        what.join("; ")
    )
}

fn pin_stages(root: &RootArgs, args: &PinArgs) -> Result<Exit, Fatal> {
    let session = open_stages(root, &args.stages, Access::Note)?;
    for (name, key) in finished(&session)? {
        let note = args.note.clone().unwrap_or_else(|| name.clone());
        session.store.pin(&key, &note)?;
        say(&format!("{name}: pinned ({key:.12})"));
    }
    Ok(Exit::Done)
}

fn unpin_stages(root: &RootArgs, args: &UnpinArgs) -> Result<Exit, Fatal> {
    let session = open_stages(root, &args.stages, Access::Note)?;
    for (name, key) in finished(&session)? {
        if session.store.unpin(&key)? {
            say(&format!("{name}: not pinned any more"));
        } else {
            say(&format!("{name}: was not pinned"));
        }
    }
    Ok(Exit::Done)
}

fn open_stages(root: &RootArgs, stages: &FileStages, access: Access) -> Result<Session, Fatal> {
    let arguments = stages.pipeline(root)?;
    // Where there is no cache, none is made to find nothing in it.
    let folder = arguments.reading.root.clone();
    let folder = folder.unwrap_or_else(|| root::of_file(&arguments.file));
    let access = if root::cache(&folder).exists() {
        access
    } else {
        Access::Read
    };
    let mut session = open_session(&arguments, access)?;
    session.check_writable()?;
    Ok(session)
}

fn export_archive(root: &RootArgs, args: &ArchiveArgs) -> Result<Exit, Fatal> {
    let ArchiveArgs {
        stages,
        output: to,
        overwrite,
    } = args;
    let session = open_stages(root, stages, Access::Read)?;
    let keys: Vec<Key> = finished(&session)?
        .into_iter()
        .map(|(_, key)| key)
        .collect();
    let wrong = |e: std::io::Error| {
        Fatal::failed(
            format!("cannot write `{}`: {e}", to.display()),
            "free space or permissions are missing",
        )
    };
    check_place(to, &session.pipeline.sources)?;
    if !*overwrite && std::fs::symlink_metadata(to).is_ok() {
        return Err(Fatal::usage(
            format!("`{}` is there already", files::Name(to)),
            "name another file, or replace it with --overwrite",
        ));
    }
    // Written beside and renamed: an archive under its name is whole.
    let beside = to.with_extension("unfinished");
    // What an interrupted one left may be a link by now: it goes, and nothing is written through it.
    let _ = std::fs::remove_file(&beside); // mostly there is none
    let mut file = BufWriter::new(File::create_new(&beside).map_err(wrong)?);
    let report = session.store.export(&keys, &mut file)?;
    file.into_inner()
        .map_err(|e| wrong(e.into_error()))?
        .sync_all()
        .map_err(wrong)?;
    std::fs::rename(&beside, to).map_err(wrong)?;
    say(&format!(
        "{}, {}, {} → {}",
        counted(report.keys.len(), "result"),
        counted(report.amount.files as usize, "file"),
        bytes(report.amount.bytes),
        to.display()
    ));
    say_of_secrets(&session.store, &keys, &to.display().to_string());
    Ok(Exit::Done)
}

fn import_archive(store: &Store, from: &Path) -> Result<Exit, Fatal> {
    let file = files::open(from).map_err(|e| {
        Fatal::usage(
            format!("cannot read `{}`: {e}", from.display()),
            "name an archive that `pipeline cache archive` has written",
        )
    })?;
    let report = store.import(&mut BufReader::new(file))?;
    say(&format!(
        "{} imported ({}), {} present already, {} being computed",
        counted(report.imported.len(), "result"),
        bytes(report.amount.bytes),
        report.skipped.len(),
        report.busy.len()
    ));
    say_of_secrets(store, &report.imported, &from.display().to_string());
    Ok(Exit::Done)
}

/// What is in an archive is read by whoever gets it.
fn say_of_secrets(store: &Store, keys: &[Key], archive: &str) {
    let records = keys
        .iter()
        .filter_map(|key| store.record(key).ok().flatten());
    let commands: Vec<_> = records.filter(|record| record.kind == "command").collect();
    let named = commands
        .iter()
        .flat_map(|record| scrub::named(&record.manifest, &[]));
    let names: BTreeSet<String> = named.map(|(name, _)| name).collect();
    if !names.is_empty() {
        let names: Vec<String> = names.into_iter().collect();
        say(&format!(
            "warning: `{archive}` holds the values of {} in clear text\nhint: `secrets:` keeps them out; \
             `pipeline cache scrub` removes results that hold them",
            names.join(", ")
        ));
    } else if !commands.is_empty() {
        say(&format!(
            "note: `{archive}` holds what `run:`, `shell:` and `env:` of commands said, in clear text; nothing of `secrets:`"
        ));
    }
}
