//! Writes a file of blocks: items from several threads at once, the index last.
//! Unaware of what blocks hold.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Block, HEADER, Item, MAGIC, damaged};

/// A file of blocks in the making.
#[derive(Debug)]
pub struct BlocksWriter {
    file: File,
    source: [u8; 32],
    end: AtomicU64,
}

/// An item in the making.
#[derive(Debug)]
pub struct ItemWriter<'w> {
    file: &'w File,
    at: u64,
    blocks: Vec<Block>,
    /// What the item has to come out as.
    wanted: Option<&'w [Block]>,
}

impl BlocksWriter {
    /// Begins a file that was made from `source`. What it held is gone.
    pub fn new(file: File, source: &[u8; 32]) -> io::Result<Self> {
        file.set_len(0)?;
        file.write_all_at(MAGIC, 0)?;
        file.write_all_at(source, MAGIC.len() as u64)?;
        Ok(Self {
            file,
            source: *source,
            end: HEADER.into(),
        })
    }

    /// A place for an item of so many bytes.
    pub fn item(&self, bytes: u64) -> ItemWriter<'_> {
        let at = self.end.fetch_add(bytes, Ordering::Relaxed);
        ItemWriter::at(&self.file, at, None)
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
        self.file
            .write_all_at(&bytes[..bytes.len() - rest.len()], begin)
    }

    /// What was written.
    pub fn finish(self, name: String, width: usize, height: usize) -> Item {
        let blocks = self.blocks;
        Item {
            name,
            width,
            height,
            blocks,
        }
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }
}
