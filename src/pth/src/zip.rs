//! The form of `PyTorch` 1.6 and later: a ZIP archive with `data.pkl`, and `data/<key>` for each storage.
//! Unaware of what the pickle holds.
//!
//! The directory at the end says where entries are. Each entry's own header has to say the same, no two entries may
//! overlap, and every entry lies within the file: then what an archive unpacks to is bounded by its length.

use std::collections::BTreeMap;
use std::io::{BufReader, Cursor, Read};
use std::rc::Rc;

use files::Data;

use crate::error::Error;
use crate::heap::Id;
use crate::ids::Ids;
use crate::input::Input;
use crate::machine::load as pickle;
use crate::pickles::Pickles;
use crate::section::Section;
use crate::tensor::{Place, Places, Storages, checksum};

/// A file of an archive.
#[derive(Clone, Debug)]
struct Entry {
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    /// Where its own header is, and behind it its bytes.
    header: u64,
    data: u64,
}

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ENCRYPTED: u16 = 1;
/// The sizes stand behind the bytes, and may be missing before them.
const SIZES_BEHIND: u16 = 8;
/// A size that stands in an extended field instead.
const ELSEWHERE: u64 = 0xffff_ffff;
/// Bytes that an entry takes here besides its name.
const COST: u64 = 256;
/// Bytes that are unpacked for each byte of a compressed storage, at most: the format cannot do better.
const MOST_RATIO: u64 = 1032;

pub(crate) fn load(
    file: &Rc<Data>,
    length: u64,
    pickles: &mut Pickles,
) -> Result<(Id, Places), Error> {
    let entries = directory(file, length, pickles)?;
    let folder = entries
        .keys()
        .filter_map(|name| name.strip_suffix("data.pkl"))
        .filter(|folder| folder.is_empty() || folder.ends_with('/'))
        .min_by_key(|folder| folder.len())
        .map(str::to_owned)
        .ok_or_else(|| damaged("its archive has no `data.pkl`".into()))?;
    let archive = Archive {
        file,
        entries: &entries,
        folder,
    };
    if archive
        .entries
        .contains_key(&format!("{}constants.pkl", archive.folder))
    {
        return Err(Error::Form {
            name: "the file".into(),
            form: "a TorchScript archive".into(),
            hint: "load it in Python with `torch.jit.load`, and save its `state_dict()`",
        });
    }
    if let Some(order) = archive.text("byteorder", pickles)?
        && order.trim() != "little"
    {
        let order = order.trim().escape_debug().to_string();
        return Err(damaged(format!(
            "its byte order is `{order}`, and `little` is read"
        )));
    }
    let bytes = archive.whole("data.pkl", pickles)?;
    let mut storages = Storages::default();
    let root = pickle(
        &mut Input::new(Cursor::new(bytes)),
        pickles,
        &mut Ids::Storages(&mut storages),
    )?;
    Ok((root, archive.places(&storages)?))
}

struct Archive<'a> {
    file: &'a Rc<Data>,
    entries: &'a BTreeMap<String, Entry>,
    /// Before all names; empty, or ends in a slash.
    folder: String,
}

impl Archive<'_> {
    /// A short text, if it is there.
    fn text(&self, name: &str, pickles: &Pickles) -> Result<Option<String>, Error> {
        if !self.entries.contains_key(&format!("{}{name}", self.folder)) {
            return Ok(None);
        }
        let bytes = self.whole(name, pickles)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// All bytes of an entry, which the budget allows.
    fn whole(&self, name: &str, pickles: &Pickles) -> Result<Vec<u8>, Error> {
        let entry = &self.entries[&format!("{}{name}", self.folder)];
        pickles.budget.take(entry.size)?;
        let packed = Section::new(self.file, entry.data, entry.data + entry.packed);
        let mut bytes = Vec::new();
        // One byte more than there should be shows an entry that says too little.
        let most = entry.size + 1;
        if entry.method == DEFLATED {
            let packed = BufReader::with_capacity(1 << 16, packed);
            flate2::bufread::DeflateDecoder::new(packed)
                .take(most)
                .read_to_end(&mut bytes)?;
        } else {
            packed.take(most).read_to_end(&mut bytes)?;
        }
        if bytes.len() as u64 != entry.size {
            return Err(damaged(format!(
                "`{name}` has another length than its archive says"
            )));
        }
        if entry.crc != 0 && checksum(&bytes) != entry.crc {
            return Err(damaged(format!("the checksum of `{name}` does not fit")));
        }
        Ok(bytes)
    }

    fn places(&self, storages: &Storages) -> Result<Places, Error> {
        let mut places = Places::new();
        for (key, &(bytes, _)) in &storages.declared {
            // A storage that is not there is told with the tensor that needs it.
            let Some(entry) = self.entries.get(&format!("{}data/{key}", self.folder)) else {
                continue;
            };
            if entry.size < bytes {
                return Err(damaged(format!(
                    "its storage `{}` has {} bytes, and its pickle says {bytes}",
                    key.escape_debug(),
                    entry.size
                )));
            }
            let place = Place {
                at: entry.data,
                length: entry.size,
                packed: (entry.method == DEFLATED).then_some(entry.packed),
                // PyTorch writes 0 where it was told to compute none.
                crc: (entry.crc != 0).then_some(entry.crc),
            };
            places.insert(Rc::clone(key), place);
        }
        Ok(places)
    }
}

