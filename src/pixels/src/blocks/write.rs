//! Writes a file of blocks: items from several threads at once, the index last.
//! Unaware of what blocks hold.
//!
//! ```text
//!   block by block ─┬─ pages of the kernel ──────────────────────────────────> file
//!                   └─ buffer of the item, whole pages at a whole page ── DMA ──> file    (past the page cache)
//! ```

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Block, HEADER, Item, MAGIC, damaged};

/// A file of blocks in the making.
#[derive(Debug)]
pub struct BlocksWriter {
    file: File,
    /// The same file, opened so that items pass by the page cache.
    direct: Option<File>,
    source: [u8; 32],
    end: AtomicU64,
}

/// What a file that passes by the page cache is written in, at the least: the size of a page, and of a block of any disk.
const PAGE: u64 = 4096;

/// An item in the making.
#[derive(Debug)]
pub struct ItemWriter<'w> {
    file: &'w File,
    at: u64,
    blocks: Vec<Block>,
    /// What the item has to come out as.
    wanted: Option<&'w [Block]>,
    /// Its bytes, where they are written at once in the end.
    held: Option<Held<'w>>,
}

/// An item that is held until it is whole.
#[derive(Debug)]
struct Held<'w> {
    direct: &'w File,
    at: u64,
    /// Some zeros up to a whole page of memory, and the item.
    bytes: Vec<u8>,
    zeros: usize,
}

impl BlocksWriter {
    /// Begins a file that was made from `source`. What it held is gone.
    pub fn new(file: File, source: &[u8; 32]) -> io::Result<Self> {
        file.set_len(0)?;
        file.write_all_at(MAGIC, 0)?;
        file.write_all_at(source, MAGIC.len() as u64)?;
        Ok(Self {
            file,
            direct: None,
            source: *source,
            end: HEADER.into(),
        })
    }

    /// The same, items past the page cache through `direct`, which is the same file opened so. They begin at whole pages.
    #[must_use]
    pub fn past_the_page_cache(self, direct: File) -> Self {
        Self {
            direct: Some(direct),
            end: PAGE.into(),
            ..self
        }
    }

    /// A place for an item of so many bytes.
    pub fn item(&self, bytes: u64) -> ItemWriter<'_> {
        let Some(direct) = &self.direct else {
            let at = self.end.fetch_add(bytes, Ordering::Relaxed);
            return ItemWriter::at(&self.file, at, None);
        };
        let pages = bytes.next_multiple_of(PAGE);
        let at = self.end.fetch_add(pages, Ordering::Relaxed);
        ItemWriter {
            held: Some(Held::new(direct, at, pages as usize)),
            ..ItemWriter::at(&self.file, at, None)
        }
    }

    /// Writes the index of all items; without it there is no file of blocks.
    pub fn finish(self, items: &[Item]) -> io::Result<File> {
        let mut index = Vec::new();
        put(&mut index, items.len() as u64);
        for item in items {
            put(&mut index, item.name.len() as u64);
            index.extend(item.name.as_bytes());
            put(&mut index, item.width as u64);
            put(&mut index, item.height as u64);
            put(&mut index, item.blocks.first().map_or(HEADER, |b| b.offset));
            put(&mut index, item.blocks.len() as u64);
            for block in &item.blocks {
                index.extend(block.length.to_le_bytes());
                index.extend(block.digest);
            }
        }
        let length = index.len() as u64;
        put(&mut index, length);
        let mut hasher = blake3::Hasher::new();
        hasher.update(MAGIC).update(&self.source).update(&index);
        index.extend(hasher.finalize().as_bytes());
        self.file.write_all_at(&index, self.end.into_inner())?;
        Ok(self.file)
    }
}

fn put(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend(value.to_le_bytes());
}

impl<'w> ItemWriter<'w> {
    /// A place for an item that has to have the blocks `wanted`, if there are any.
    pub(super) const fn at(file: &'w File, at: u64, wanted: Option<&'w [Block]>) -> Self {
        Self {
            file,
            at,
            blocks: Vec::new(),
            wanted,
            held: None,
        }
    }

    /// The next blocks, one behind the other in `bytes`, of these lengths.
    /// Errors: those of writing, and [`io::ErrorKind::InvalidData`] where other blocks are wanted, of which none is written.
    pub fn push(
        &mut self,
        bytes: &[u8],
        lengths: impl IntoIterator<Item = usize>,
    ) -> io::Result<()> {
        let (begin, before) = (self.at, self.blocks.len());
        let mut rest = bytes;
        for length in lengths {
            let (block, behind) = rest.split_at(length.min(rest.len()));
            rest = behind;
            self.blocks.push(Block {
                offset: self.at,
                length: block.len() as u32,
                digest: *blake3::hash(block).as_bytes(),
            });
            self.at += block.len() as u64;
        }
        let is_wanted = |wanted: &[Block]| {
            wanted.get(before..self.blocks.len()) == Some(&self.blocks[before..])
        };
        if self.wanted.is_some_and(|wanted| !is_wanted(wanted)) {
            return Err(damaged("its index has other blocks"));
        }
        let bytes = &bytes[..bytes.len() - rest.len()];
        match &mut self.held {
            Some(held) => {
                held.bytes.extend(bytes);
                Ok(())
            }
            None => self.file.write_all_at(bytes, begin),
        }
    }

    /// What was written.
    pub fn finish(self, name: String, width: usize, height: usize) -> io::Result<Item> {
        if let Some(held) = self.held {
            held.write(self.file)?;
        }
        Ok(Item {
            name,
            width,
            height,
            blocks: self.blocks,
        })
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }
}

impl<'w> Held<'w> {
    /// Room for so many bytes, whole pages.
    fn new(direct: &'w File, at: u64, pages: usize) -> Self {
        let mut bytes: Vec<u8> = Vec::with_capacity(pages + PAGE as usize);
        let zeros = bytes.as_ptr().align_offset(PAGE as usize);
        bytes.resize(zeros.min(PAGE as usize), 0);
        Self {
            direct,
            at,
            zeros: bytes.len(),
            bytes,
        }
    }

    /// Writes it, through `file` where its disk wants it otherwise after all.
    fn write(mut self, file: &File) -> io::Result<()> {
        let length = self.bytes.len() - self.zeros;
        let pages = length.next_multiple_of(PAGE as usize);
        self.bytes.resize(self.zeros + pages, 0);
        let item = &self.bytes[self.zeros..];
        match self.direct.write_all_at(item, self.at) {
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => file.write_all_at(item, self.at),
            done => done,
        }
    }
}

/// A file opened past the page cache; `None`, and a line, where its disk has no such way.
#[cfg(test)]
pub(super) fn direct(path: &std::path::Path) -> Option<File> {
    files::open_direct(path)
        .inspect_err(|e| println!("skipped: past the page cache: {e}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_wants_otherwise_goes_through_the_page_cache() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks");
        let mut options = File::options();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        let Some(direct) = direct(&path) else {
            return;
        };
        let mut held = Held::new(&direct, 100, 4096); // no whole page
        held.bytes.extend([7; 4000]);
        held.write(&file).unwrap();
        let mut found = vec![0; 4000];
        file.read_exact_at(&mut found, 100).unwrap();
        assert!(found == [7; 4000]);
    }
}
