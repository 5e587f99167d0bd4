//! `pipeline cache scrub`: removes values of variables that records, logs and journals hold in clear text.
//! Unaware of plans. What is left out of reach: outputs that a command wrote a value into, archives elsewhere, backups.
//!
//! ```text
//!   names ── values: from manifests (`config.env.NAME`) and journals (what `${NAME}` was)
//!                │
//!   records that hold one: the result goes, since its key is made of the value    logs, journals: `***` in its place
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use store::{Key, Store};
use walkdir::WalkDir;

use super::args::ScrubArgs;
use super::{Exit, Fatal, print};
use diagnostics::shown::counted;
use engine::history::{History, RunStatus, changed};
use engine::run::Masker;

/// Removes them, and says what was removed.
pub fn scrub(store: &Store, args: &ScrubArgs) -> Result<Exit, Fatal> {
    let manifests = manifests(store)?;
    let history = History::open(store.root());
    let values = values(&manifests, &history, &args.names);
    let texts: BTreeSet<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
    let holds = |(key, manifest): &(Key, String)| {
        let long = texts.iter().filter(|text| text.len() >= SHORTEST);
        let text = long
            .into_iter()
            .any(|text| manifest.contains(&escaped(text)));
        (text || !named(manifest, &args.names).is_empty()).then_some(*key)
    };
    let keys: Vec<Key> = manifests.iter().filter_map(holds).collect();
    let mut busy = 0;
    for key in keys.iter().filter(|_| !args.dry_run) {
        busy += usize::from(!remove(store, key)?);
    }
    let mut masker = Masker::new(texts.into_iter());
    let mut files = Files {
        masker: &mut masker,
        dry_run: args.dry_run,
        rewritten: 0,
    };
    files.below(&store.root().join("logs"))?;
    files.below(&store.root().join("damaged"))?;
    let logs = files.rewritten;
    for id in history.ids() {
        if history
            .read(id)
            .is_ok_and(|past| past.status == RunStatus::Running)
        {
            busy += 1;
        } else {
            files.journal(
                &store.root().join("runs").join(format!("{id}.jsonl")),
                &args.names,
            )?;
        }
    }
    print(&report(
        args,
        &values,
        keys.len(),
        logs,
        files.rewritten - logs,
    ));
    if busy == 0 {
        return Ok(Exit::Done);
    }
    let hint = "run `pipeline cache scrub` again when the runs have ended";
    Err(Fatal::failed(
        format!("{busy} of them are in use and were left"),
        hint,
    ))
}

/// The largest file that is looked through.
const MAX_BYTES: u64 = 8 << 30;

/// Shorter values are looked for under their names alone: elsewhere they may be any text.
const SHORTEST: usize = 4;

/// What was found, in words.
fn report(
    args: &ScrubArgs,
    values: &BTreeSet<(String, String)>,
    results: usize,
    logs: usize,
    journals: usize,
) -> String {
    let names: BTreeSet<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
    if results + logs + journals == 0 {
        return "nothing is kept in clear text under these names\n".into();
    }
    let names: Vec<&str> = names.into_iter().collect();
    let would = if args.dry_run { "would be " } else { "" };
    format!(
        "{}: {} {would}removed, {} and {} {would}rewritten\n\
         outputs that hold a value, archives and backups are not looked at; change the secret where it was shared\n",
        names.join(", "),
        counted(results, "result"),
        counted(logs, "log"),
        counted(journals, "journal")
    )
}

/// The manifests of all records that can be read.
fn manifests(store: &Store) -> Result<Vec<(Key, String)>, Fatal> {
    let mut found = Vec::new();
    for key in store.keys()? {
        if let Ok(Some(record)) = store.record(&key) {
            found.push((key, record.manifest));
        }
    }
    Ok(found)
}

fn is_meant(name: &str, names: &[String]) -> bool {
    if names.is_empty() {
        spec::is_sensitive(name)
    } else {
        names.iter().any(|n| n == name)
    }
}

/// The variables of these names that a manifest holds, with their values.
pub fn named(manifest: &str, names: &[String]) -> Vec<(String, String)> {
    let variables = manifest.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("config.env.")?.split_once('\t')?;
        is_meant(name, names).then(|| (name.to_owned(), unescaped(value)))
    });
    variables
        .filter(|(_, value)| !value.is_empty() && value != "***")
        .collect()
}

