//! The page as one file: what lies in `img/`, and the figures, are put into the page itself.
//! Unaware of what they show. The scripts look there first.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::PageError;
use crate::html::{address, in_script};

/// The largest such page, bytes: more is slow to open, and too much for a letter.
pub const MOST: u64 = 20_000_000;

/// Where the files of the page are put into it.
const PLACE: &str = "<script type=\"application/json\" id=\"data\">";

/// The page in `folder` as one file.
///
/// # Errors
/// A file cannot be read, or all of them are more than [`MOST`].
pub fn single(folder: &Path) -> Result<String, PageError> {
    let html = folder.join("index.html");
    let mut text = String::from_utf8_lossy(&read(&html)?).into_owned();
    let mut files = BTreeMap::new();
    let mut bytes = text.len() as u64;
    for name in names(folder)? {
        let shown = Shown::of(&name);
        let place = shown.place(&name);
        if place.as_ref().is_some_and(|place| !text.contains(place)) {
            continue;
        }
        let content = read(&folder.join(&name))?;
        bytes += content.len() as u64 * 4 / 3;
        if bytes > MOST {
            return Err(PageError::Read {
                path: html,
                why: format!("as one file it would have more than {MOST} bytes"),
            });
        }
        let own = shown.content(&content);
        match place {
            Some(place) => {
                let attribute = place.split('=').next().unwrap_or_default();
                text = text.replacen(&place, &format!("{attribute}=\"{own}\""), 1);
            }
            None => drop(files.insert(name, own)),
        }
    }
    let json = serde_json::to_string(&files).unwrap_or_else(|_| "{}".into());
    let own = format!(
        "<script type=\"application/json\" id=\"files\">{}</script>{PLACE}",
        in_script(&json)
    );
    Ok(text.replacen(PLACE, &own, 1))
}

/// How a file gets onto the page.
enum Shown {
    /// As text that scripts run.
    Script,
    /// As a picture that scripts look up by its name.
    Thumbnail,
    /// The graph of stages.
    Graph,
    /// A figure of this media type.
    Figure(&'static str),
}

impl Shown {
    fn of(name: &str) -> Self {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        match (name.starts_with("img/"), ending) {
            (true, Some("js")) => Self::Script,
            (true, Some("svg")) => Self::Graph,
            (true, _) => Self::Thumbnail,
            (false, Some("svg")) => Self::Figure(SVG),
            (false, _) => Self::Figure(PNG),
        }
    }

    /// The attribute of the page that names the file; nothing where scripts look for it.
    fn place(&self, name: &str) -> Option<String> {
        match self {
            Self::Script | Self::Thumbnail => None,
            Self::Graph => Some(format!("data=\"{name}\"")),
            Self::Figure(_) => Some(format!("src=\"{}\"", address(name))),
        }
    }

    fn content(&self, bytes: &[u8]) -> String {
        match self {
            Self::Script => String::from_utf8_lossy(bytes).into_owned(),
            Self::Thumbnail => url(PNG, bytes),
            Self::Graph => url(SVG, bytes),
            Self::Figure(kind) => url(kind, bytes),
        }
    }
}

const PNG: &str = "image/png";
const SVG: &str = "image/svg+xml";

fn url(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", STANDARD.encode(bytes))
}

/// The files of the page: those in `img/`, and the figures.
fn names(folder: &Path) -> Result<Vec<String>, PageError> {
    let mut names = Vec::new();
    for (below, wanted) in [("img/", &["js", "png", "svg"][..]), ("", &["png", "svg"])] {
        let path = folder.join(below);
        let Ok(entries) = std::fs::read_dir(&path) else {
            continue;
        };
        for entry in entries {
            let entry = entry.map_err(|e| PageError::Read {
                path: path.clone(),
                why: e.to_string(),
            })?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let ending = name.rsplit_once('.').map(|(_, ending)| ending);
            if ending.is_some_and(|ending| wanted.contains(&ending)) {
                names.push(format!("{below}{name}"));
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn read(path: &Path) -> Result<Vec<u8>, PageError> {
    files::read(path, 1 << 31).map_err(|e| PageError::Read {
        path: path.to_owned(),
        why: e.to_string(),
    })
}
