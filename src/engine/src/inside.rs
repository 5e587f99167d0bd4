//! Where a file that a pipeline file names will really lie: links on the way to it are followed before it is written.
//! Unaware of what is written. Paths were compared by their text before (`spec::command_layout`); here the file system is asked.
//!
//! ```text
//!   <folder>/a/b/c ── the deepest part that is there ── resolved ──> within <folder>? ── b/c ──> where it will lie
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use files::Pattern;
use spec::{Pipeline, Stage};

use crate::error::Error;
use crate::{paths, root};

/// Where `path` below `folder` will really lie, or why it must not be written: outside, or nobody knows where.
pub fn place(folder: &Path, path: &Path) -> Result<PathBuf, String> {
    let text = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    if !path.components().all(text) {
        return Err("it leads out of its folder".into());
    }
    let wrong = |at: &Path, e: &io::Error| format!("`{}` leads nowhere: {e}", files::Name(at));
    let own = match folder.canonicalize() {
        // What is not there yet has no links in it.
        Err(e) if e.kind() == io::ErrorKind::NotFound && !folder.is_symlink() => {
            return Ok(folder.join(path));
        }
        other => other.map_err(|e| wrong(folder, &e))?,
    };
    // The last part is replaced, not followed.
    let above = path.parent().unwrap_or(Path::new(""));
    let there = above
        .ancestors()
        .find(|part| folder.join(part).symlink_metadata().is_ok())
        .unwrap_or(Path::new(""));
    let at = folder.join(there);
    let real = at.canonicalize().map_err(|e| wrong(&at, &e))?;
    let rest = path.strip_prefix(there).unwrap_or(path);
    if real.starts_with(&own) {
        Ok(real.join(rest))
    } else {
        Err(format!(
            "`{}` is a link, or lies behind one, and it would lie in `{}`",
            files::Name(&at),
            real.display()
        ))
    }
}

/// The outputs of all commands and the reports: within the project, no output in a folder of ours, none in another one's
/// place.
pub fn check(pipeline: &Pipeline, root: &Path) -> Result<(), Error> {
    for stage in pipeline.stages.iter().filter(|s| s.kind.is_report()) {
        let report = paths::report(pipeline, root, &stage.name, "table.csv");
        place(root, &report).map_err(|why| refused(&stage.base, &report, &why))?;
    }
    let own = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let sources = pipeline.sources.iter();
    let sources: Vec<PathBuf> = sources
        .filter_map(|file| file.canonicalize().ok())
        .collect();
    // Asked once for each folder, and compared only where a link leads somewhere else.
    let mut folders: BTreeMap<&Path, PathBuf> = BTreeMap::new();
    let (mut around, mut is_linked) = (BTreeSet::new(), false);
    for (stage, output, folder) in outputs(pipeline) {
        if !folders.contains_key(folder) {
            let real = place(root, &folder.join("x"));
            let mut real = real.map_err(|why| refused(&stage.base, output, &why))?;
            real.pop();
            is_linked |= real != own.join(folder);
            if sources.iter().any(|source| source.starts_with(&real)) {
                around.insert(folder);
            }
            folders.insert(folder, real);
        }
        // Most outputs lie in folders without one.
        if !around.contains(folder) {
            continue;
        }
        let place = folders[folder].join(output.strip_prefix(folder).unwrap_or(output));
        let is_taken = |source: &&PathBuf| match stage.places.pattern_of(output) {
            None => source.starts_with(&place),
            Some(pattern) => {
                let inside = source.strip_prefix(&folders[folder]);
                inside.is_ok_and(|inside| inside.ancestors().any(|at| pattern.fits(at)))
            }
        };
        if let Some(source) = sources.iter().find(is_taken) {
            let shown = source.strip_prefix(&own).unwrap_or(source);
            let why = format!("the pipeline file `{}` lies there", files::Name(shown));
            return Err(refused(&stage.base, output, &why));
        }
    }
    no_folder_is_written(pipeline, root)?;
    let cache = root::cache(root);
    let is_elsewhere = cache != root.join("cache");
    if !is_linked && !is_elsewhere {
        return Ok(());
    }
    let ours = ours(root);
    let mut places: BTreeMap<PathBuf, (&str, &Path)> = BTreeMap::new();
    for (stage, output, folder) in outputs(pipeline) {
        let place = folders[folder].join(output.strip_prefix(folder).unwrap_or(output));
        if ours.iter().any(|ours| place.starts_with(ours)) {
            let why = "behind links it lies in a folder of pipeline's own";
            return Err(refused(&stage.base, output, why));
        }
        if let Some((name, path)) = places.insert(place, (&stage.name, output)) {
            let why = format!(
                "behind links it is the output `{}` of `{name}`",
                path.display()
            );
            return Err(refused(&stage.base, output, &why));
        }
    }
    nested(&places)
}

