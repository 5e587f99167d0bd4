//! Remembers which keys the stages of a pipeline file last had, so that a plan can say what changed since.
//! Unaware of what stages and keys are for. It can be lost at any time: that costs only an explanation.
//!
//! One log a pipeline file: a first line for people, then one `["stage","key","checksum"]` a line; the last one of a stage
//! counts. Earlier programs wrote no checksums.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::atomic::{Flush, replace};
use crate::error::at;
use crate::layout::Layout;
use crate::stat::Stat;
use crate::{Digest, Key, Result, lock};

/// A log is looked at for compaction each time that it grew by this many bytes.
const STEP: u64 = 256 << 10;

/// The largest log that is read: a million stages take half of it.
const MAX_BYTES: u64 = 1 << 30;

/// The last keys of a pipeline file as they were at one time.
#[derive(Debug)]
pub(crate) struct Noted {
    log: PathBuf,
    stat: Stat,
    keys: BTreeMap<String, Key>,
}

impl Noted {
    /// Nothing where there is no log yet.
    pub(crate) fn read(layout: &Layout, pipeline: &Path) -> Option<Self> {
        let log = log_of(layout, pipeline).path;
        let stat = Stat::of(&fs::symlink_metadata(&log).ok()?);
        let keys = read(layout, pipeline);
        Some(Self { log, stat, keys })
    }

    /// The keys, if this is the file and nothing was noted since: a log grows with each note, or is another file.
    pub(crate) fn still(&self, layout: &Layout, pipeline: &Path) -> Option<BTreeMap<String, Key>> {
        let log = log_of(layout, pipeline).path;
        let meta = fs::symlink_metadata(&log).ok()?;
        (log == self.log && Stat::of(&meta) == self.stat).then(|| self.keys.clone())
    }
}

/// The last key of each stage. Lines that cannot be read, such as a torn last one, count as not written.
pub(crate) fn read(layout: &Layout, pipeline: &Path) -> BTreeMap<String, Key> {
    let bytes = files::read(&log_of(layout, pipeline).path, MAX_BYTES).unwrap_or_default();
    bytes
        .split(|&byte| byte == b'\n')
        .filter_map(noted)
        .collect()
}

/// What a whole line notes.
fn noted(line: &[u8]) -> Option<(String, Key)> {
    if let Ok(unsealed) = serde_json::from_slice::<(String, Key)>(line) {
        return Some(unsealed);
    }
    let (name, key, sum) = serde_json::from_slice::<(String, Key, String)>(line).ok()?;
    (sum_of(&name, &key) == sum).then_some((name, key))
}

fn sum_of(name: &str, key: &Key) -> String {
    format!("{:.8}", Digest::of(format!("{name}\t{key}").as_bytes()))
}

/// The pipeline files that have a log, as far as their titles can be read.
pub(crate) fn pipelines(layout: &Layout) -> Vec<PathBuf> {
    let root = layout.root();
    let project = root.parent().unwrap_or(root);
    let logs = fs::read_dir(layout.last(""))
        .into_iter()
        .flatten()
        .flatten();
    let logs = logs.map(|entry| entry.path());
    let logs = logs.filter(|path| path.extension().is_some_and(|e| e == "log"));
    let title = |path: PathBuf| {
        let text = files::read_to_string(&path, MAX_BYTES).ok()?;
        let name = text.lines().next()?.strip_prefix("# ")?.to_owned();
        Some(project.join(unescaped(&name)?))
    };
    let mut files: Vec<PathBuf> = logs.filter_map(title).collect();
    files.sort();
    files
}

/// A title is a name in JSON; earlier programs wrote it as it is.
fn unescaped(name: &str) -> Option<String> {
    if name.starts_with('"') {
        serde_json::from_str(name).ok()
    } else {
        Some(name.to_owned())
    }
}

/// Adds keys in one write.
pub(crate) fn append(layout: &Layout, pipeline: &Path, keys: &[(String, Key)]) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let log = log_of(layout, pipeline);
    let _held = lock::wait(&layout.last("lock"))?;
    let (before, after) = write_lines(&log, keys).map_err(at("write", &log.path))?;
    if before / STEP == after / STEP {
        return Ok(());
    }
    compact(layout, pipeline, &log, after)
}

/// Writes at the end, after a line end of its own where the last line is torn. The sizes before and after.
fn write_lines(log: &Log, keys: &[(String, Key)]) -> io::Result<(u64, u64)> {
    let mut options = File::options();
    let mut file = files::open_with(options.read(true).append(true).create(true), &log.path)?;
    let before = file.metadata()?.len();
    let mut text = if before == 0 {
        log.title()
    } else {
        String::new()
    };
    if before > 0 && last_byte(&mut file)? != b'\n' {
        text.push('\n');
    }
    push_lines(&mut text, keys.iter().map(|(name, key)| (name, key)));
    file.write_all(text.as_bytes())?;
    Ok((before, before + text.len() as u64))
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut byte = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Rewrites the log with the last key of each stage, if that halves it.
fn compact(layout: &Layout, pipeline: &Path, log: &Log, size: u64) -> Result<()> {
    let mut text = log.title();
    push_lines(&mut text, &read(layout, pipeline));
    if text.len() as u64 * 2 > size {
        Ok(())
    } else {
        replace(&log.path, text.as_bytes(), Flush::No)
    }
}

fn push_lines<'a>(text: &mut String, keys: impl IntoIterator<Item = (&'a String, &'a Key)>) {
    for (name, key) in keys {
        let sum = sum_of(name, key);
        let name = serde_json::Value::from(name.as_str());
        let _ = writeln!(text, "[{name},\"{key}\",\"{sum}\"]"); // a String takes all
    }
}

