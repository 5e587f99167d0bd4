//! Reads blocks of a file, verified each time.
//! Unaware of what blocks hold.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::{Block, HEADER, Item, ItemWriter, MAGIC, TRAILER, damaged};

/// An open file of blocks. The index is held in memory: 48 bytes a block.
#[derive(Debug)]
pub struct Blocks {
    file: File,
    items: Vec<Item>,
}

impl Blocks {
    /// Reads the index of a file that was made from `source`.
    /// Errors: those of reading, and [`io::ErrorKind::InvalidData`] for every other file and every damaged one.
    pub fn open(file: File, source: &[u8; 32]) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let end = size
            .checked_sub(TRAILER)
            .ok_or_else(|| damaged("it is cut"))?;
        let (mut header, mut trailer) = ([0; HEADER as usize], [0; TRAILER as usize]);
        file.read_exact_at(&mut header, 0)?;
        file.read_exact_at(&mut trailer, end)?;
        let (length, digest) = trailer.split_at(8);
        let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
        let begin = end.checked_sub(length).filter(|begin| *begin >= HEADER);
        let begin = begin.ok_or_else(|| damaged("it is cut, or no file of blocks"))?;
        let mut index = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(&mut index, begin)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&header).update(&index).update(&trailer[..8]);
        let (magic, told) = header.split_at(MAGIC.len());
        if hasher.finalize().as_bytes() != digest || magic != MAGIC {
            return Err(damaged("its index is damaged"));
        }
        if told != source {
            return Err(damaged("it was made from something else"));
        }
        let items = items(&index, begin).ok_or_else(|| damaged("its index is absurd"))?;
        // A read of a few tiles is all that is wanted there; the kernel would read on behind it.
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random);
        Ok(Self { file, items })
    }

    /// What is in it.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Reads consecutive blocks of an item into `bytes`, whose content is gone.
    /// Errors: those of reading, and [`io::ErrorKind::InvalidData`] where a block does not have its digest.
    pub fn read(&self, item: usize, blocks: Range<usize>, bytes: &mut Vec<u8>) -> io::Result<()> {
        let blocks = self
            .items
            .get(item)
            .and_then(|item| item.blocks.get(blocks));
        let blocks = blocks.ok_or_else(|| damaged("it has no such block"))?;
        bytes.resize(blocks.iter().map(|block| block.length as usize).sum(), 0);
        let Some(first) = blocks.first() else {
            return Ok(());
        };
        self.file.read_exact_at(bytes, first.offset)?;
        let mut rest = bytes.as_slice();
        for block in blocks {
            let (own, behind) = rest.split_at(block.length as usize);
            rest = behind;
            if *blake3::hash(own).as_bytes() != block.digest {
                return Err(damaged("a block does not have its digest"));
            }
        }
        Ok(())
    }

    /// Asks the kernel to have blocks of an item ready soon.
    pub fn prefetch(&self, item: usize, blocks: Range<usize>) {
        let blocks = self
            .items
            .get(item)
            .and_then(|item| item.blocks.get(blocks));
        let Some([first, ..]) = blocks else { return };
        let length = blocks
            .unwrap_or_default()
            .iter()
            .map(|b| u64::from(b.length))
            .sum();
        let length = std::num::NonZeroU64::new(length);
        let _ = rustix::fs::fadvise(
            &self.file,
            first.offset,
            length,
            rustix::fs::Advice::WillNeed,
        );
    }

    /// Writes an item anew, where the file was opened for writing too. Each block is compared with the index before it
    /// is written, so what lies there is never replaced by anything else than what belongs there.
    /// Errors: those of writing, and [`io::ErrorKind::InvalidData`] where the index has other blocks of it.
    pub fn rewrite<F>(&self, item: usize, write: F) -> io::Result<()>
    where
        F: FnOnce(&mut ItemWriter<'_>) -> io::Result<()>,
    {
        let item = self
            .items
            .get(item)
            .ok_or_else(|| damaged("it has no such item"))?;
        let begin = item.blocks.first().map_or(HEADER, |block| block.offset);
        let mut again = ItemWriter::at(&self.file, begin, Some(&item.blocks));
        write(&mut again)?;
        if again.blocks() == item.blocks {
            Ok(())
        } else {
            Err(damaged("its index has more blocks"))
        }
    }

    /// Reads all of an item, for nothing but its digests.
    /// Errors: those of reading, and [`io::ErrorKind::InvalidData`] where a block does not have its digest.
    pub fn check(&self, item: usize) -> io::Result<()> {
        /// Blocks that are read at once: 3 MB of tiles.
        const SOME: usize = 64;
        let count = self.items.get(item).map_or(0, |item| item.blocks.len());
        let mut bytes = Vec::new();
        for first in (0..count).step_by(SOME) {
            self.read(item, first..(first + SOME).min(count), &mut bytes)?;
        }
        Ok(())
    }
}

/// The items of an index whose blocks end before `end`.
fn items(mut index: &[u8], end: u64) -> Option<Vec<Item>> {
    let rest = &mut index;
    let count = number(rest)?;
    let mut items = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(number(rest)?).ok()?;
        let name = String::from_utf8(bytes(rest, length)?.to_vec()).ok()?;
        let (width, height) = (number(rest)?, number(rest)?);
        let mut offset = number(rest)?;
        let mut blocks = Vec::new();
        for _ in 0..number(rest)? {
            let length = u32::from_le_bytes(bytes(rest, 4)?.try_into().ok()?);
            let digest = bytes(rest, 32)?.try_into().ok()?;
            blocks.push(Block {
                offset,
                length,
                digest,
            });
            offset = offset
                .checked_add(u64::from(length))
                .filter(|to| *to <= end)?;
        }
        items.push(Item {
            name,
            width: usize::try_from(width).ok()?,
            height: usize::try_from(height).ok()?,
            blocks,
        });
    }
    index.is_empty().then_some(items)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes(rest, 8)?.try_into().ok()?))
}

fn bytes<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    Some(taken)
}
