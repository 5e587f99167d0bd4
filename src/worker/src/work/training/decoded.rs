//! Images and masks of a training, decoded once and kept in the cache for all trainings: opened, made where they are
//! missing, mended where they are damaged.
//! Unaware of patches. What lies in such a file is `pixels::Blocks`, where it lies `store::DecodedRoom`.
//!
//! ```text
//!   job: content of `images` ──> decoded/<aa>/<content> ── whole? ── yes ──> Kept
//!                                       │ no                          ^
//!   folder: every file ── bytes ─┬─ BLAKE3 ──> content of all ── as in the job? ── no ──> no file, an error
//!                                └─ decoder ──> tiles, bands ──────┘
//! ```
//!
//! What is decoded are the bytes that were hashed, and the file is named after the digest over them: so it holds what its
//! name says, whatever happens to the inputs meanwhile. Each block is verified whenever it is read. One that does not have
//! its digest is written anew from the file that it was decoded from, and has to come out as the index says.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use pixels::{Bands, Blocks, BlocksWriter, Item, ItemWriter, MaskStack, Rgb8, memory_budget};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use rustix::fs::FallocateFlags;
use spec::KeepDecoded;
use store::{Decoded, DecodedRoom, Digest, Making};

use crate::work::{Reporter, WorkError, memory};

/// What a file is decoded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Picture,
    Masks,
}

/// A file to be decoded.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its path in the folder of its stage.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// The size that it must have.
    pub size: (usize, usize),
}

/// The files of an input to be decoded: one item each, in this order.
#[derive(Clone, Debug)]
pub(super) struct Input<'a> {
    /// The role of the input.
    pub role: &'a str,
    /// Its folder.
    pub folder: &'a Path,
    /// The files.
    pub sources: Vec<Source>,
    /// Bytes that will be needed at least.
    pub bytes: u64,
}

/// Decoded files that are there to be read.
#[derive(Debug)]
pub(super) struct Kept {
    /// The items, as the sources were.
    pub blocks: Blocks,
    sources: Vec<Source>,
    folder: PathBuf,
    /// Items that are damaged and cannot be mended.
    lost: Mutex<BTreeSet<usize>>,
}

