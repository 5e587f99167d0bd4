//! A file of items in blocks, of which one block is read without the others and never without being verified.
//! Unaware of what an item is (`tiles`, `bands`), and of where the file lies.
//!
//! ```text
//!   "PXBL" 1 0 0 0 | source (32) | blocks … | index | length of the index (8) | BLAKE3 of "PXBL" … source, index, length
//!
//!   writer:  items from any thread ── a place at the end for each ──> blocks at their places, hashed ──> index
//!   reader:  index, held whole ──> item, blocks a..b ── one positioned read ──> each block has its BLAKE3? ──> bytes
//! ```
//!
//! Past the page cache, items begin at whole pages, and what is between them is zeros.
//!
//! Nothing is flushed: a block that a power cut took does not have its digest, and what reads it makes it again. Numbers
//! are little endian. `source` is whatever the file was made from, by digest; a file of another source is not read.

mod read;
mod write;

pub use read::Blocks;
pub use write::{BlocksWriter, ItemWriter};

const MAGIC: &[u8; 8] = b"PXBL\x01\0\0\0";
/// Bytes before the first block.
const HEADER: u64 = 40;
/// Bytes behind the index.
const TRAILER: u64 = 40;

/// Something in a file of blocks: a picture in tiles, masks in bands of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is called.
    pub name: String,
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Its blocks, one behind the other in the file.
    pub blocks: Vec<Block>,
}

/// Where a block lies, and the digest of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// From the beginning of the file.
    pub offset: u64,
    /// In bytes.
    pub length: u32,
    /// The BLAKE3 of the bytes.
    pub digest: [u8; 32],
}

/// What is wrong with a file, as an error of reading it.
fn damaged(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::path::Path;

    use super::*;

    const SOURCE: [u8; 32] = [7; 32];

    fn written(path: &Path) -> Vec<Item> {
        let writer = BlocksWriter::new(std::fs::File::create(path).unwrap(), &SOURCE).unwrap();
        let mut items = Vec::new();
        for (name, blocks) in [("a", vec![vec![1; 5], vec![2; 9]]), ("b", vec![vec![3; 4]])] {
            let total = blocks.iter().map(Vec::len).sum::<usize>();
            let mut item = writer.item(total as u64);
            item.push(&blocks.concat(), blocks.iter().map(Vec::len))
                .unwrap();
            items.push(item.finish(name.into(), 3, 2).unwrap());
        }
        writer.finish(&items).unwrap();
        items
    }

    fn open(path: &Path, source: &[u8; 32]) -> std::io::Result<Blocks> {
        let file = std::fs::File::options().read(true).write(true).open(path);
        Blocks::open(file.unwrap(), source)
    }

    #[test]
    fn blocks_come_back_and_a_changed_byte_of_one_is_an_error_of_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks");
        let items = written(&path);
        let blocks = open(&path, &SOURCE).unwrap();
        assert_eq!(blocks.items(), items);
        let mut bytes = Vec::new();
        blocks.read(0, 0..2, &mut bytes).unwrap();
        assert_eq!(bytes, [[1; 5].as_slice(), &[2; 9]].concat());
        blocks.read(1, 0..1, &mut bytes).unwrap();
        assert_eq!(bytes, [3; 4]);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.write_all_at(&[9], items[0].blocks[1].offset).unwrap();
        assert!(blocks.read(0, 0..2, &mut bytes).is_err());
        assert!(blocks.read(0, 0..1, &mut bytes).is_ok());
        assert!(blocks.read(1, 0..1, &mut bytes).is_ok());
        assert!(blocks.check(0).is_err() && blocks.check(1).is_ok());
        let before = std::fs::read(&path).unwrap();
        let wrong: [(&[u8], &[usize]); 4] = [
            (&[2; 14], &[5, 9]),            // other bytes
            (&[1; 14], &[4, 10]),           // other lengths
            (&[1; 5], &[5]),                // too few
            (&[1, 1, 1, 1, 1, 0], &[5, 1]), // right, then wrong
        ];
        for (bytes, lengths) in wrong {
            let pushed = |item: &mut ItemWriter<'_>| item.push(bytes, lengths.iter().copied());
            blocks.rewrite(0, pushed).unwrap_err();
            assert!(std::fs::read(&path).unwrap() == before, "{lengths:?}");
        }
        let whole = [[1; 5].as_slice(), &[2; 9]].concat();
        blocks.rewrite(0, |item| item.push(&whole, [5, 9])).unwrap();
        assert!(blocks.read(0, 0..2, &mut bytes).is_ok());
        assert!(blocks.check(0).is_ok());
    }

    #[test]
    fn items_past_the_page_cache_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks");
        let file = std::fs::File::create(&path).unwrap();
        let Some(direct) = write::direct(&path) else {
            return;
        };
        let writer = BlocksWriter::new(file, &SOURCE).unwrap();
        let writer = writer.past_the_page_cache(direct);
        let bytes: Vec<u8> = (0..20_000_usize).map(|n| (n * 7 % 251) as u8).collect();
        let mut items = Vec::new();
        for name in ["a", "b"] {
            let mut item = writer.item(bytes.len() as u64);
            item.push(&bytes[..9_000], [4_000, 5_000]).unwrap();
            item.push(&bytes[9_000..], [11_000]).unwrap();
            items.push(item.finish(name.into(), 3, 2).unwrap());
        }
        writer.finish(&items).unwrap();
        let blocks = open(&path, &SOURCE).unwrap();
        assert_eq!(blocks.items(), items);
        let offsets: Vec<u64> = items.iter().map(|item| item.blocks[0].offset).collect();
        assert_eq!(offsets, [4096, 6 * 4096]);
        let mut found = Vec::new();
        for at in 0..2 {
            blocks.read(at, 0..3, &mut found).unwrap();
            assert!(found == bytes);
        }
    }

    #[test]
    fn files_of_another_source_cut_ones_and_ones_with_a_flipped_bit_outside_of_blocks_are_not_read()
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks");
        let items = written(&path);
        assert!(open(&path, &[8; 32]).is_err());
        let whole = std::fs::read(&path).unwrap();
        let last = items.last().unwrap().blocks[0];
        let end = (last.offset + u64::from(last.length)) as usize;
        for at in (0..HEADER as usize).chain(end..whole.len()) {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            std::fs::write(&path, &bytes).unwrap();
            assert!(open(&path, &SOURCE).is_err(), "byte {at}");
        }
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(open(&path, &SOURCE).is_err(), "{length} bytes");
        }
    }
}