/// Where the log of a pipeline file lies, and what that file is called.
struct Log {
    path: PathBuf,
    pipeline: String,
}

impl Log {
    fn title(&self) -> String {
        format!("# {}\n", serde_json::Value::from(self.pipeline.as_str()))
    }
}

/// A file beside or below the cache's parent is known by its relative path, so that a project may move.
fn log_of(layout: &Layout, pipeline: &Path) -> Log {
    let full = |path: &Path| {
        path.canonicalize()
            .or_else(|_| std::path::absolute(path))
            .unwrap_or(path.to_path_buf())
    };
    let (root, file) = (full(layout.root()), full(pipeline));
    let project = root.parent().unwrap_or(&root);
    let known = file.strip_prefix(project).unwrap_or(&file);
    let name = format!(
        "{:.16}.log",
        Digest::of(known.as_os_str().as_encoded_bytes())
    );
    Log {
        path: layout.last(&name),
        pipeline: known.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Key {
        Key::of_manifest(&n.to_string())
    }

    fn cache() -> (tempfile::TempDir, Layout) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(&folder.path().join("cache"));
        layout.create().unwrap();
        (folder, layout)
    }

    #[test]
    fn the_last_key_of_a_stage_counts_and_files_are_apart() {
        let (_folder, layout) = cache();
        let (one, two) = (Path::new("one.yaml"), Path::new("two.yaml"));
        append(
            &layout,
            one,
            &[("a".into(), key(1)), ("odd \"\n\t name".into(), key(2))],
        )
        .unwrap();
        append(&layout, one, &[("a".into(), key(3))]).unwrap();
        append(&layout, two, &[("a".into(), key(4))]).unwrap();
        let expected = BTreeMap::from([("a".into(), key(3)), ("odd \"\n\t name".into(), key(2))]);
        assert_eq!(read(&layout, one), expected);
        assert_eq!(read(&layout, two), BTreeMap::from([("a".into(), key(4))]));
        assert_eq!(read(&layout, Path::new("three.yaml")), BTreeMap::new());
    }

    #[test]
    fn a_flipped_bit_loses_a_line_and_never_gives_another_key() {
        let (_folder, layout) = cache();
        let pipeline = Path::new("flip.yaml");
        append(&layout, pipeline, &[("a".into(), key(1))]).unwrap();
        let path = log_of(&layout, pipeline).path;
        let whole = fs::read(&path).unwrap();
        let begin = whole.iter().position(|&byte| byte == b'\n').unwrap();
        for bit in begin * 8..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &flipped).unwrap();
            let found = read(&layout, pipeline);
            let expected = BTreeMap::from([("a".to_owned(), key(1))]);
            assert!(found.is_empty() || found == expected, "bit {bit}");
        }
    }

    #[test]
    fn a_log_cut_anywhere_keeps_its_whole_lines_and_takes_more() {
        let (_folder, layout) = cache();
        let pipeline = Path::new("cut.yaml");
        append(
            &layout,
            pipeline,
            &[("a".into(), key(1)), ("b".into(), key(2))],
        )
        .unwrap();
        let path = log_of(&layout, pipeline).path;
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            append(&layout, pipeline, &[("c".into(), key(3))]).unwrap();
            let found = read(&layout, pipeline);
            assert_eq!(found.get("c"), Some(&key(3)), "{length} bytes");
            assert!(found.get("a").is_none_or(|found| *found == key(1)));
            assert!(!found.contains_key("b") || length == whole.len() - 1);
        }
    }

    #[test]
    fn a_log_stays_within_two_steps() {
        let (_folder, layout) = cache();
        let pipeline = Path::new("long.yaml");
        for n in 0..200 {
            let keys: Vec<(String, Key)> = (0..50)
                .map(|stage| (format!("s{stage}"), key(n + stage)))
                .collect();
            append(&layout, pipeline, &keys).unwrap();
        }
        assert!(fs::metadata(log_of(&layout, pipeline).path).unwrap().len() < STEP);
        let found = read(&layout, pipeline);
        assert!((0..50).all(|stage| found[&format!("s{stage}")] == key(199 + stage)));
    }

    #[test]
    fn a_project_may_move() {
        let folder = tempfile::tempdir().unwrap();
        let (before, after) = (folder.path().join("before"), folder.path().join("after"));
        fs::create_dir_all(before.join("pipelines")).unwrap();
        fs::write(before.join("pipelines/a.yaml"), "").unwrap();
        let layout = Layout::new(&before.join("cache"));
        layout.create().unwrap();
        append(
            &layout,
            &before.join("pipelines/a.yaml"),
            &[("a".into(), key(1))],
        )
        .unwrap();
        fs::rename(&before, &after).unwrap();
        let found = read(
            &Layout::new(&after.join("cache")),
            &after.join("pipelines/a.yaml"),
        );
        assert_eq!(found, BTreeMap::from([("a".into(), key(1))]));
    }
}
