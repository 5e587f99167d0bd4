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
        let content = read(&folder.join(&name))?;
        bytes += content.len() as u64 * 4 / 3;
        if bytes > MOST {
            return Err(PageError::Read {
                path: html,
                why: format!("as one file it would have more than {MOST} bytes"),
            });
        }
        match name.rsplit_once('.') {
            Some((_, "js")) => {
                files.insert(name, String::from_utf8_lossy(&content).into_owned());
            }
            Some((_, "svg")) => {
                let place = format!("data=\"{name}\"");
                let graph = format!("data=\"{}\"", url("image/svg+xml", &content));
                text = text.replacen(&place, &graph, 1);
            }
            _ if name.starts_with("img/") => {
                files.insert(name, url("image/png", &content));
            }
            _ => {
                let place = format!("src=\"{}\"", address(&name));
                let figure = format!("src=\"{}\"", url("image/png", &content));
                text = text.replacen(&place, &figure, 1);
            }
        }
    }
    let json = serde_json::to_string(&files).unwrap_or_else(|_| "{}".into());
    let own = format!(
        "<script type=\"application/json\" id=\"files\">{}</script>{PLACE}",
        in_script(&json)
    );
    Ok(text.replacen(PLACE, &own, 1))
}

fn url(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", STANDARD.encode(bytes))
}

/// The files of the page: those in `img/`, and the figures.
fn names(folder: &Path) -> Result<Vec<String>, PageError> {
    let mut names = Vec::new();
    for (below, wanted) in [("img/", &["js", "png", "svg"][..]), ("", &["png"])] {
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
