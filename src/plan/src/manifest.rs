//! What determines a result, as a text of sorted lines; its hash is the key.
//! Unaware of what is stored, and of what kinds there are: each writes its lines in its own file.

use spec::{Around, External, Kind, Lines, Listing, Pipeline, Tag};
use store::{Digest, Key};

use super::Outside;

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
        let name = match stage.places.files.get(n) {
            Some(Some(place)) => format!("{}/{}", external.role, place.display()),
            Some(None) => format!("{}/{}", external.role, external.path.display()),
            None => external.role.to_owned(),
        };
        files(kind, external, &name, outside, &mut lines);
    }
    if let Some(tag) = kind.numerics() {
        lines.put(tag, "numerics", numerics);
    }
    lines.into_text(&format!("stage {} {}", kind.name(), kind.version()))
}

/// The lines of the files at an external path, which `shown` names in them.
fn files(kind: &Kind, external: &External, shown: &str, outside: &Outside, lines: &mut Lines) {
    let External {
        field: _,
        role,
        path,
        listing,
        tag,
        place: _,
    } = external;
    let Some(Ok(files)) = outside.get(&(*listing, path.clone())) else {
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
    for (name, digest) in wanted.by_ref() {
        let path = format!("outside.{shown}/{name}");
        lines.file(*tag, &path, digest, twin(*listing));
    }
}

/// What is behind the second of two equal names. Images' names end as images do; a command's may be any, and none has a
/// lone backslash in a line.
const fn twin(listing: Listing) -> &'static str {
    match listing {
        Listing::All => "\\+",
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
