//! What determines a result, as a text of sorted lines; its hash is the key.
//! Unaware of what is stored, and of what kinds there are: each writes its lines in its own file.

use std::path::{Path, PathBuf};

use files::Pattern;
use spec::{Around, External, Kind, Lines, Listing, Pipeline, Selection, Tag};
use store::{Digest, Key};

use crate::world::Outside;

/// What the names of files begin with that a pattern fits; no path does. What stands behind it is the path in the pattern's
/// folder, with a `/` behind a file that is fitted itself.
pub const FITTED: &str = "/";

/// A text and the tag of each of its lines.
pub(super) type Manifest = (String, Box<[Tag]>);

/// The manifest of stage `at`: first line `stage <kind> <version>`, then `path<TAB>value` lines in order of path.
pub(super) fn manifest(
    pipeline: &Pipeline,
    at: usize,
    inputs: &[(&str, Tag, Key)],
    outside: &Outside,
    numerics: &str,
) -> Manifest {
    let stage = &pipeline.stages[at];
    let kind = &stage.kind;
    let mut lines = Lines::new(|bytes| Digest::of(bytes).to_string());
    kind.lines(&Around::new(pipeline, at), &mut lines);
    for (role, tag, key) in inputs {
        lines.put(*tag, &format!("input.{role}"), key);
    }
    for (n, external) in stage.external.iter().enumerate() {
        // A command reads its files under their paths.
        let place = match stage.places.files.get(n) {
            Some(Some(place)) => Some(place.as_path()),
            Some(None) => Some(external.path.as_path()),
            None => None,
        };
        files(kind, external, place, outside, &mut lines);
    }
    if let Some(tag) = kind.numerics() {
        lines.put(tag, "numerics", numerics);
    }
    lines.into_text(&format!("stage {} {}", kind.name(), kind.version()))
}

/// The lines of the files at an external path, which `place` names in them where it is somewhere.
fn files(
    kind: &Kind,
    external: &External,
    place: Option<&Path>,
    outside: &Outside,
    lines: &mut Lines,
) {
    let External {
        field: _,
        role,
        path,
        listing,
        tag,
        place: _,
    } = external;
    let Some(Ok(files)) = outside.get(&(listing.clone(), path.clone())) else {
        return;
    };
    kind.found(
        role,
        &mut files.iter().map(|(name, _)| name.as_str()),
        lines,
    );
    let mut wanted = files
        .iter()
        .filter(|(name, _)| kind.wants(role, path, name));
    if listing.decodes() && wanted.clone().any(|(name, _)| is_jpeg(name)) {
        lines.put(*tag, "decoder.jpeg", "libjpeg-turbo");
    }
    let twin = twin(listing);
    let named = place.map(|place| format!("outside.{role}/{}/", place.display()));
    let shown = named.unwrap_or_else(|| format!("outside.{role}/"));
    let fitting = place.and_then(|place| folder_of_pattern(listing, place));
    for (name, digest) in wanted.by_ref() {
        // What a pattern fits is named as if the file named it.
        let path = match (&fitting, name.strip_prefix(FITTED)) {
            (Some(folder), Some(name)) => {
                format!("outside.{role}/{}", folder.join(name).display())
            }
            _ => format!("{shown}{name}"),
        };
        lines.file(*tag, &path, digest, twin);
    }
}

/// The folder that the pattern begins in which is written at the end of `place`.
fn folder_of_pattern(listing: &Listing, place: &Path) -> Option<PathBuf> {
    let Listing::All(Selection { written, .. }) = listing else {
        return None;
    };
    let pattern = Pattern::parse(written).ok().flatten()?;
    Some(pattern.folder_of(place, written))
}

/// What is behind the second of two equal names. Images' names end as images do; a command's may be any, and none has a
/// lone backslash in a line.
const fn twin(listing: &Listing) -> &'static str {
    match listing {
        Listing::All(_) => "\\+",
        Listing::Images { .. } | Listing::Masks | Listing::File => "+",
    }
}

/// Whether a file is named as JPEG files are. They were decoded by another library before: its results are none of today's.
fn is_jpeg(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let known = ["jpg", "jpeg", "jpe", "jfif"];
    known.iter().any(|known| known.eq_ignore_ascii_case(ending))
}

/// The key of what two stages have in common that are alike in the lines of these tags; `None` where no line has the one
/// that it is about.
pub(super) fn shared(
    what: &str,
    about: Tag,
    manifest: &str,
    tags: &[Tag],
    is_shared: impl Fn(Tag) -> bool,
) -> Option<Key> {
    if !tags.contains(&about) {
        return None;
    }
    let lines = manifest.split_terminator('\n').zip(tags);
    let lines = lines.filter(|(_, tag)| is_shared(**tag));
    let lines: Vec<&str> = lines.map(|(line, _)| line).collect();
    let text = format!("{what} of {}\n", lines.join("\n"));
    Some(Key::of_manifest(&text))
}
