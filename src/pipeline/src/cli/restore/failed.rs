//! Photographs that cannot be restored: the others are, and the end of the command says which were not.
//! Unaware of why they cannot.

use diagnostics::shown::counted;

use super::photos::{Failed, Photo, Photos};
use crate::cli::ask::Facts;
use crate::cli::{Exit, Fatal, say, say_all};

/// Says at once what is left out: a restoration may take long.
pub fn left_out(photos: &Photos) {
    for failed in &photos.failed {
        say(&format!("left out: {}", reason(failed)));
    }
}

/// The error where no photograph can be restored.
pub fn none_is_left(failed: Vec<Failed>) -> Result<Exit, Fatal> {
    let count = failed.len();
    match <[Failed; 1]>::try_from(failed) {
        Ok([only]) => Err(only.why),
        Err(all) => {
            for failed in &all {
                say_all(&failed.why.diagnostics);
            }
            let what = counted(count, "photograph");
            Err(Fatal::failed(format!("none of {what} can be restored"), ""))
        }
    }
}

/// Adds what the worker could not restore.
pub fn add(photos: &mut Photos, facts: &Facts) {
    let list = facts.get("failed").and_then(|list| list.as_array());
    for one in list.into_iter().flatten() {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let at = one["at"].as_u64().and_then(|at| usize::try_from(at).ok());
        let Some(photo) = at.and_then(|at| photos.each.get_mut(at)) else {
            continue;
        };
        photo.is_restored = false;
        let failed = Failed {
            shown: photo.shown(),
            why: Fatal::failed(text("message"), text("hint")),
        };
        photos.failed.push(failed);
    }
}

/// The list of what was not restored, and the exit code; the error of the page comes after the list.
pub fn at_the_end(photos: &Photos, page: Result<(), Fatal>) -> Result<Exit, Fatal> {
    if photos.failed.is_empty() {
        return page.map(|()| Exit::Done);
    }
    for failed in &photos.failed {
        say(&format!(
            "not restored: {}: {}",
            failed.shown,
            reason(failed)
        ));
    }
    page?;
    let of = photos.failed.len() + photos.restored().count();
    let message = format!(
        "{} of {of} photographs could not be restored",
        photos.failed.len()
    );
    Err(Fatal::failed(
        message,
        "the others are there; mend or leave out those that are listed above",
    ))
}

/// Why, in a line.
fn reason(failed: &Failed) -> &str {
    let first = failed.why.diagnostics.first.first();
    let message = first.map_or("", |diagnostic| diagnostic.message.as_str());
    message.lines().next().unwrap_or_default()
}

impl Photos {
    /// Those that are restored.
    pub fn restored(&self) -> impl Iterator<Item = &Photo> {
        self.each.iter().filter(|photo| photo.is_restored)
    }
}