/// Opens what is kept of an input, or makes it. Nothing, and the reason, where that cannot be done: no disk, no locks.
/// An error as of [`make`], also where the training is to stop while it waits for another one that makes it.
pub(super) fn keep(
    keep: &KeepDecoded,
    input: &Input<'_>,
    reporter: &Reporter,
) -> Result<Result<Kept, String>, WorkError> {
    let content = keep
        .contents
        .get(input.role)
        .and_then(|text| text.parse().ok());
    let Some(content) = content else {
        return Ok(Err(format!(
            "the job does not say what `{}` holds",
            input.role
        )));
    };
    let room = DecodedRoom::new(&keep.folder);
    let kept = |blocks| Kept {
        blocks,
        sources: input.sources.clone(),
        folder: input.folder.to_owned(),
        lost: Mutex::default(),
    };
    let read = |file: File| opened(file, &content, &input.sources);
    let waits = || {
        reporter.note(format!(
            "waiting for a training that decodes `{}`",
            input.role
        ));
    };
    match room.open(&content, read, waits, || reporter.check_stop()) {
        Ok(Decoded::There(blocks)) => Ok(Ok(kept(blocks))),
        Ok(Decoded::ToMake(making)) => {
            if let Some(why) = no_room(&room, input.bytes) {
                return Ok(Err(why));
            }
            match make(making, &content, input, reporter) {
                Ok(blocks) => Ok(Ok(kept(blocks))),
                Err(Failure::Disk(why)) => Ok(Err(why)),
                Err(Failure::Work(error)) => Err(error),
            }
        }
        Err(error) if error.is_interruption() => Err(error),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// The blocks of a file, if it is whole and has these items.
fn opened(file: File, content: &Digest, sources: &[Source]) -> Option<Blocks> {
    let blocks = Blocks::open(file, content.as_bytes()).ok()?;
    let is_of = |(item, source): (&Item, &Source)| {
        item.name == source.name && (item.width, item.height) == source.size
    };
    let items = blocks.items();
    let fits = items.len() == sources.len() && items.iter().zip(sources).all(is_of);
    fits.then_some(blocks)
}

/// Why nothing was made.
#[derive(Debug)]
enum Failure {
    /// The input is not what the job says or cannot be decoded, or the training is to stop.
    Work(WorkError),
    /// The disk does not take it: why, and what to do. The training goes on without.
    Disk(String),
}

impl From<WorkError> for Failure {
    fn from(error: WorkError) -> Self {
        Self::Work(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        Self::Disk(match error.kind() {
            StorageFull | QuotaExceeded => format!("{error}; {MAKE_ROOM}"),
            _ => error.to_string(),
        })
    }
}

/// What to do about a full disk.
const MAKE_ROOM: &str = "`pipeline cache gc` makes room";

/// Decodes everything. What was written is removed where that fails.
fn make(
    making: Making,
    content: &Digest,
    input: &Input<'_>,
    reporter: &Reporter,
) -> Result<Blocks, Failure> {
    let begin = Instant::now();
    let mut writer = BlocksWriter::new(making.file()?, content.as_bytes())?;
    reserve(&making.file()?, input.bytes)?;
    let mut waiting = 0;
    if is_large(input.bytes, memory::free())
        && let Ok(direct) = making.direct()
    {
        writer = writer.past_the_page_cache(direct);
        waiting = WAITING;
    }
    let items = with_threads(waiting, || decode_all(&writer, content, input, reporter))?;
    let file = writer.finish(&items)?;
    making.done().map_err(|e| Failure::Disk(e.to_string()))?;
    let damaged = || Failure::Disk("it was damaged at once".to_owned());
    let blocks = opened(file, content, &input.sources).ok_or_else(damaged)?;
    let bytes: u64 = items
        .iter()
        .flat_map(|i| &i.blocks)
        .map(|b| u64::from(b.length))
        .sum();
    reporter.note(format!(
        "decoded {} files of `{}` once for all trainings: {} MiB in the cache, {:.1} s",
        items.len(),
        input.role,
        bytes >> 20,
        begin.elapsed().as_secs_f64()
    ));
    Ok(blocks)
}

/// Threads that may wait for the disk, as whoever passes by the page cache does, while as many as there are cores decode.
const WAITING: usize = 2;

/// Runs `body` with so many threads more than there are.
fn with_threads<T: Send>(
    more: usize,
    body: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let threads = rayon::current_num_threads() + more;
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(io::Error::other)?.install(body)
}

/// Takes room on the disk for a file that will have at least so many bytes: who decodes another set meanwhile does not find it
/// free, and blocks that are there already are written to faster. A file system that cannot do so is no error.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(error @ (Errno::NOSPC | Errno::DQUOT)) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether a file of so many bytes, more than a quarter of what is free, is to pass by the page cache.
///
/// The kernel would keep every page of it, take a new one for each that is written, and make the decoders wait as soon as a
/// fifth of the memory is unwritten. In a virtual machine that gives unused memory back to its host, new pages for 8.85 GB took
/// 14 s beside 12 s of decoding. What passes by is read from the disk by the first batches, so it is not worth it for a file
/// that stays in memory beside everything else.
fn is_large(bytes: u64, free: Option<u64>) -> bool {
    free.is_some_and(|free| bytes > free / 4)
}

/// Why there is no room on the disk.
fn no_room(room: &DecodedRoom, bytes: u64) -> Option<String> {
    room.shortage(bytes).map(|free| {
        format!(
            "they take {} MiB, {} MiB are free, and {} MiB are left to others; {MAKE_ROOM}",
            bytes >> 20,
            free >> 20,
            DecodedRoom::LEFT >> 20
        )
    })
}

/// Every item, and the proof that what was decoded is what the job says. The first failure of any thread ends it: a disk
/// that did not take one item takes no other, and decoding them takes minutes.
fn decode_all(
    writer: &BlocksWriter,
    content: &Digest,
    input: &Input<'_>,
    reporter: &Reporter,
) -> Result<Vec<Item>, Failure> {
    let done = AtomicUsize::new(0);
    let all = input.sources.len();
    let one = |source: &Source| -> Result<_, Failure> {
        reporter.check_stop()?;
        let (decoded, size, digest) = read(input.folder, source)?;
        let item = decoded.write(writer, source)?;
        reporter.images(done.fetch_add(1, Ordering::Relaxed) + 1, all);
        Ok((item, size, digest))
    };
    let need = |source: &Source| (source.size.0 * source.size.1) as u64 * PIXEL_BYTES;
    let mut items = Vec::new();
    for group in memory::groups(input.sources.iter().map(need), memory_budget()) {
        let group = input.sources[group].par_iter().map(one);
        items.extend(group.collect::<Result<Vec<_>, Failure>>()?);
    }
    let decoded = items
        .iter()
        .map(|(item, size, digest): &(Item, u64, Digest)| (item.name.clone(), (*size, *digest)));
    check_content(content, input, decoded.collect())?;
    Ok(items.into_iter().map(|(item, ..)| item).collect())
}

/// Bytes for each pixel while it is decoded: the file, its samples, tiles of it.
const PIXEL_BYTES: u64 = 12;

/// An error where the files of the input, those that were decoded and the others, are not what the job says.
fn check_content(
    content: &Digest,
    input: &Input<'_>,
    mut files: BTreeMap<String, (u64, Digest)>,
) -> Result<(), WorkError> {
    let mut folders = vec![input.folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |e: io::Error| WorkError::io("read", &folder, &e);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.strip_prefix(input.folder).ok().and_then(Path::to_str);
            let name = name.unwrap_or_default().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if let Entry::Vacant(place) = files.entry(name) {
                let bytes = ::files::read(&path, u64::MAX).map_err(failed)?;
                place.insert((bytes.len() as u64, Digest::of(&bytes)));
            }
        }
    }
    let listed = files
        .iter()
        .map(|(name, (size, digest))| (name.as_str(), *size, *digest));
    if store::content_of_files(listed) == *content {
        return Ok(());
    }
    let message = format!(
        "`{}` was changed while it was decoded: its files are not those that the stage was planned with",
        ::files::Name(input.folder)
    );
    Err(WorkError::new(
        message,
        "keep other programs from writing into the cache, and run again",
    ))
}

/// A file of an input, decoded.
pub(super) enum Read {
    Picture(Rgb8),
    Masks(MaskStack),
}

/// Decodes a file; its size in bytes and its digest.
fn read(folder: &Path, source: &Source) -> Result<(Read, u64, Digest), WorkError> {
    let path = folder.join(&source.name);
    let bytes = ::files::read(&path, u64::MAX).map_err(|e| WorkError::io("read", &path, &e))?;
    let decoded = match source.content {
        Content::Picture => Read::Picture(pixels::decode_rgb8(&bytes, &path)?.image),
        Content::Masks => Read::Masks(MaskStack::from_bytes(&bytes, &path)?),
    };
    let size = match &decoded {
        Read::Picture(image) => image.size(),
        Read::Masks(stack) => (stack.width, stack.height),
    };
    if size != source.size {
        let message = format!(
            "`{}` is {}×{}, and its list says {}×{}",
            ::files::Name(&path),
            size.0,
            size.1,
            source.size.0,
            source.size.1
        );
        return Err(WorkError::new(message, "run `pipeline cache verify`"));
    }
    Ok((decoded, bytes.len() as u64, Digest::of(&bytes)))
}

impl Read {
    fn write(&self, writer: &BlocksWriter, source: &Source) -> io::Result<Item> {
        match self {
            Self::Picture(image) => pixels::write_tiles(writer, &source.name, image),
            Self::Masks(stack) => Bands::of(stack).write(writer, &source.name, stack),
        }
    }

    fn push(&self, item: &mut ItemWriter<'_>) -> io::Result<()> {
        match self {
            Self::Picture(image) => pixels::push_tiles(item, image),
            Self::Masks(stack) => Bands::of(stack).push(item),
        }
    }
}

impl Kept {
    /// Reads by `read`. Where that fails, the item is made again from its file and read once more; where that cannot be
    /// done, `take` gets it from what was decoded. `tell` is told of either, once an item.
    pub fn read(
        &self,
        item: usize,
        tell: &dyn Fn(String),
        mut read: impl FnMut(&Blocks) -> io::Result<()>,
        take: impl FnOnce(&Read) -> Result<(), WorkError>,
    ) -> Result<(), WorkError> {
        if read(&self.blocks).is_ok() {
            return Ok(());
        }
        // Several patches of one image may find the damage at once; the first one mends it.
        let mut lost = self
            .lost
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let Err(why) = read(&self.blocks) else {
            return Ok(());
        };
        let source = &self.sources[item];
        let (decoded, ..) = self::read(&self.folder, source)?;
        let is_lost = lost.contains(&item);
        let again = || self.blocks.rewrite(item, |writer| decoded.push(writer));
        let again = (!is_lost).then(|| again().and_then(|()| read(&self.blocks)));
        let name = ::files::Name(Path::new(&source.name));
        match again {
            Some(Ok(())) => {
                tell(format!(
                    "`{name}` decoded in the cache was damaged ({why}) and was made again"
                ));
                return Ok(());
            }
            Some(Err(again)) => {
                lost.insert(item);
                tell(format!(
                    "`{name}` decoded in the cache is damaged ({why}) and cannot be made again there ({again}); it is decoded \
                     for each of its patches"
                ));
            }
            None => {}
        }
        drop(lost);
        take(&decoded)
    }
}

#[cfg(test)]
mod tests;
