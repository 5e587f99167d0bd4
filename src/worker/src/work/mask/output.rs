//! What a mask stage leaves: a file of masks for each image, a list of all with counts, a summary in words.
//! Unaware of who makes the masks.

use artifacts::{MaskEntry, MaskList, PairEntry};
use pixels::MaskStack;
use spec::Job;

use crate::work::facts::FactMap;
use crate::work::{Reporter, WorkError, files};

/// Makes the folder of masks.
pub(super) fn begin(job: &Job) -> Result<(), WorkError> {
    files::make_folder(job.out.join("masks")).map(drop)
}

/// Writes the masks of an image.
pub(super) fn write(
    job: &Job,
    image: &PairEntry,
    stack: &MaskStack,
) -> Result<MaskEntry, WorkError> {
    let entry = entry(image, stack);
    stack.write(&job.out.join(&entry.file))?;
    Ok(entry)
}

/// What the list says of an image.
pub(super) fn entry(image: &PairEntry, stack: &MaskStack) -> MaskEntry {
    MaskEntry {
        name: image.name.clone(),
        digest: image.digest.clone(),
        file: format!("masks/{}.masks", image.name),
        found: stack.found,
        padded: stack.padded(),
        truncated: stack.truncated(),
        tally: None,
    }
}

/// Writes the list and says how many there were.
pub(super) fn finish(
    job: &Job,
    count: usize,
    images: Vec<MaskEntry>,
    reporter: &Reporter,
) -> Result<FactMap, WorkError> {
    let list = MaskList { count, images };
    reporter.note(summary(&list));
    list.write(&job.out)?;
    Ok(FactMap::from([(
        "masks_found_mean".into(),
        list.mean_found().into(),
    )]))
}

/// The counts in words: the paper says that most images have fewer masks than there is room for.
fn summary(list: &MaskList) -> String {
    let images = list.images.len();
    let padded = list.images.iter().filter(|i| i.padded > 0).count();
    let truncated = list.images.iter().filter(|i| i.truncated > 0).count();
    let found = |pick: fn(usize, usize) -> usize| {
        list.images
            .iter()
            .map(|i| i.found)
            .reduce(pick)
            .unwrap_or(0)
    };
    format!(
        "{:.1} distinct masks an image ({} to {}) for {} places; {padded} of {images} images padded, {truncated} truncated",
        list.mean_found(),
        found(usize::min),
        found(usize::max),
        list.count,
    )
}