/// The entries that the directory at the archive's end lists, by name.
fn directory(
    file: &Rc<Data>,
    length: u64,
    pickles: &Pickles,
) -> Result<BTreeMap<String, Entry>, Error> {
    let (count, begin, size) = end_record(file, length)?;
    if begin.checked_add(size).is_none_or(|end| end > length) {
        return Err(damaged("the directory of its archive is cut off".into()));
    }
    pickles.budget.take(size)?;
    let mut bytes = Vec::new();
    Section::new(file, begin, begin + size).read_to_end(&mut bytes)?;
    let mut rest = bytes.as_slice();
    let mut entries = BTreeMap::new();
    while !rest.is_empty() {
        pickles.budget.take(COST)?;
        let (name, entry) = listed(&mut rest)
            .ok_or_else(|| damaged("the directory of its archive is damaged".into()))?;
        let entry = checked(file, length, &name, entry)?;
        if entries.contains_key(&name) {
            return Err(damaged(format!(
                "its archive has `{}` twice",
                name.escape_debug()
            )));
        }
        entries.insert(name, entry);
    }
    if entries.len() as u64 != count {
        return Err(damaged(format!(
            "its archive lists {} entries and counts {count}",
            entries.len()
        )));
    }
    check_overlaps(&entries, begin)?;
    Ok(entries)
}

/// Number, begin and length of the directory.
fn end_record(file: &Rc<Data>, length: u64) -> Result<(u64, u64, u64), Error> {
    const LONGEST: u64 = 22 + 0xffff;
    let from = length.saturating_sub(LONGEST);
    let mut tail = Vec::new();
    Section::new(file, from, length).read_to_end(&mut tail)?;
    let is_end = |at: &usize| {
        let comment = number(&tail, at + 20, 2).unwrap_or(u64::MAX);
        tail[*at..].starts_with(b"PK\x05\x06") && at + 22 + comment as usize == tail.len()
    };
    let at = (0..tail.len().saturating_sub(21)).rev().find(is_end);
    let at = at.ok_or_else(|| damaged("its archive has no end; it is cut off".into()))?;
    let field = |at: usize, width| number(&tail, at, width).unwrap_or(0);
    let (count, size, begin) = (field(at + 10, 2), field(at + 12, 4), field(at + 16, 4));
    if field(at + 4, 2) != 0 && field(at + 4, 2) != 0xffff {
        return Err(damaged("its archive is one of several parts".into()));
    }
    if count != 0xffff && size != ELSEWHERE && begin != ELSEWHERE {
        return Ok((count, begin, size));
    }
    let locator = (from + at as u64)
        .checked_sub(20)
        .map(|at| bytes_at::<20>(file, at))
        .transpose()?;
    let record = match locator {
        Some(locator) if locator.starts_with(b"PK\x06\x07") => number(&locator, 8, 8),
        _ => None,
    };
    let record = record.filter(|at| at.checked_add(56).is_some_and(|end| end <= length));
    let record = record.map(|at| bytes_at::<56>(file, at)).transpose()?;
    match record {
        Some(record) if record.starts_with(b"PK\x06\x06") => {
            let field = |at| number(&record, at, 8).unwrap_or(0);
            Ok((field(32), field(48), field(40)))
        }
        _ => Err(damaged("the end of its archive is damaged".into())),
    }
}

/// The next entry of the directory.
fn listed(rest: &mut &[u8]) -> Option<(String, Entry)> {
    let head = rest
        .get(..46)
        .filter(|head| head.starts_with(b"PK\x01\x02"))?;
    let field = |at, width| number(head, at, width).unwrap_or(0);
    let (name, extra, comment) = (
        field(28, 2) as usize,
        field(30, 2) as usize,
        field(32, 2) as usize,
    );
    let mut entry = Entry {
        flags: field(8, 2) as u16,
        method: field(10, 2) as u16,
        crc: field(16, 4) as u32,
        packed: field(20, 4),
        size: field(24, 4),
        header: field(42, 4),
        data: 0,
    };
    let text = rest.get(46..46 + name)?;
    let extra_field = rest.get(46 + name..46 + name + extra)?;
    let Entry {
        size,
        packed,
        header,
        ..
    } = &mut entry;
    widen(extra_field, [size, packed, header])?;
    let text = String::from_utf8_lossy(text).into_owned();
    *rest = rest.get(46 + name + extra + comment..)?;
    Some((text, entry))
}