/// An input that is a folder, and an output in it that a pattern may fit: for files, texts were compared before.
fn no_folder_is_written(pipeline: &Pipeline, root: &Path) -> Result<(), Error> {
    let all = pipeline.stages.iter();
    let patterns: Vec<(&Stage, &Pattern)> = all
        .flat_map(|stage| stage.places.patterns.values().map(move |p| (stage, p)))
        .collect();
    if patterns.is_empty() {
        return Ok(());
    }
    for stage in &pipeline.stages {
        for input in stage.external.iter().filter(|input| input.path.is_dir()) {
            let full = std::path::absolute(&input.path).unwrap_or_default();
            let full = spec::normal(&full);
            let Ok(inside) = full.strip_prefix(root) else {
                continue;
            };
            let writes = |(_, pattern): &&(&Stage, &Pattern)| pattern.touches_path(inside);
            if let Some((maker, _)) = patterns.iter().find(writes) {
                return Err(Error::usage(
                    format!(
                        "stages.{}: an output of `{}` may lie in its input `{}`, which is a folder",
                        stage.base,
                        maker.name,
                        files::Name(inside)
                    ),
                    "name the stage under `stages:` to read what it makes, or put the output elsewhere",
                ));
            }
        }
    }
    Ok(())
}

/// Where the folders that belong to the program really lie.
pub fn ours(root: &Path) -> Vec<PathBuf> {
    let named = spec::OURS.iter().map(|name| root.join(name));
    let all = named.chain([root::cache(root)]);
    all.map(|folder| real(&folder)).collect()
}

/// Where a folder lies, links followed; its own path where it is not there yet.
fn real(folder: &Path) -> PathBuf {
    let named = || {
        let above = folder.parent()?.canonicalize().ok()?;
        Some(above.join(folder.file_name()?))
    };
    let there = folder.canonicalize().ok();
    there.or_else(named).unwrap_or_else(|| folder.to_owned())
}

/// Each output, and the folder that it or what it fits lies in.
fn outputs(pipeline: &Pipeline) -> impl Iterator<Item = (&Stage, &Path, &Path)> {
    let of = |stage: &'_ Stage| stage.places.outputs.len();
    let some = pipeline.stages.iter().filter(move |stage| of(stage) > 0);
    some.flat_map(|stage| {
        let places = &stage.places;
        let all = places.outputs.iter().enumerate();
        all.map(move |(at, output)| (stage, output.as_path(), places.folder_of(at)))
    })
}

fn refused(stage: &str, output: &Path, why: &str) -> Error {
    Error::usage(
        format!(
            "stages.{stage}: `{}` is not written: {why}",
            output.display()
        ),
        "what a pipeline file names is written inside the project folder only; name another place, or remove the link",
    )
}

/// One output within another is seen only behind links: texts were compared before.
fn nested(places: &BTreeMap<PathBuf, (&str, &Path)>) -> Result<(), Error> {
    for (place, (name, path)) in places {
        let outer = place.ancestors().skip(1).find_map(|at| places.get(at));
        if let Some((other, outer)) = outer {
            return Err(Error::usage(
                format!(
                    "behind links the output `{}` of `{name}` lies in the output `{}` of `{other}`",
                    files::Name(path),
                    outer.display()
                ),
                "give each stage outputs of its own",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_before_and_the_last_part_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        for (to, at) in [
            ("../outside", "out"),
            ("a", "in"),
            ("nowhere", "dangling"),
            ("loop", "loop"),
            ("../../outside", "a/up"),
            ("../outside/x", "last"),
        ] {
            symlink(to, root.join(at)).unwrap();
        }
        let real = root.canonicalize().unwrap();
        for (path, expected) in [
            ("x", "x"),
            ("new/deep/x", "new/deep/x"),
            ("in/b/x", "a/b/x"),
            ("in/new/x", "a/new/x"),
            ("last", "last"),
        ] {
            assert_eq!(place(&root, Path::new(path)), Ok(real.join(expected)));
        }
        for path in [
            "out/x",
            "out/new/x",
            "in/up/x",
            "dangling/x",
            "loop/x",
            "../x",
            "/x",
        ] {
            assert!(place(&root, Path::new(path)).is_err(), "{path}");
        }
        let new = folder.path().join("new");
        assert_eq!(place(&new, Path::new("x")), Ok(new.join("x")));
    }
}