fn values(
    manifests: &[(Key, String)],
    history: &History,
    names: &[String],
) -> BTreeSet<(String, String)> {
    let mut values: BTreeSet<(String, String)> = BTreeSet::new();
    for (_, manifest) in manifests {
        values.extend(named(manifest, names));
    }
    for past in history.ids().iter().filter_map(|id| history.read(id).ok()) {
        let env: BTreeMap<String, String> = past.header.env;
        let meant = env.into_iter().filter(|(name, _)| is_meant(name, names));
        values.extend(meant.filter(|(_, value)| !value.is_empty() && value != "***"));
    }
    values
}

/// As manifests spell a value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, c == '\\') {
            (_, true) => match characters.next() {
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            (c, false) => out.push(c),
        }
    }
    out
}

/// Removes a result with its record. False where somebody is at it.
fn remove(store: &Store, key: &Key) -> Result<bool, Fatal> {
    match store.quarantine(key) {
        Ok(folder) => std::fs::remove_dir_all(&folder)
            .map_err(|e| wrong(&folder, &e))
            .map(|()| true),
        Err(store::StoreError::Absent { .. }) => Ok(true),
        Err(store::StoreError::Busy { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn wrong(path: &Path, error: &std::io::Error) -> Fatal {
    Fatal::failed(
        format!("cannot clear `{}`: {error}", path.display()),
        "its permissions say why",
    )
}

/// Rewrites files that hold a value.
struct Files<'m> {
    masker: &'m mut Masker,
    dry_run: bool,
    rewritten: usize,
}

impl Files<'_> {
    /// All files below a folder.
    fn below(&mut self, folder: &Path) -> Result<(), Fatal> {
        for entry in WalkDir::new(folder).into_iter().flatten() {
            if entry.file_type().is_file() {
                self.file(entry.path(), |masker, text| masker.borrow_mut().whole(text))?;
            }
        }
        Ok(())
    }

    /// A journal: values of variables go by their names too, however short they are.
    fn journal(&mut self, path: &Path, names: &[String]) -> Result<(), Fatal> {
        self.file(path, |masker, text| {
            let whole = String::from_utf8_lossy(text);
            let scrubbed = |line: &str| {
                let masked = masker.borrow_mut().whole(line.as_bytes());
                without_env(&String::from_utf8_lossy(&masked), names)
            };
            let lines = whole
                .split_inclusive('\n')
                .map(|line| changed(line, scrubbed));
            lines.collect::<String>().into_bytes()
        })
    }

    fn file(
        &mut self,
        path: &Path,
        scrubbed: impl Fn(&RefCell<&mut Masker>, &[u8]) -> Vec<u8>,
    ) -> Result<(), Fatal> {
        let Ok(before) = files::read(path, MAX_BYTES) else {
            return Ok(()); // gone meanwhile
        };
        let after = scrubbed(&RefCell::new(self.masker), &before);
        if after == before {
            return Ok(());
        }
        self.rewritten += 1;
        if self.dry_run {
            return Ok(());
        }
        // Written beside and renamed, so that a crash leaves one of the two.
        let beside = path.with_extension("scrubbed");
        std::fs::write(&beside, after)
            .and_then(|()| std::fs::rename(&beside, path))
            .map_err(|e| wrong(path, &e))
    }
}

fn without_env(line: &str, names: &[String]) -> String {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(line) else {
        return line.to_owned();
    };
    let env = value.get_mut("run").and_then(|run| run.get_mut("env"));
    let mut changed = false;
    for (name, value) in env
        .and_then(|env| env.as_object_mut())
        .into_iter()
        .flatten()
    {
        if is_meant(name, names) && value != "***" {
            *value = "***".into();
            changed = true;
        }
    }
    if changed {
        format!("{value}\n")
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_manifests_under_their_names() {
        let manifest = "stage command 1\nconfig.env.API_KEY\tab\\ncd\\\\\nconfig.env.HOME\t/x\nconfig.pass.TOKEN\tff\n";
        let found = named(manifest, &[]);
        assert_eq!(found, [("API_KEY".to_owned(), "ab\ncd\\".to_owned())]);
        assert_eq!(escaped(&found[0].1), "ab\\ncd\\\\");
        assert_eq!(named(manifest, &["HOME".into()]).len(), 1);
    }

    #[test]
    fn a_journal_line_keeps_all_but_the_values() {
        let line = "{\"run\":{\"env\":{\"DATA\":\"/d\",\"TOKEN\":\"x\"},\"id\":\"1\"}}\n";
        let found = without_env(line, &[]);
        assert_eq!(
            found,
            "{\"run\":{\"env\":{\"DATA\":\"/d\",\"TOKEN\":\"***\"},\"id\":\"1\"}}\n"
        );
        assert_eq!(without_env("torn {\n", &[]), "torn {\n");
    }
}
