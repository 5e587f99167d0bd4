//! What a command has left of its outputs, those that patterns fit among them, and how readers of the stage see these.
//! Unaware of how it ran.
//!
//! ```text
//!   outputs: [r/x, 'r/*.csv'] ── the folder as the command left it ──> r/x, r/a.csv, r/b.csv: kept, all else is removed
//!                             └─ the stored result ──────────────────> in/x, in/a.csv, in/b.csv of a reader
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use files::{Ignored, Pattern};
use spec::Places;

use super::failure::Failure;
use super::process::io_failure;

/// Where the outputs lie in `out`, each checked; `written` is what the file calls them. What was placed as an input, in
/// `inputs`, is fitted by no pattern.
pub(super) fn made(
    out: &Path,
    places: &Places,
    written: &[PathBuf],
    inputs: &[PathBuf],
) -> Result<BTreeSet<PathBuf>, Failure> {
    let mut made = BTreeSet::new();
    let mut names: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for (at, shown) in written.iter().enumerate() {
        let found = found(out, places, at, inputs)?;
        if found.is_empty() {
            return Err(none_fits(shown));
        }
        for (name, path) in found {
            let shown = written_as(shown, places, at, &path);
            if spec::OURS.iter().any(|ours| path.starts_with(ours)) {
                return Err(in_ours(&path));
            }
            let full = out.join(path);
            check(out, &full, &shown)?;
            if let Some(other) = names.insert(name.clone(), shown.clone()) {
                return Err(same_name(&name, &other, &shown));
            }
            made.insert(full);
        }
    }
    Ok(made)
}

/// The outputs of a stored result in the folder `from`: the name that a reader sees each under, and where it is.
pub(super) fn for_readers(
    from: &Path,
    places: &Places,
) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let mut all = Vec::new();
    for at in 0..places.outputs.len() {
        let found = found(from, places, at, &[])?.into_iter();
        all.extend(found.map(|(name, path)| (name, from.join(path))));
    }
    Ok(all)
}

/// What lies in `out` of output `at`: the name for readers, and the path. A path that is there as it is written is no
/// pattern, as among inputs; one that is no pattern need not be there.
fn found(
    out: &Path,
    places: &Places,
    at: usize,
    inputs: &[PathBuf],
) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let output = &places.outputs[at];
    let is_there = || fs::symlink_metadata(out.join(output)).is_ok();
    let pattern = places.patterns.get(&at).filter(|_| !is_there());
    let Some(pattern) = pattern else {
        let name = output.file_name().unwrap_or_default();
        return Ok(vec![(name.into(), output.clone())]);
    };
    let folder = out.join(pattern.fixed());
    let ignored = Ignored::default();
    let leaves_out = |name: &Path, is_folder| {
        ignored.covers(name, is_folder) || inputs.contains(&folder.join(name))
    };
    let fitting = files::fitting(&pattern.below(folder.clone()), false, &leaves_out);
    let fitting = fitting.map_err(|e| io_failure("list", &folder, &e.into()))?;
    let found = fitting.into_iter().map(|name| {
        let path = pattern.fixed().join(&name);
        (name, path)
    });
    Ok(found.collect())
}

/// What lies at `path` of the project, as the file would call it where `shown` is the output there.
fn written_as(shown: &Path, places: &Places, at: usize, path: &Path) -> PathBuf {
    let inside = path.strip_prefix(places.folder_of(at)).ok();
    match (Pattern::parse(shown), inside) {
        (Ok(Some(pattern)), Some(inside)) => pattern.fixed().join(inside),
        _ => shown.to_path_buf(),
    }
}

fn none_fits(shown: &Path) -> Failure {
    Failure::new(
        format!(
            "the output `{}` fits nothing although the command ended well",
            files::Name(shown)
        ),
        "`*` stands for a part of one name and `**` for folders; at least one file or folder fits each pattern",
    )
}

/// What a file names was looked at before; what a pattern fits is known now.
fn in_ours(path: &Path) -> Failure {
    Failure::new(
        format!(
            "the output `{}` would lie in a folder of pipeline's own",
            files::Name(path)
        ),
        "write it elsewhere, or let the patterns of `outputs:` fit neither `cache` nor `reports` of the project folder",
    )
}

fn same_name(name: &Path, one: &Path, other: &Path) -> Failure {
    Failure::new(
        format!(
            "the outputs `{}` and `{}` would both be `{}` to who reads the stage",
            files::Name(one),
            files::Name(other),
            files::Name(name)
        ),
        "a pattern's folder is the part in front of its first `*`: name one that is around both",
    )
}

fn check(out: &Path, full: &Path, shown: &Path) -> Result<(), Failure> {
    let hint = "an output is a file or a folder that the command writes at this path";
    let wrong = |what: &str| {
        Err(Failure::new(
            format!("the output `{}` {what}", files::Name(shown)),
            hint,
        ))
    };
    // What lies behind a link is somebody else's.
    let above = full.ancestors().skip(1);
    let mut above = above.take_while(|folder| folder.starts_with(out));
    if above.any(Path::is_symlink) {
        return wrong("lies behind a link");
    }
    match fs::symlink_metadata(full) {
        Err(_) => wrong("is missing although the command ended well"),
        Ok(meta) if meta.is_symlink() => wrong("is a link"),
        Ok(meta) if meta.is_dir() => check_links(full, shown),
        Ok(meta) if meta.is_file() => Ok(()),
        Ok(_) => wrong("is neither a file nor a folder"),
    }
}

/// A link in a folder is kept as it is where it stays in there: wherever the folder is read, it leads to the same.
fn check_links(full: &Path, shown: &Path) -> Result<(), Failure> {
    let link = store::link_out_of(full).map_err(|e| io_failure("list", full, &e))?;
    let Some(link) = link else {
        return Ok(());
    };
    let place = link.strip_prefix(full).unwrap_or(&link);
    Err(Failure::new(
        format!(
            "the output `{}` holds a link that leads out of it: `{}`",
            files::Name(shown),
            files::Name(place)
        ),
        "copy what it leads to (`cp -L`), or let it lead to something in the same folder, by a relative path",
    ))
}