/// Replaces sizes that stand elsewhere by those of the extended field.
fn widen<const N: usize>(extra: &[u8], sizes: [&mut u64; N]) -> Option<()> {
    let mut wide: &[u8] = &[];
    let mut rest = extra;
    while let (Some(id), Some(length)) = (number(rest, 0, 2), number(rest, 2, 2)) {
        let content = rest.get(4..4 + length as usize)?;
        if id == 1 {
            wide = content;
        }
        rest = &rest[4 + length as usize..];
    }
    for size in sizes {
        if *size == ELSEWHERE {
            *size = number(wide, 0, 8)?;
            wide = &wide[8..];
        }
    }
    Some(())
}

/// An entry whose own header says the same as the directory, and whose bytes are in the file.
fn checked(file: &Rc<Data>, length: u64, name: &str, mut entry: Entry) -> Result<Entry, Error> {
    let shown = name.escape_debug();
    let differs = || {
        damaged(format!(
            "`{shown}` has another header than its archive's directory says"
        ))
    };
    if entry.header.checked_add(30).is_none_or(|end| end > length) {
        return Err(damaged(format!("`{shown}` lies outside the file")));
    }
    let head = bytes_at::<30>(file, entry.header)?;
    let field = |at, width| number(&head, at, width).unwrap_or(0);
    let (name_length, extra_length) = (field(26, 2), field(28, 2));
    let mut behind = Vec::new();
    let at = entry.header + 30;
    Section::new(file, at, at + name_length + extra_length).read_to_end(&mut behind)?;
    let (Some(own), Some(extra)) = (
        behind.get(..name_length as usize),
        behind.get(name_length as usize..),
    ) else {
        return Err(differs());
    };
    if !head.starts_with(b"PK\x03\x04") || String::from_utf8_lossy(own) != name {
        return Err(differs());
    }
    if entry.flags & ENCRYPTED != 0 || field(6, 2) as u16 & ENCRYPTED != 0 {
        return Err(damaged(format!("`{shown}` is encrypted")));
    }
    if !matches!(entry.method, STORED | DEFLATED) {
        return Err(damaged(format!(
            "`{shown}` is compressed by method {}, and only deflate is read; `torch.save` does not compress",
            entry.method
        )));
    }
    let (mut packed, mut size) = (field(18, 4), field(22, 4));
    if widen(extra, [&mut size, &mut packed]).is_none() && field(6, 2) as u16 & SIZES_BEHIND == 0 {
        return Err(differs());
    }
    let is_missing = field(6, 2) as u16 & SIZES_BEHIND != 0
        && matches!((packed, size), (0 | ELSEWHERE, 0 | ELSEWHERE));
    let is_same = (packed, size) == (entry.packed, entry.size) || is_missing;
    let fits = entry.method == DEFLATED || entry.packed == entry.size;
    if field(8, 2) as u16 != entry.method || !is_same || !fits {
        return Err(differs());
    }
    entry.data = at + name_length + extra_length;
    if entry
        .data
        .checked_add(entry.packed)
        .is_none_or(|end| end > length)
    {
        return Err(damaged(format!(
            "`{shown}` claims {} bytes, and the file has {length}",
            entry.packed
        )));
    }
    if entry.size > entry.packed.saturating_mul(MOST_RATIO) {
        return Err(damaged(format!(
            "`{shown}` claims to unpack to more than it can"
        )));
    }
    Ok(entry)
}

fn check_overlaps(entries: &BTreeMap<String, Entry>, directory: u64) -> Result<(), Error> {
    let mut ranges: Vec<(u64, u64, &str)> = entries
        .iter()
        .map(|(name, entry)| (entry.header, entry.data + entry.packed, name.as_str()))
        .collect();
    ranges.sort_unstable();
    ranges.push((directory, directory, "its directory"));
    match ranges.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        None => Ok(()),
        Some(pair) => Err(damaged(format!(
            "`{}` and `{}` of its archive overlap",
            pair[0].2.escape_debug(),
            pair[1].2.escape_debug()
        ))),
    }
}

fn bytes_at<const N: usize>(file: &Data, at: u64) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

/// A number of `width` bytes, little-endian.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let mut wide = [0; 8];
    wide[..width].copy_from_slice(bytes.get(at..at + width)?);
    Some(u64::from_le_bytes(wide))
}

fn damaged(reason: String) -> Error {
    Error::Damaged(reason)
}
